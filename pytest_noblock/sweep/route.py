"""One route of the app under one method: what the sweep makes an item of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["http", "websocket"]
"""What sort of connection a route takes."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route and one of its methods. Two routes of an app never have the same `name`."""

    method: str
    """In capitals: `GET`. A websocket's is `WEBSOCKET`."""
    path: str
    """The template, with the prefixes of its routers and mounts: `/users/{user_id}`. No convertors are in it."""
    endpoint: object | None = field(default=None, compare=False)
    """What the app calls for it, as the app has it, decorators included; None where only the document has the route."""
    operation: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """Its operation of the OpenAPI document, with the parameters that its path has in common; None where it has none.
    What a `$ref` in it names stands in `document`."""
    kind: Kind = "http"
    document: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The OpenAPI document that `operation` stands in: the app's, or that of an app that is mounted in it."""
    host: str | None = None
    """The template of the host that the app routes by (Starlette's `Host`); None where every host will do."""
    in_path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False, compare=False)
    """The schema of each variable of path and host that has a convertor: `{"user_id": {"type": "integer"}}`."""
    mounts: tuple[tuple[str, str | None], ...] = field(default=(), repr=False, compare=False)
    """What its requests pass, the outermost first: the whole template of each mount, `/admin/{path}`, and the dotted
    name of the app that is mounted there."""

    @property
    def name(self) -> str:
        """`GET /users/{user_id}`; with a host of its own `GET api.example.org/users`."""
        return f"{self.method} {self.template}"

    @property
    def template(self) -> str:
        """`/users/{user_id}`; with a host of its own `api.example.org/users`."""
        return f"{self.host or ''}{self.path}"


def variables(path: str) -> tuple[str, ...]:
    """The names of the template's variables, from left to right."""
    return tuple(re.findall(r"\{([^}]*)\}", path))

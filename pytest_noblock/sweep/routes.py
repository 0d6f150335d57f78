"""Which routes an app has. Knows FastAPI and Starlette, and imports neither: it reads `sys.modules`.

The names of theirs that this module reads, and what is lost where a version lacks one. All were seen on FastAPI 0.165
with Starlette 1.6 and 1.10.

* `routes` of an app, a router, a `Mount`, a `Host`; `path_format`, `methods`, `endpoint`, `param_convertors` of a
  route; `host_format`. Lost: the routes that only the app has; those of its OpenAPI document stay.
* `fastapi.routing.iter_route_contexts` (since 0.137): included routers are a tree. Without it `routes` is read, which
  is flat before 0.137. Lost: routes of included routers; those of the document stay.
* `fastapi.routing.APIRoute` and `fastapi.openapi.utils.get_openapi`, for a route that is not in the document. Lost: what
  it takes.
* The regular expression `regex` of a convertor. Lost: values for a convertor of the user's own.
"""

import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from pytest_noblock.engine.frameworks.reached import apps_in
from pytest_noblock.engine.patches import attribute
from pytest_noblock.sweep.openapi import Document, Unreadable, base_path, document_of, operations_of
from pytest_noblock.sweep.route import Route

_DEEPEST = 20
"""So many mounts are looked into, one in the other: an app may be mounted in itself."""
_FRAMEWORK_PAGES = ("fastapi.applications",)
"""Modules whose endpoints are the framework's own: `/docs`, `/openapi.json`."""
_CONVERTORS: Mapping[str, Mapping[str, Any]] = {
    "StringConvertor": {"type": "string"},
    "PathConvertor": {"type": "string"},
    "IntegerConvertor": {"type": "integer", "minimum": 0},
    "FloatConvertor": {"type": "number", "minimum": 0},
    "UUIDConvertor": {"type": "string", "format": "uuid"},
}
"""What Starlette's own convertors take, by the name of their class."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of an app, and what is to be said of those that are none."""

    routes: tuple[Route, ...]
    """In the app's order; no two have the same name."""
    operations: int
    """How many routes the app has in all, M of `N of M routes measured`: never fewer than its OpenAPI operations."""
    problems: tuple[str, ...] = ()
    """What the user should know, a sentence each: what makes the sweep see less than the app has, or other things."""
    left_out: tuple[str, ...] = ()
    """What is no route to measure, on purpose, a sentence each: files, the framework's own pages."""


@dataclass(slots=True)
class _Found:
    """What has been found up to now."""

    routes: dict[str, Route] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, route: Route) -> None:
        if route.name in self.routes:
            self.problems.append(f"{route.name} is declared twice: the app answers with the first.")
        else:
            self.routes[route.name] = route


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the app routes are looked for: what stands before their paths, and what describes them."""

    prefix: str = ""
    host: str | None = None
    in_path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    document: Document | None = None
    described: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """The operations of `document`, by method and path; the names of variables are left out of the path."""
    documented_from: str = ""
    """The prefix of the app that `document` describes: its paths begin behind it."""
    depth: int = 0


def routes_of(app: object, document: Document | None = None) -> Routes:
    """The routes of the app. `document`: its OpenAPI document, where the user names one; else the app's own.

    Each operation of the document is a route, shown by the app or not.
    """
    found = _Found()
    inside = next((each for each in apps_in(app) if _listed(each)), app)
    if document is None:
        document = _own_document(inside, found)
        base = ""
    else:
        base = "" if _listed(inside) else base_path(document)
    _walk(_listed(inside), _described(_Place(), document, base), found)
    _add_operations(_described(_Place(), document, base), base, found)
    return Routes(tuple(found.routes.values()), len(found.routes), tuple(found.problems), tuple(found.left_out))


def selected(routes: Iterable[Route], include: Sequence[str], exclude: Sequence[str]) -> tuple[Route, ...]:
    """The routes whose path a glob of `include` matches, all where there is none, and none of `exclude`.

    `*` stands for any text, slashes as well. The glob may be of a whole name: `GET /users*`.
    """
    return tuple(
        each for each in routes if (not include or _matches(each, include)) and not _matches(each, exclude)
    )


def _matches(route: Route, globs: Sequence[str]) -> bool:
    names = (route.path, route.name)
    return any(fnmatchcase(name, _plain(glob)) for glob in globs for name in names)


def _plain(glob: str) -> str:
    return glob


def _own_document(app: object, found: _Found) -> Document | None:
    try:
        return document_of(app)
    except Unreadable as problem:
        found.problems.append(f"{problem}.")
        return None

"""What the search for routes passes on: where it is, what it has found, and what it has to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_noblock.sweep.route import Route


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the app routes are looked for: what stands before their paths."""

    prefix: str = ""
    host: str | None = None
    in_path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mounts: tuple[tuple[str, str | None], ...] = ()

    @property
    def depth(self) -> int:
        return len(self.mounts)


@dataclass(frozen=True, slots=True)
class Seen:
    """A route, and the framework's own object for it."""

    route: Route
    context: Any = None
    implied: bool = False
    """Whether it is a HEAD that Starlette added to a GET."""


@dataclass(slots=True)
class Said:
    """The sentences up to now."""

    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """The paths of the framework's own pages."""

    def everything_left_out(self) -> tuple[str, ...]:
        pages = f"The pages of the framework itself are left out: {', '.join(self.pages)}."
        return (*self.left_out, pages) if self.pages else tuple(self.left_out)

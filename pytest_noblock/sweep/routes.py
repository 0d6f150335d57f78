"""Which routes an app has. Knows FastAPI and Starlette, and imports neither."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pytest_noblock.sweep.documented import described
from pytest_noblock.sweep.listed import innermost
from pytest_noblock.sweep.openapi import Document
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.seen import Place, Said
from pytest_noblock.sweep.walk import in_app


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


def routes_of(app: object, document: Document | None = None) -> Routes:
    """The routes of the app. `document`: its OpenAPI document, where the user names one; else the app's own.

    Each operation of the document is a route, whether the app shows it or not.
    """
    said = Said()
    routes: dict[str, Route] = {}
    for route in described(in_app(innermost(app), Place(), document, said), said):
        if route.name in routes:
            said.problems.append(f"{route.name} is declared twice: the app answers with the first.")
        else:
            routes[route.name] = route
    return Routes(tuple(routes.values()), len(routes), tuple(said.problems), said.everything_left_out())


def selected(routes: Iterable[Route], include: Sequence[str], exclude: Sequence[str]) -> tuple[Route, ...]:
    """The routes that a glob of `include` matches, all where there is none, and that none of `exclude` does.

    A glob is of a path, or of a name: `GET /users*`. `*` stands for any text, slashes as well.
    """
    return tuple(each for each in routes if (not include or _matches(each, include)) and not _matches(each, exclude))


def _matches(route: Route, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs for name in (route.path, route.name))

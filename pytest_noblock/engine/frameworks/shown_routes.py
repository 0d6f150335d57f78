"""The routes that an app of Starlette's or FastAPI's shows; imports neither.

The names of theirs that this module reads, and what is lost where a version lacks one. Seen on FastAPI 0.165 with
Starlette 1.6 and 1.10.

* `fastapi.routing.iter_route_contexts` (since 0.137) and its `original_route`. Without it
  `routes` is read, which is flat before 0.137. Lost: routes of included routers.
"""

from collections.abc import Iterator

from pytest_noblock.engine.endpoints import dotted
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.frameworks import others
from pytest_noblock.engine.frameworks.reached import apps_in
from pytest_noblock.engine.patches import attribute


def paths_of(app: ASGIApp, of_class: str | None = None) -> list[str]:
    """The paths of the app's routes, sorted; empty where the app does not show its routes.

    `of_class`: of those routes alone whose class has this name, or a base with it.
    """
    inside = next((each for each in apps_in(app) if _own_routes(each)), app)
    return sorted(set(_paths(inside, "", of_class)))


def routes_key(app: object) -> object | None:
    """Equal for two apps with the same routes; None for an app that does not show its routes as Starlette does."""
    inside = next((each for each in apps_in(app) if _own_routes(each)), None)
    if inside is None or others.is_theirs(inside):
        return None
    return tuple((getattr(route, "path", None), dotted(getattr(route, "endpoint", None))) for route in _routes(inside))


def _paths(owner: object, before: str, of_class: str | None) -> Iterator[str]:
    """The paths of the owner's routes, with the path that it is mounted at."""
    for route in _own_routes(owner):
        path = before + (getattr(route, "path", None) or "")
        inside = list(_paths(mounted, path, of_class)) if (mounted := _mounted(route)) is not None else []
        wanted = of_class is None or any(base.__name__ == of_class for base in type(_original(route)).__mro__)
        yield from inside or filter(None, (path if wanted else "",))


def endpoints_of(app: object) -> Iterator[object]:
    """The endpoints of all routes, those of included routers and of mounted apps as well."""
    return (endpoint for route in _routes(app) if (endpoint := getattr(route, "endpoint", None)) is not None)


def _routes(owner: object) -> Iterator[object]:
    for route in _own_routes(owner):
        yield route
        if (mounted := _mounted(route)) is not None:
            yield from _routes(mounted)


def _mounted(route: object) -> object:
    return getattr(_original(route), "app", None)


def _original(route: object) -> object:
    """FastAPI's (0.165) flattened routes are contexts of these."""
    return getattr(route, "original_route", route)


def _own_routes(owner: object) -> list[object]:
    """The routes that the app shows; none where its `routes` is anything but a list.

    An ASGI app is any callable. Its `routes` may be a method, and a property may raise.
    """
    flatten = attribute("fastapi.routing", "iter_route_contexts")
    try:
        routes = getattr(owner, "routes", None)
        if not isinstance(routes, list | tuple):
            return []
        return list(routes if flatten is None else flatten(routes))
    except Exception:  # noqa: BLE001  # what a property of the app raises is not the request's failure
        return []

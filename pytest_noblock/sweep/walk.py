"""Walks through an app: its own routes, those of its routers, and those of what is mounted in it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pytest_noblock.engine.endpoints import REST, dotted
from pytest_noblock.engine.frameworks.reached import apps_in
from pytest_noblock.engine.patches import attribute
from pytest_noblock.model import shown
from pytest_noblock.model.observation import WEBSOCKET
from pytest_noblock.sweep.documented import documented
from pytest_noblock.sweep.listed import innermost, is_a, listed, methods_of, original, schemas_of
from pytest_noblock.sweep.openapi import Document, Unreadable, document_of
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.seen import Place, Said, Seen

_DEEPEST = 20
"""So many mounts are looked into, one in the other: an app may be mounted in itself."""
_FRAMEWORK_PAGES = ("fastapi.applications",)
"""Modules whose endpoints are the framework's own: `/docs`, `/openapi.json`."""


def in_app(app: object, place: Place, document: Document | None, said: Said) -> list[Seen]:
    """The routes of one app, described by its document; its own where none is given."""
    if document is None:
        try:
            document = document_of(app)
        except Unreadable as problem:
            said.problems.append(f"{problem}.")
    routes = list(_walk(app, place, said))
    if document is None:
        return routes
    try:
        return documented(routes, place, document, said)
    except (TypeError, ValueError, AttributeError, LookupError) as error:  # somebody may have written it by hand
        said.problems.append(f"The OpenAPI document cannot be read: {shown.error(error)}.")
        return routes


def _walk(owner: object, place: Place, said: Said) -> Iterator[Seen]:
    """The routes that an app, a router or a mount shows, those that are mounted in it as well."""
    for context in listed(owner) or ():
        route = original(context)
        if is_a(route, "Mount", "Host"):
            yield from _mounted(context, route, place, said)
        elif is_a(route, "WebSocketRoute"):
            yield Seen(_route(WEBSOCKET, context, place), context)
        elif getattr(context, "endpoint", None) is not None and isinstance(getattr(context, "path", None), str):
            yield from _with_methods(context, place, said)
        else:
            said.left_out.append(_unknown(context, route, place))


def _unknown(context: Any, route: object, place: Place) -> str:
    paths = [getattr(each, "path", "") for each in getattr(route, "routes", None) or [context]]
    where = ", ".join(place.prefix + str(path or "/") for path in paths)
    return f"What is served at {where} is left out: no endpoint answers there."


def _with_methods(context: Any, place: Place, said: Said) -> Iterator[Seen]:
    if getattr(context.endpoint, "__module__", None) in _FRAMEWORK_PAGES:
        said.pages.append(place.prefix + context.path)
        return
    methods = methods_of(context)
    for method in methods:
        implied = method == "HEAD" and "GET" in methods
        yield Seen(_route(method, context, place), context, implied)


def _route(method: str, context: Any, place: Place) -> Route:
    return Route(
        method=method,
        path=place.prefix + (getattr(context, "path_format", None) or context.path),
        endpoint=context.endpoint,
        kind="websocket" if method == WEBSOCKET else "http",
        host=place.host,
        in_path={**place.in_path, **schemas_of(context)},
        mounts=place.mounts,
    )


def _mounted(context: Any, route: object, place: Place, said: Said) -> list[Seen]:
    """The routes of what is mounted at a path, or for a host."""
    schemas = {**place.in_path, **schemas_of(context)}
    if is_a(route, "Host"):
        inside = replace(place, in_path=schemas, host=context.host_format)
    else:
        schemas.pop("path", None)  # the rest of the path, which the mounted app reads
        inside = replace(place, in_path=schemas, prefix=place.prefix + context.path_format.removesuffix(REST))
    mount = (f"{inside.host or ''}{inside.prefix}{REST}", dotted(context.app))
    inside = replace(inside, mounts=(*place.mounts, mount))
    return _in_mounted(innermost(context.app), inside, said)


def _in_mounted(app: object, place: Place, said: Said) -> list[Seen]:
    where = f"{place.host or ''}{place.prefix or '/'}"
    files = attribute("starlette.staticfiles", "StaticFiles")
    if files is not None and any(isinstance(each, files) for each in apps_in(app)):
        said.left_out.append(f"The files under {where} are left out: no endpoint answers there.")
    elif place.depth > _DEEPEST:
        said.problems.append(f"What is mounted at {where} is not looked into: it is {_DEEPEST} mounts deep.")
    elif listed(app) is None:
        said.problems.append(
            f"What is mounted at {where} shows no routes, so that only those in an OpenAPI document are swept "
            f"(--noblock-openapi)."
        )
    else:
        return in_app(app, place, None, said)
    return []

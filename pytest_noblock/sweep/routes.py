"""Which routes an app has. Knows FastAPI and Starlette, and imports neither: it reads `sys.modules`.

The names of theirs that this module reads, and what is lost where a version lacks one. All were seen on FastAPI 0.115
with Starlette 0.38, and on FastAPI 0.165 with Starlette 1.10.

* `routes` of an app, a router, a `Mount`, a `Host`; `path_format`, `methods`, `endpoint`, `param_convertors` of a
  route; `host_format`. Lost: the routes that only the app has; those of its OpenAPI document stay.
* `fastapi.routing.iter_route_contexts` (since 0.137): included routers are a tree. Without it `routes` is read, which
  is flat before 0.137. Lost: routes of included routers; those of the document stay.
* `fastapi.routing.APIRoute`, `include_in_schema` and `fastapi.openapi.utils.get_openapi`, for a route that is not in
  the document. Lost: what it takes.
* The regular expression `regex` of a convertor. Lost: values for a convertor of the user's own.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from pytest_noblock.engine.exchange import dotted
from pytest_noblock.engine.frameworks.reached import apps_in
from pytest_noblock.engine.patches import attribute
from pytest_noblock.model import shown
from pytest_noblock.sweep.openapi import (
    Document,
    Unreadable,
    base_path,
    document_of,
    operations_of,
    parameters_of,
    resolved,
)
from pytest_noblock.sweep.route import Route

_OF_CLASSES = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The methods that a class of Starlette's may have a method for."""
_DEEPEST = 20
"""So many mounts are looked into, one in the other: an app may be mounted in itself."""
_FRAMEWORK_PAGES = ("fastapi.applications",)
"""Modules whose endpoints are the framework's own: `/docs`, `/openapi.json`."""
_CONVERTORS: Mapping[str, Mapping[str, Any]] = {
    "StringConvertor": {"type": "string"},
    "PathConvertor": {"type": "string", "format": "path"},
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


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the app routes are looked for: what stands before their paths."""

    prefix: str = ""
    host: str | None = None
    in_path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mounts: tuple[tuple[str | None, str | None], ...] = ()

    @property
    def depth(self) -> int:
        return len(self.mounts)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A route, and the framework's own object for it."""

    route: Route
    context: Any = None
    implied: bool = False
    """Whether it is a HEAD that Starlette added to a GET."""


@dataclass(slots=True)
class _Said:
    """The sentences up to now."""

    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """The paths of the framework's own pages."""

    def everything_left_out(self) -> tuple[str, ...]:
        pages = f"The pages of the framework itself are left out: {', '.join(self.pages)}."
        return (*self.left_out, pages) if self.pages else tuple(self.left_out)


def routes_of(app: object, document: Document | None = None) -> Routes:
    """The routes of the app. `document`: its OpenAPI document, where the user names one; else the app's own.

    Each operation of the document is a route, whether the app shows it or not.
    """
    said = _Said()
    routes: dict[str, Route] = {}
    for route in _described(_in_app(_innermost(app), _Place(), document, said), said):
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


def _innermost(app: object) -> object:
    """The first app, from the outermost middleware in, that shows its routes; `app` where none does."""
    return next((each for each in apps_in(app) if _listed(each) is not None), app)


def _in_app(app: object, place: _Place, document: Document | None, said: _Said) -> list[_Seen]:
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
        return _documented(routes, place, document, said)
    except (TypeError, ValueError, AttributeError, LookupError) as error:  # somebody may have written it by hand
        said.problems.append(f"The OpenAPI document cannot be read: {shown.error(error)}.")
        return routes


def _walk(owner: object, place: _Place, said: _Said) -> Iterator[_Seen]:
    """The routes that an app, a router or a mount shows, those that are mounted in it as well."""
    for context in _listed(owner) or ():
        route = _original(context)
        if _is_a(route, "Mount", "Host"):
            yield from _mounted(context, route, place, said)
        elif _is_a(route, "WebSocketRoute"):
            yield _Seen(_route("WEBSOCKET", context, place), context)
        elif getattr(context, "endpoint", None) is not None and isinstance(getattr(context, "path", None), str):
            yield from _with_methods(context, place, said)
        else:
            said.left_out.append(_unknown(context, route, place))


def _unknown(context: Any, route: object, place: _Place) -> str:
    paths = [getattr(each, "path", "") for each in getattr(route, "routes", None) or [context]]
    where = ", ".join(place.prefix + str(path or "/") for path in paths)
    return f"What is served at {where} is left out: no endpoint answers there."


def _with_methods(context: Any, place: _Place, said: _Said) -> Iterator[_Seen]:
    if getattr(context.endpoint, "__module__", None) in _FRAMEWORK_PAGES:
        said.pages.append(place.prefix + context.path)
        return
    methods = _methods(context)
    for method in methods:
        implied = method == "HEAD" and "GET" in methods
        yield _Seen(_route(method, context, place), context, implied)


def _methods(context: Any) -> list[str]:
    """GET first: of a class of Starlette's what it has a method for; of any other endpoint without methods, GET."""
    methods = set(context.methods or ())
    if _is_endpoint_class(context.endpoint):
        own = {name for name in _OF_CLASSES if getattr(context.endpoint, name.lower(), None) is not None}
        methods = methods & own or own
    return sorted(methods or {"GET"}, key=lambda method: (method != "GET", method))


def _is_endpoint_class(endpoint: object) -> bool:
    base = attribute("starlette.endpoints", "HTTPEndpoint")
    return base is not None and isinstance(endpoint, type) and issubclass(endpoint, base)


def _route(method: str, context: Any, place: _Place) -> Route:
    return Route(
        method=method,
        path=place.prefix + (getattr(context, "path_format", None) or context.path),
        endpoint=context.endpoint,
        kind="websocket" if method == "WEBSOCKET" else "http",
        host=place.host,
        in_path={**place.in_path, **_schemas(context)},
        mounts=place.mounts,
    )


def _mounted(context: Any, route: object, place: _Place, said: _Said) -> list[_Seen]:
    """The routes of what is mounted at a path, or for a host."""
    schemas = {**place.in_path, **_schemas(context)}
    mount = (getattr(context, "path", None), dotted(context.app))
    inside = replace(place, in_path=schemas, mounts=(*place.mounts, mount))
    if _is_a(route, "Host"):
        inside = replace(inside, host=context.host_format)
    else:
        schemas.pop("path", None)  # the rest of the path, which the mounted app reads
        inside = replace(inside, prefix=place.prefix + context.path_format.removesuffix("/{path}"))
    return _in_mounted(_innermost(context.app), inside, said)


def _in_mounted(app: object, place: _Place, said: _Said) -> list[_Seen]:
    where = f"{place.host or ''}{place.prefix or '/'}"
    files = attribute("starlette.staticfiles", "StaticFiles")
    if files is not None and any(isinstance(each, files) for each in apps_in(app)):
        said.left_out.append(f"The files under {where} are left out: no endpoint answers there.")
    elif place.depth > _DEEPEST:
        said.problems.append(f"What is mounted at {where} is not looked into: it is {_DEEPEST} mounts deep.")
    elif _listed(app) is None:
        said.problems.append(
            f"What is mounted at {where} shows no routes, so that only those in an OpenAPI document are swept "
            f"(--noblock-openapi)."
        )
    else:
        return _in_app(app, place, None, said)
    return []


def _documented(routes: Sequence[_Seen], place: _Place, document: Document, said: _Said) -> list[_Seen]:
    """The routes with their operations, and a route for each operation that has none yet."""
    operations = list(operations_of(document))
    prefix = place.prefix + _base(routes, place, document, operations)
    by_path = {(method, _bare(prefix + path)): (path, operation) for method, path, operation in operations}
    described = []
    for seen in routes:
        path, operation = by_path.get((seen.route.method, _bare(seen.route.path)), ("", None))
        described.append(_with_operation(seen, prefix + path, operation, document))
    shown = {(each.route.method, _bare(each.route.path)) for each in described}
    for method, path, operation in operations:
        if (method, _bare(prefix + path)) not in shown:
            route = Route(
                method, prefix + path, None, operation, "http", document, place.host, place.in_path, place.mounts
            )
            described.append(_Seen(route))
            if routes:
                said.problems.append(f"{route.name} is in the OpenAPI document, and the app shows no route for it.")
    return described


def _base(routes: Sequence[_Seen], place: _Place, document: Document, operations: Sequence[Any]) -> str:
    """What the document leaves out of its paths: the path of its server, where the app's own routes have it."""
    base = base_path(document)
    shown = {(each.route.method, _bare(each.route.path)) for each in routes}
    counts = {
        each: sum((method, _bare(place.prefix + each + path)) in shown for method, path, _ in operations)
        for each in ("", base)
    }
    return base if not routes or counts[base] > counts[""] else ""


def _bare(path: str) -> str:
    """The template without the names of its variables: a document may call them something else."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _with_operation(seen: _Seen, path: str, operation: Mapping[str, Any] | None, document: Document) -> _Seen:
    if operation is None or seen.route.operation is not None:
        return seen
    names = dict(zip(variables(path), variables(seen.route.path), strict=True))
    if any(theirs != ours for theirs, ours in names.items()):
        operation = _renamed(operation, names, document)
    return replace(seen, route=replace(seen.route, operation=operation, document=document))


def _renamed(operation: Mapping[str, Any], names: Mapping[str, str], document: Document) -> Mapping[str, Any]:
    """The operation, with the variables of its path called as the app's route calls them."""
    parameters = [resolved(each, document) for each in parameters_of(operation)]
    ours = [
        {**each, "name": names.get(str(each.get("name")), each.get("name"))} if each.get("in") == "path" else each
        for each in parameters
    ]
    return {**operation, "parameters": ours}


def variables(path: str) -> tuple[str, ...]:
    """The names of the template's variables, from left to right."""
    return tuple(re.findall(r"\{([^}]*)\}", path))


def _described(routes: Sequence[_Seen], said: _Said) -> Iterator[Route]:
    """The routes; those of FastAPI's that stand in no document are described by FastAPI all the same."""
    hidden = [each for each in routes if each.route.operation is None and _is_a(_original(each.context), "APIRoute")]
    found = _operations_for(hidden, said) if hidden else {}
    for seen in routes:
        operation, document = found.get(id(seen), (seen.route.operation, seen.route.document))
        if not seen.implied or operation is not None:
            yield replace(seen.route, operation=operation, document=document)


def _operations_for(hidden: Sequence[_Seen], said: _Said) -> dict[int, tuple[Mapping[str, Any] | None, Document]]:
    """Operation and document by the id of what was seen. Where one route cannot be described, the others still are."""
    try:
        document = _document_for([each.context for each in hidden])
    except Exception as error:  # noqa: BLE001  # whatever a model of the user's does
        if len(hidden) > 1:
            return {key: found for each in hidden for key, found in _operations_for([each], said).items()}
        said.problems.append(f"What {hidden[0].route.name} takes cannot be told: {shown.error(error)}.")
        return {}
    operations = {(method, path): operation for method, path, operation in operations_of(document)}
    return {id(each): (operations.get((each.route.method, each.context.path_format)), document) for each in hidden}


def _document_for(contexts: Sequence[Any]) -> Document:
    """A document of these routes, as if they were meant for one."""
    describe = attribute("fastapi.openapi.utils", "get_openapi")
    with warnings.catch_warnings(action="ignore"):  # as that of a doubled operation id
        document: Document = describe(title="", version="", routes=[_in_schema(each) for each in contexts])
    return document


def _in_schema(context: Any) -> Any:
    """A copy, which is in the schema whatever the original says."""
    twin = object.__new__(type(context))  # `copy` asks it for attributes before it has any
    vars(twin).update(vars(context), include_in_schema=True)
    return twin


def _original(context: Any) -> object:
    return getattr(context, "original_route", context)


def _schemas(context: Any) -> dict[str, Mapping[str, Any]]:
    convertors = getattr(context, "param_convertors", None)
    return {name: _schema(each) for name, each in convertors.items()} if isinstance(convertors, dict) else {}


def _schema(convertor: object) -> Mapping[str, Any]:
    """What a convertor takes: one of the user's own by its regular expression."""
    regex = getattr(convertor, "regex", None)
    known = _CONVERTORS.get(type(convertor).__name__)
    if known is not None or not isinstance(regex, str):
        return known or {"type": "string"}
    return {"type": "string", "pattern": f"^(?:{regex})$"}


def _is_a(route: object, *names: str) -> bool:
    """Whether the route is of one of these classes of Starlette's or FastAPI's."""
    classes = (attribute(module, name) for module in ("starlette.routing", "fastapi.routing") for name in names)
    return isinstance(route, tuple(each for each in classes if isinstance(each, type)))


def _listed(owner: object) -> list[Any] | None:
    """The routes that an app shows, included routers resolved; None where its `routes` is anything but a list.

    An ASGI app is any callable. Its `routes` may be a method, and a property may raise.
    """
    flatten = attribute("fastapi.routing", "iter_route_contexts")
    try:
        routes = getattr(owner, "routes", None)
        if not isinstance(routes, list | tuple):
            return None
        return list(routes if flatten is None else flatten(routes))
    except Exception:  # noqa: BLE001  # what a property of the app raises is not the sweep's failure
        return None

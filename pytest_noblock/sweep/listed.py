"""What Starlette and FastAPI show of their routes; neither is imported: `sys.modules` is read.

The names of theirs that are read here and in `walk`, and what is lost where a version lacks one. All were seen on
FastAPI 0.115 with Starlette 0.38, and on FastAPI 0.165 with Starlette 1.10.

* `routes` of an app, a router, a `Mount`, a `Host`; `path_format`, `methods`, `endpoint`, `param_convertors` of a
  route; `host_format`. Lost: the routes that only the app has; those of its OpenAPI document stay.
* `fastapi.routing.iter_route_contexts` (since 0.137): included routers are a tree. Without it `routes` is read, which
  is flat before 0.137. Lost: routes of included routers; those of the document stay.
* The regular expression `regex` of a convertor. Lost: values for a convertor of the user's own.
"""

from collections.abc import Mapping
from typing import Any

from pytest_noblock.engine.frameworks.reached import apps_in
from pytest_noblock.engine.patches import attribute

_OF_CLASSES = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The methods that a class of Starlette's may have a method for."""
_CONVERTORS: Mapping[str, Mapping[str, Any]] = {
    "StringConvertor": {"type": "string"},
    "PathConvertor": {"type": "string", "format": "path"},
    "IntegerConvertor": {"type": "integer", "minimum": 0},
    "FloatConvertor": {"type": "number", "minimum": 0},
    "UUIDConvertor": {"type": "string", "format": "uuid"},
}
"""What Starlette's own convertors take, by the name of their class."""


def listed(owner: object) -> list[Any] | None:
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


def innermost(app: object) -> object:
    """The first app, from the outermost middleware in, that shows its routes; `app` where none does."""
    return next((each for each in apps_in(app) if listed(each) is not None), app)


def is_a(route: object, *names: str) -> bool:
    """Whether the route is of one of these classes of Starlette's or FastAPI's."""
    classes = (attribute(module, name) for module in ("starlette.routing", "fastapi.routing") for name in names)
    return isinstance(route, tuple(each for each in classes if isinstance(each, type)))


def original(context: Any) -> object:
    return getattr(context, "original_route", context)


def methods_of(context: Any) -> list[str]:
    """GET first: of a class of Starlette's what it has a method for; of any other endpoint without methods, GET."""
    methods = set(context.methods or ())
    if _is_endpoint_class(context.endpoint):
        own = {name for name in _OF_CLASSES if getattr(context.endpoint, name.lower(), None) is not None}
        methods = methods & own or own
    return sorted(methods or {"GET"}, key=lambda method: (method != "GET", method))


def _is_endpoint_class(endpoint: object) -> bool:
    base = attribute("starlette.endpoints", "HTTPEndpoint")
    return base is not None and isinstance(endpoint, type) and issubclass(endpoint, base)


def schemas_of(context: Any) -> dict[str, Mapping[str, Any]]:
    convertors = getattr(context, "param_convertors", None)
    return {name: _schema(each) for name, each in convertors.items()} if isinstance(convertors, dict) else {}


def _schema(convertor: object) -> Mapping[str, Any]:
    """What a convertor takes: one of the user's own by its regular expression."""
    regex = getattr(convertor, "regex", None)
    known = _CONVERTORS.get(type(convertor).__name__)
    if known is not None or not isinstance(regex, str):
        return known or {"type": "string"}
    return {"type": "string", "pattern": f"^(?:{regex})$"}

"""An endpoint as frameworks hand it over: its function without decorators, its name, the template of its route."""

import inspect
from collections.abc import Mapping
from types import CodeType, FunctionType
from typing import Any, TypeGuard

EndpointCode = tuple[CodeType, dict[str, object]]
"""The code of an endpoint, without its decorators, and the globals of its module."""

REST = "/{path}"
"""The end of a mount's template: what the mounted app reads."""


def is_plain(function: object) -> TypeGuard[FunctionType]:
    """Whether it is a function that decorates no other, as most endpoints are: then nothing need be looked for."""
    return type(function) is FunctionType and "__wrapped__" not in function.__dict__


def undecorated(function: Any) -> Any:
    """`inspect.unwrap`, of any object: one that answers whatever it is asked for seems to be decorated without end."""
    if is_plain(function):
        return function
    try:
        return inspect.unwrap(function)
    except Exception:  # noqa: BLE001  # a `__getattr__` of the user's
        return function


def code_of(function: object) -> CodeType | None:
    """The function's code; None where it has none."""
    if type(function) is FunctionType:
        return function.__code__
    try:
        code = getattr(function, "__code__", None)
    except Exception:  # noqa: BLE001  # as above
        return None
    return code if isinstance(code, CodeType) else None


def route_in(scope: Mapping[str, Any]) -> object:
    """The route that the framework left; of a router that FastAPI has included, the one that has the whole path.

    FastAPI (0.137 to 0.165) leaves it in `fastapi` as `effective_route_context`; without it the prefix is lost.
    """
    route = scope.get("route")
    fastapi = scope.get("fastapi")
    context = fastapi.get("effective_route_context") if type(fastapi) is dict else None
    return context if context is not None and getattr(context, "original_route", None) is route else route


def template_of(route: object) -> str | None:
    """`/users/{user_id}`, without convertors. A framework may leave any object in the scope: only text is taken."""
    try:
        path = getattr(route, "path_format", None) or getattr(route, "path", None)
    except Exception:  # noqa: BLE001  # a property of the user's
        return None
    return path if isinstance(path, str) else None


def dotted(endpoint: object) -> str | None:
    """`module.qualname` of an endpoint, also of an object that is called."""
    if endpoint is None:
        return None
    if type(endpoint) is FunctionType:
        return f"{endpoint.__module__}.{endpoint.__qualname__}"
    try:
        module, name = getattr(endpoint, "__module__", "?"), getattr(endpoint, "__qualname__", None)
    except Exception:  # noqa: BLE001  # a `__getattr__` of the user's
        module = name = None
    if not isinstance(name, str):
        module, name = type(endpoint).__module__, type(endpoint).__qualname__
    return f"{module}.{name}"

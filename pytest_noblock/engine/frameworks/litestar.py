"""What only Litestar knows. Read of it (seen on 2.25), and what is lost where a version lacks it.

* `ASGIRouter.__call__`, which leaves `route_handler` and `path_template` in the scope; `fn` of a handler. Lost: the
  names of route and endpoint.
* `HTTPRoute._call_handler_function`, called after the guards, with the handler; 3.0 has none. It reads the property
  `fn` of the handler as it calls the endpoint, after the dependencies and a `before_request`, which may answer in its
  place. Lost: whether the endpoint was reached, which then counts as reached once it is routed.
"""

import functools
import sys
from collections.abc import Awaitable, Callable, Iterator
from types import CodeType
from typing import Any

from pytest_noblock.engine.endpoints import code_of
from pytest_noblock.engine.frameworks.decorated import innermost, raised_in
from pytest_noblock.engine.frameworks.noting import current, reached, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute

Call = Callable[..., Awaitable[Any]]
_CALL = "_call_handler_function"


class _Noting(property):
    """A property that may carry attributes, as the wrapper of a `Patch` does."""


def patches() -> Iterator[Patch]:
    """See `others.patches`."""
    router = attribute("litestar._asgi.asgi_router", "ASGIRouter")
    if router is not None:
        yield Patch(router, "__call__", _noting_route)
    if (caller := _caller()) is not None:
        yield Patch(attribute("litestar.routes", "HTTPRoute"), _CALL, _noting_error)
        yield Patch(_base_handler(), "fn", functools.partial(_noting_call, caller))


def _caller() -> CodeType | None:
    """The code that calls endpoints; None where nobody can tell when it does."""
    call = getattr(attribute("litestar.routes", "HTTPRoute"), _CALL, None)
    return code_of(innermost(call)) if isinstance(getattr(_base_handler(), "fn", None), property) else None


def _base_handler() -> Any:
    return attribute("litestar.handlers.base", "BaseRouteHandler")


def _noting_route(original: Call) -> Call:
    @functools.wraps(original)
    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:
        __tracebackhide__ = True
        try:
            await original(self, scope, receive, send)
        finally:
            if current() is not None:
                guarded(_note, scope)

    return __call__


def _note(scope: Any) -> None:
    handler = scope.get("route_handler")
    if handler is not None:
        routed(_function(handler), scope.get("path_template"))
        told = scope["type"] == "http" and hasattr(handler, "http_methods")
        if not told or _caller() is None:
            reached()  # nobody tells when it is called: a websocket's, a mounted app, any of Litestar 3


def _function(handler: Any) -> object:
    """The user's function: with `sync_to_thread` the handler calls it in a worker."""
    function = handler.fn
    return getattr(function, "func", function)


def _noting_call(caller: CodeType, original: property) -> property:
    function = original.fget

    def fn(handler: Any) -> Any:
        if sys._getframe(1).f_code is caller:  # guards and middlewares read it too
            reached()
        return function(handler)  # type: ignore[misc]

    return _Noting(fn, original.fset, original.fdel, original.__doc__)


def _noting_error(original: Call) -> Call:
    @functools.wraps(original)
    async def _call_handler_function(route: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            return await original(route, *args, **kwargs)
        except BaseException as error:
            guarded(_note_error, kwargs.get("route_handler"), error)
            raise

    return _call_handler_function


def _note_error(handler: Any, error: BaseException) -> None:
    """What was raised once the endpoint was called may come from a dependency that is told to end, too."""
    record = current()
    if record is None or not record.entered or handler is None:
        return
    if raised_in(code_of(innermost(_function(handler))), error):
        record.raised, record.raised_at = error, error.__traceback__

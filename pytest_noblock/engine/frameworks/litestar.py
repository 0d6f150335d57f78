"""What only Litestar knows. Read of it (seen on 2.25), and what is lost where a version lacks it.

* `ASGIRouter.__call__`, which leaves `route_handler` and `path_template` in the scope; `fn` of a handler. Lost: the
  names of route and endpoint.
* `HTTPRoute._call_handler_function`, called after the guards, with the handler; 3.0 has none. Lost: whether the
  endpoint was reached, which then counts as reached once it is routed.
"""

import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pytest_noblock.engine.endpoints import code_of
from pytest_noblock.engine.frameworks.decorated import innermost, raised_in
from pytest_noblock.engine.frameworks.noting import current, reached, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute

Call = Callable[..., Awaitable[Any]]
_CALL = "_call_handler_function"


def patches() -> Iterator[Patch]:
    """See `others.patches`."""
    router = attribute("litestar._asgi.asgi_router", "ASGIRouter")
    if router is not None:
        yield Patch(router, "__call__", _noting_route)
    http = attribute("litestar.routes", "HTTPRoute")
    if hasattr(http, _CALL):
        yield Patch(http, _CALL, _noting_call)


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
        if not told or not hasattr(attribute("litestar.routes", "HTTPRoute"), _CALL):
            reached()  # nobody tells when it is called: a websocket's, a mounted app, any of Litestar 3


def _function(handler: Any) -> object:
    """The user's function: with `sync_to_thread` the handler calls it in a worker."""
    function = handler.fn
    return getattr(function, "func", function)


def _noting_call(original: Call) -> Call:
    @functools.wraps(original)
    async def _call_handler_function(route: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            answer = await original(route, *args, **kwargs)
        except BaseException as error:
            guarded(_note_error, kwargs.get("route_handler"), error)
            raise
        reached()
        return answer

    return _call_handler_function


def _note_error(handler: Any, error: BaseException) -> None:
    """A parameter that does not validate, or a dependency, may have raised it before the endpoint was called."""
    record = current()
    if record is not None and handler is not None and raised_in(code_of(innermost(_function(handler))), error):
        record.entered = True
        record.raised, record.raised_at = error, error.__traceback__

"""What only Django knows. Read of it (seen on 5.2 and 6.1), and what is lost where a version lacks it.

* `BaseHandler.resolve_request`, whose answer has `func` and `route`. Lost: the names of route and view.
* `StreamingHttpResponse.is_async` and `_iterator`. Lost: what a stream does that a test reads.
* `BaseHandler.make_view_atomic`, called right before the view is. Lost: whether the view was reached.
"""

import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pytest_noblock.engine.frameworks.noting import Handled, Parts, current, reached, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute


def patches() -> Iterator[Patch]:
    handler = attribute("django.core.handlers.base", "BaseHandler")
    if hasattr(handler, "resolve_request"):
        yield Patch(handler, "resolve_request", _noting_route)
    if hasattr(handler, "make_view_atomic"):
        yield Patch(handler, "make_view_atomic", _noting_call)


def _noting_route(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @functools.wraps(original)
    def resolve_request(handler: Any, request: Any) -> Any:
        match = original(handler, request)
        if current() is not None:
            guarded(_note, match)
        return match

    return resolve_request


def _note(match: Any) -> None:
    view = match.func
    routed(getattr(view, "view_class", view), f"/{match.route}")


def _noting_call(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @functools.wraps(original)
    def make_view_atomic(handler: Any, view: Any) -> Any:
        reached()
        return original(handler, view)

    return make_view_atomic


def entering(handled: Handled, original: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """`AsyncClient` has a handler of its own, to which it gives a scope alone."""

    @functools.wraps(original)
    def __call__(handler: Any, scope: Any) -> Awaitable[Any]:
        return handled(handler, scope, functools.partial(original, handler, scope), _streams)

    return __call__


def _streams(response: Any, wrapped: Callable[[Parts], Parts]) -> bool:
    if not getattr(response, "is_async", False):
        return False
    response._iterator = wrapped(response._iterator)  # noqa: SLF001  # its setter would register `close` again
    return True

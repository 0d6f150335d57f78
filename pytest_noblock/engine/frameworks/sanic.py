"""What only Sanic knows. Read of it (seen on 25.12), and what is lost where a version lacks it.

* `sanic.router.Router.get`, which returns route, handler and parameters. Lost: the names of route and endpoint, and
  whether it was reached.
"""

import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pytest_noblock.engine.frameworks.noting import Handled, calling, current, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute

Find = Callable[..., tuple[Any, Any, Any]]


def patches() -> Iterator[Patch]:
    router = attribute("sanic.router", "Router")
    if hasattr(router, "get"):
        yield Patch(router, "get", _noting_route)


def _noting_route(original: Find) -> Find:
    @functools.wraps(original)
    def get(router: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        found = original(router, *args, **kwargs)
        return found if current() is None else guarded(_note, found) or found

    return get


def _note(found: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    route, handler, parameters = found
    routed(handler, f"/{route.path}")
    return route, calling(handler), parameters


def entering(handled: Handled, original: Callable[..., None]) -> Callable[..., None]:
    """Sanic's own server, which its `test_client` starts, gives the app a request of Sanic's own."""

    @functools.wraps(original)
    def __init__(protocol: Any, *args: Any, **kwargs: Any) -> None:
        original(protocol, *args, **kwargs)
        guarded(_hand_over, protocol, handled)

    return __init__


def _hand_over(protocol: Any, handled: Handled) -> None:
    """Not by a patch of `Sanic.handle_request`: Sanic compiles that anew when it starts."""
    original = protocol.request_handler

    def handle_request(request: Any) -> Awaitable[Any]:
        return handled(protocol.app, _scope_of(request), functools.partial(original, request))

    protocol.request_handler = handle_request


def _scope_of(request: Any) -> dict[str, Any]:
    return {"type": "http", "method": request.method, "path": request.path}

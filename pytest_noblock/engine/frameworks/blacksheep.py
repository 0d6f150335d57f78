"""What only BlackSheep knows. Read of it (seen on 2.6), and what is lost where a version lacks it.

* `Router.get_match` and `Router.get_match_by_method_and_path`, whose answer has `pattern` and `handler`. Lost: the
  names of route and endpoint, and whether it was reached.
"""

import copy
import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pytest_noblock.engine.frameworks.noting import Handled, calling, current, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute

Find = Callable[..., Any]


def patches() -> Iterator[Patch]:
    router = attribute("blacksheep.server.routing", "Router")
    for name in ("get_match", "get_match_by_method_and_path"):
        if hasattr(router, name):
            yield Patch(router, name, _noting_route)


def _noting_route(original: Find) -> Find:
    @functools.wraps(original)
    def get_match(router: Any, *args: Any) -> Any:
        match = original(router, *args)
        return match if match is None or current() is None else guarded(_note, match) or match

    return get_match


def _note(match: Any) -> Any:
    """What is to be taken for the match: one method calls the other, and the router keeps what it gave."""
    record = current()
    function = match.handler
    if record is None or record.entered is not None or str(function.__module__).startswith("blacksheep."):
        return match
    routed(function, match.pattern.decode())
    noted = copy.copy(match)
    noted.handler = calling(function)
    return noted


def entering(handled: Handled, original: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """The TestClient gives the app a request of BlackSheep's own."""

    @functools.wraps(original)
    def handle(app: Any, request: Any) -> Awaitable[Any]:
        return handled(app, _scope_of(request), functools.partial(original, app, request))

    return handle


def _scope_of(request: Any) -> dict[str, Any]:
    return {"type": "http", "method": request.method, "path": request.path}

"""What only BlackSheep knows. Read of it (seen on 2.6), and what is lost where a version lacks it.

* `Router.get_match` and `Router.get_match_by_method_and_path`, whose answer has `pattern` and `handler`. Lost: the
  names of route and endpoint, and whether it was reached.
* `root_fn` of a handler, and `next_handler` in the closure of a middleware around one. Lost: the same.
* `StreamedContent.generator`. Lost: what a stream does that a test reads.
"""

import copy
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from types import CellType, FunctionType
from typing import Any

from pytest_noblock.engine.frameworks.noting import Handled, Parts, calling, current, routed
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
    endpoint = getattr(match.handler, "root_fn", match.handler)
    if record is None or record.entered is not None or str(endpoint.__module__).startswith("blacksheep."):
        return match
    routed(endpoint, match.pattern.decode())
    noted = copy.copy(match)
    noted.handler = _noting_call(match.handler)
    return noted


def _noting_call(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The same middlewares around the endpoint, which notes that it is called. Each has the next one in its closure."""
    names = getattr(getattr(handler, "__code__", None), "co_freevars", ())
    if "next_handler" not in names:
        return calling(handler)
    cells = dict(zip(names, handler.__closure__ or (), strict=True))
    cells["next_handler"] = CellType(_noting_call(cells["next_handler"].cell_contents))
    closure = tuple(cells[name] for name in names)
    return FunctionType(handler.__code__, handler.__globals__, handler.__name__, handler.__defaults__, closure)


def entering(handled: Handled, original: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """The TestClient gives the app a request of BlackSheep's own."""

    @functools.wraps(original)
    def handle(app: Any, request: Any) -> Awaitable[Any]:
        return handled(app, _scope_of(request), functools.partial(original, app, request), _streams)

    return handle


def _streams(response: Any, wrapped: Callable[[Parts], Parts]) -> bool:
    content = getattr(response, "content", None)
    if content is None or not inspect.isasyncgenfunction(generator := getattr(content, "generator", None)):
        return False

    async def parts() -> Parts:
        async for part in wrapped(generator()):
            yield part

    response.content = type(content)(content.type, parts, content.length)
    return True


def _scope_of(request: Any) -> dict[str, Any]:
    return {"type": "http", "method": request.method, "path": request.path}

"""What only Starlette and FastAPI know; imports neither unless the app already did."""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import CodeType, TracebackType
from typing import Any

from pytest_noblock.engine.exchange import CURRENT, ASGIApp, LiveExchange
from pytest_noblock.engine.frameworks import background_tasks
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.stacks import RawFrame
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Exchange

_FRAMEWORKS = {"starlette", "fastapi"}
_DECORATORS = 30
"""So many lines of decorators are looked through."""


def packages_of(app: ASGIApp) -> set[str]:
    """The top-level packages that the app and its endpoints come from, the framework's own left out."""
    modules = {_module(app), *(_module(endpoint) for endpoint in _endpoints(app))}
    return {module.partition(".")[0] for module in modules} - _FRAMEWORKS - set(sys.stdlib_module_names)


def paths_of(app: ASGIApp) -> list[str]:
    """The paths of the app's routes, to suggest one of."""
    return sorted({path for route in _routes(app) if (path := getattr(route, "path", None))})


def entered(record: LiveExchange) -> bool | None:
    """Whether the endpoint was called; None where only the endpoint knows."""
    if record.entered:
        return True
    api_route = getattr(sys.modules.get("fastapi.routing"), "APIRoute", None)
    return False if api_route is not None and isinstance(record.scope.get("route"), api_route) else None


def definition(record: LiveExchange) -> RawFrame | None:
    """The `def` of the request's endpoint."""
    endpoint = inspect.unwrap(endpoint) if callable(endpoint := record.scope.get("endpoint")) else None
    code = getattr(endpoint, "__code__", None)
    return None if code is None else (code, _line_of_def(code), 0, getattr(endpoint, "__globals__", {}))


@functools.lru_cache
def _line_of_def(code: CodeType) -> int:
    """The first line that a function's code knows is its first decorator's."""
    from pytest_noblock.calls import names

    first = code.co_firstlineno
    following = (names.source_line(code.co_filename, line) or "" for line in range(first, first + _DECORATORS))
    return next((first + n for n, text in enumerate(following) if text.startswith(("def ", "async def "))), first)


def finished(record: LiveExchange, user: UserCode) -> Exchange:
    """The record as a value, with what only the framework or a traceback can tell."""
    return record.value(
        entered=entered(record),
        error=_described(record.error, user),
        tasks=background_tasks.values(record, user),
        raised=_described(record.raised, user, record.raised_at),
        framework=_version() if "app" in record.scope else None,
    )


def _described(error: BaseException | None, user: UserCode, trace: TracebackType | None = None) -> str | None:
    if error is None:
        return None
    from pytest_noblock.engine.stacks import describe_error

    return describe_error(error, user, trace)


def _version() -> str | None:
    version: str | None = getattr(sys.modules.get("starlette"), "__version__", None)
    return version


def patches(join: background_tasks.Join) -> Iterator[Patch]:
    """Observe endpoints and background tasks while requests are."""
    routing = sys.modules.get("fastapi.routing")
    if hasattr(routing, "run_endpoint_function"):
        yield Patch(routing, "run_endpoint_function", _entering)
    yield from background_tasks.patches(join)


MODULES = ("starlette.background", "fastapi.routing")
"""Which `patches` looks for."""


def _entering(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Mark the exchange when FastAPI calls the endpoint itself: a 422 never gets there."""

    async def run_endpoint_function(**kwargs: Any) -> Any:
        record = CURRENT.get()
        if record is None:
            return await original(**kwargs)
        record.entered = True
        try:
            answer = await original(**kwargs)
        except BaseException as error:
            record.raised, record.raised_at = error, error.__traceback__
            raise
        record.own_background = getattr(answer, "background", None) is not None
        return answer

    return run_endpoint_function


def _module(thing: object) -> str:
    return getattr(thing, "__module__", None) or type(thing).__module__


def _endpoints(app: ASGIApp) -> Iterator[object]:
    return (endpoint for route in _routes(app) if (endpoint := getattr(route, "endpoint", None)) is not None)


def _routes(owner: object) -> Iterator[object]:
    """All routes, mounted apps' included. FastAPI >= 0.137 keeps included routers as a tree."""
    flatten = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    routes: Iterable[object] = getattr(owner, "routes", None) or ()
    for route in flatten(routes) if flatten is not None else routes:
        yield route
        mounted = getattr(getattr(route, "original_route", route), "app", None)
        if getattr(mounted, "routes", None):
            yield from _routes(mounted)

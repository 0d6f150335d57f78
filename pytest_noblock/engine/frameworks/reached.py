"""Did the request reach its endpoint? Knows Starlette and FastAPI, and imports neither.

The names of theirs that this module reads, and what is lost where a version lacks one. All were seen on Starlette 1.6
and 1.10 with FastAPI 0.165; `fastapi.routing` has a `wrap_app_handling_exceptions` of its own since 0.113.

* `wrap_app_handling_exceptions` in `starlette.routing` and `fastapi.routing`, called by both for every endpoint that is
  a function. Lost: whether a function of plain Starlette was reached, and which dependency refused the request.
* `Route.handle`, `Mount.handle`, `Host.handle`. Lost: the endpoint behind a middleware that hands on a copied scope.
* `HTTPEndpoint.dispatch`. Lost: whether an endpoint class was reached.

What answered where it was not reached: see `answerer`. A decorator of the endpoint may answer in its place: see
`decorated`.
"""

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from types import CodeType, TracebackType
from typing import Any

from pytest_noblock.engine.endpoints import REST, code_of, is_plain, template_of
from pytest_noblock.engine.exchange import CURRENT, ASGIApp, LiveExchange, Receive, Refusal, Scope, Send
from pytest_noblock.engine.frameworks import others
from pytest_noblock.engine.frameworks.decorated import Watch, innermost, is_generator, raised_in, watch
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.stacks import is_asgi
from pytest_noblock.model.observation import LIFESPAN, WEBSOCKET

MODULES = ("starlette.routing", "fastapi.routing", "starlette.endpoints", "starlette.applications")
"""The modules that this one reads or patches, as far as they are imported."""


_MOST_WRAPPERS = 20
"""So many wrappers of an app, or frames of a traceback, are looked through."""


def patches() -> Iterator[Patch]:
    """What tells whether endpoints are reached."""
    for name in ("starlette.routing", "fastapi.routing"):
        if hasattr(sys.modules.get(name), "wrap_app_handling_exceptions"):
            yield Patch(sys.modules[name], "wrap_app_handling_exceptions", _noting_outcome)
    for name, noting in (("Route", _noting_scope), ("Mount", _noting_mount), ("Host", _noting_mount)):
        route = getattr(sys.modules.get("starlette.routing"), name, None)
        if hasattr(route, "handle"):
            yield Patch(route, "handle", noting)
    endpoint = getattr(sys.modules.get("starlette.endpoints"), "HTTPEndpoint", None)
    if hasattr(endpoint, "dispatch"):
        yield Patch(endpoint, "dispatch", _noting_method)


def _noting_scope(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A middleware may hand on a copy of the scope: the route and its endpoint stand in the copy alone."""

    def handle(route: Any, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        record = CURRENT.get()
        if record is not None and "endpoint" not in record.scope:
            record.scope = scope
        return original(route, scope, receive, send)

    return handle


def _noting_mount(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The mounted app's route knows only the rest of the path's template."""
    noting_scope = _noting_scope(original)

    def handle(mount: Any, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        guarded(_note_mount, mount)
        return noting_scope(mount, scope, receive, send)

    return handle


def _note_mount(mount: Any) -> None:
    record = CURRENT.get()
    if record is not None:
        host = getattr(mount, "host_format", None)
        template = host if isinstance(host, str) else template_of(mount) or ""
        record.mounted += template.removesuffix(REST)
        record.mount = mount


def _noting_method(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """An endpoint class answers 405 by itself for a method that it does not have."""

    def dispatch(endpoint: Any) -> Awaitable[None]:
        guarded(_note_method, endpoint)
        return original(endpoint)

    return dispatch


def _note_method(endpoint: Any) -> None:
    record = CURRENT.get()
    if record is not None:
        names = ("head", "get") if record.method == "HEAD" else (record.method.lower(),)
        record.entered = any(getattr(endpoint, name, None) is not None for name in names)


def _noting_outcome(original: Callable[[ASGIApp, Any], ASGIApp]) -> Callable[[ASGIApp, Any], ASGIApp]:
    """Notes in the record how the endpoint's function ended, dependencies and decorators included."""

    def wrap_app_handling_exceptions(app: ASGIApp, conn: Any) -> ASGIApp:
        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            __tracebackhide__ = True
            record = CURRENT.get()
            if record is None:
                return await app(scope, receive, send)
            calls_it = not guarded(_is_fastapis_own, scope)
            inside = begins(record, scope.get("endpoint")) if calls_it else None
            try:
                await app(scope, receive, send)
            except BaseException as error:
                guarded(_refused, record, scope.get("endpoint"), error)
                if calls_it:
                    ends(record, scope.get("endpoint"), inside, error)
                raise
            if calls_it:
                ends(record, scope.get("endpoint"), inside)
            return None

        return original(noted, conn)

    return wrap_app_handling_exceptions


def _refused(record: LiveExchange, endpoint: object, error: BaseException) -> None:
    """Notes where an exception comes from that something in front of the endpoint raised."""
    if isinstance(error, Exception) and not (record.started or raised_in(code_of(innermost(endpoint)), error)):
        where = tuple(reversed(list(_places(error.__traceback__))))
        record.refused = Refusal(where[:_MOST_WRAPPERS], _invalid(error))


def begins(record: LiveExchange, endpoint: object) -> Watch | None:
    """The endpoint is about to be called, with its decorators. Returns what `ends` takes."""
    return guarded(watch, record, endpoint) if record.task is not None else None  # nobody waits in a watched test


def ends(record: LiveExchange, endpoint: object, inside: Watch | None, error: BaseException | None = None) -> None:
    """That call has ended: notes whether the endpoint was entered."""
    if inside is None and error is None:
        record.entered = True
    else:
        guarded(_note_end, record, endpoint, inside, error)


def _note_end(record: LiveExchange, endpoint: object, inside: Watch | None, error: BaseException | None) -> None:
    began = not isinstance(error, Exception) or raised_in(code_of(innermost(endpoint)), error)
    if inside is not None:
        began = inside.end(record)
        if not began and record.refused is None and (code := code_of(endpoint)) is not None:
            record.answered = code, code.co_firstlineno
    record.entered = record.entered or began


def _places(trace: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code, trace.tb_lineno or trace.tb_frame.f_code.co_firstlineno
        trace = trace.tb_next


def _invalid(error: Exception) -> str | None:
    if type(error).__name__ != "RequestValidationError":
        return None
    try:
        first = error.errors()[0]["loc"]  # type: ignore[attr-defined]  # FastAPI's
        return ".".join(str(each) for each in first)
    except Exception:  # noqa: BLE001  # of another version, or of a subclass of the user's
        return "the request"


def _is_fastapis_own(scope: Scope) -> bool:
    """Whether `run_endpoint_function` tells that the endpoint is entered: FastAPI calls no generator through it."""
    api_route = getattr(sys.modules.get("fastapi.routing"), "APIRoute", None)
    if api_route is None or not isinstance(scope.get("route"), api_route):
        return False
    endpoint = scope.get("endpoint")
    return not is_generator(endpoint if is_plain(endpoint) else innermost(endpoint))


def entered(record: LiveExchange) -> bool | None:
    """Whether the endpoint was reached; None where nobody can know.

    Nobody knows while the request is under way, of a connection that is not HTTP's, of an app of a framework that
    `others` does not know, and of an endpoint that is a plain ASGI app, as a mounted one.
    """
    if record.entered:
        return True
    if record.remains is not None:
        return record.remains.entered
    if record.returned is None or record.method in (LIFESPAN, WEBSOCKET):
        return None
    if not (is_starlettes(record.app) or is_starlettes(record.scope.get("app"))):
        return False if others.refused(record) else record.entered
    endpoint = record.scope.get("endpoint")
    if endpoint is None or record.entered is False or is_starlettes(endpoint):
        return False
    return False if _is_told_of(endpoint, record.scope.get("route")) else None


def _is_told_of(endpoint: object, route: object) -> bool:
    """Whether one of the patches would have told that this endpoint is reached: not of a mounted function."""
    known = hasattr(sys.modules.get("starlette.routing"), "wrap_app_handling_exceptions")
    bare = innermost(endpoint)
    if inspect.isfunction(bare) or inspect.ismethod(bare):
        return known and getattr(route, "app", None) is not endpoint and not is_asgi(bare.__code__)
    classed = getattr(sys.modules.get("starlette.endpoints"), "HTTPEndpoint", None)
    return isinstance(bare, type) and classed is not None and issubclass(bare, classed)


def is_starlettes(app: object) -> bool:
    """Whether the app is Starlette's, or a router of its, middleware around it included."""
    starlette = getattr(sys.modules.get("starlette.applications"), "Starlette", None)
    if type(app) is starlette:  # asked of each request, and mostly true
        return True
    kinds = (starlette, getattr(sys.modules.get("starlette.routing"), "Router", None))
    wanted = tuple(kind for kind in kinds if isinstance(kind, type))
    return any(issubclass(type(each), wanted) for each in apps_in(app))  # an app's `__class__` may raise


def apps_in(app: object) -> Iterator[object]:
    """The app, and the apps that it is middleware around. An app is any callable: nothing else is asked of it."""
    for _ in range(_MOST_WRAPPERS):
        yield app
        try:
            inside = getattr(app, "__dict__", None)
        except Exception:  # noqa: BLE001  # the user's code
            return
        app = inside.get("app") if isinstance(inside, dict) else None
        if app is None:
            return

"""What only Starlette and FastAPI know; imports neither: it reads `sys.modules`, where the app put them.

The names of theirs that this module reads, and what is lost where a version lacks one. All
were seen on FastAPI 0.165 with Starlette 1.6 and 1.10.

* `fastapi.routing.run_endpoint_function` calls the endpoint. Lost: whether the endpoint was
  entered, what it raised, whether it returned a `background` of its own.
* `scope["endpoint"]`, documented by Starlette. Lost: the line of the endpoint's `def`.
* The module names `fastapi.routing` and `starlette.routing` in a frame's globals. Lost: where
  the app's middleware begins; a task that waits in a middleware of the user's counts as waiting
  in the user's code.
* `scope["app"]`, documented by Starlette, and `starlette.__version__`. Lost: that the app has
  background tasks with names, and advice that depends on the version.
"""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import CodeType
from typing import Any

from pytest_noblock.engine.endpoints import EndpointCode, code_of, is_plain, undecorated
from pytest_noblock.engine.errors import told, words
from pytest_noblock.engine.exchange import CURRENT, LiveExchange, Remains
from pytest_noblock.engine.frameworks import background_tasks, others, reached
from pytest_noblock.engine.frameworks.shown_routes import endpoints_of
from pytest_noblock.engine.guard import noted
from pytest_noblock.engine.patches import Patch, attribute
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.stacks import first_line, user_line
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Answerer, Exchange, Left

MODULES = ("starlette.background", *reached.MODULES)
"""The modules that `patches` patches, as far as they are imported."""

_ROUTING = {"fastapi.routing", "starlette.routing"}
_MOST_MIDDLEWARES = 20
"""So many wrappers of an app are looked through."""


def packages_of(app: object) -> set[str]:
    """The top-level packages that the app and its endpoints come from, without the frameworks and the stdlib."""
    modules = {_module(app), *(_module(endpoint) for endpoint in endpoints_of(app))}
    return {module.partition(".")[0] for module in modules} - others.PACKAGES - sys.stdlib_module_names


def endpoint_def(record: LiveExchange) -> RawFrame | None:
    """The line of the `def` of the request's endpoint; None before the request is routed, and outside of Starlette."""
    if record.endpoint_code is None:
        return None
    code, namespace = record.endpoint_code
    return code, _line_of_def(code), 0, namespace


def let_go(record: LiveExchange) -> None:
    """The app's call has ended: keep what is told of the request, and nothing of the app's but code."""
    try:
        sent = _sent(record)
        if record.remains is None:
            record.let_go(_remains(record, sent))
        for each in record.tasks:
            background_tasks.let_go(each, sent)
    except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
        noted(error)


def _sent(record: LiveExchange) -> Iterable[str]:
    """What the request sent, where an error may quote it."""
    if record.error is None and record.raised is None and all(each.error is None for each in record.tasks):
        return ()
    from pytest_noblock.engine.sent_values import sent_values  # most requests raise nothing

    return sent_values(record.scope, record.body)


def _remains(record: LiveExchange, sent: Iterable[str]) -> Remains:
    endpoint = record.scope.get("endpoint")
    if is_plain(endpoint):
        function: object = endpoint
        endpoint_code: EndpointCode | None = (endpoint.__code__, endpoint.__globals__)
    else:
        function, endpoint_code = _function_of(endpoint, record.method), record.endpoint_code
    return Remains(
        route=record.route,
        endpoint=record.endpoint,
        entered=record.entered or reached.entered(record),
        of_starlette=reached.is_starlettes(record.scope.get("app")),
        error=None if record.error is None else told(record.error, secrets=sent),
        cancelled=record.error is not None and record.cancelled,
        raised=None if record.raised is None else told(record.raised, record.raised_at, sent),
        endpoint_code=endpoint_code,
        routed=function is not None,
        answers=code_of(function),
        apps=() if function is not None else tuple(_codes_of_apps(record.app)),
    )


def _codes_of_apps(app: object) -> Iterator[CodeType]:
    return (code for each in _nested(app) if (code := code_of(each)) is not None)


def _defined_at(remains: Remains, user: UserCode) -> Frame | None:
    """The first line of the endpoint's code; where no endpoint is known, of the app's, if that is the user's."""
    if remains.routed:
        return None if remains.answers is None else first_line(remains.answers, user)
    return next((frame for each in remains.apps if (frame := first_line(each, user)).user), None)


def _function_of(endpoint: object, method: str) -> object:
    """The function itself: of a partial, of an endpoint class (`HTTPEndpoint`), of an object that is called."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    if inspect.isclass(endpoint):
        names = (method.lower(), "on_receive", "__call__")
        return next((found for name in names if (found := vars(endpoint).get(name)) is not None), None)
    endpoint = undecorated(endpoint) if callable(endpoint) else None
    if endpoint is None or code_of(endpoint) is not None:
        return endpoint
    return vars(type(endpoint)).get("__call__")


def _nested(app: object) -> Iterator[object]:
    """The functions that are called for an app, from the outermost middleware in."""
    for _ in range(_MOST_MIDDLEWARES):
        function = _function_of(app, "")
        yield function
        inner = _own_attributes(app).get("app")
        if inner is None:
            return
        app = inner


def _own_attributes(thing: object) -> dict[str, object]:
    try:
        found = getattr(thing, "__dict__", None)
    except Exception:  # noqa: BLE001  # as above
        return {}
    return found if isinstance(found, dict) else {}


def _line_of_def(code: CodeType) -> int:
    from pytest_noblock.calls.sources import def_line  # most tests name no call

    return def_line(code.co_filename, code.co_firstlineno, code.co_name)


def is_routing(frame: RawFrame) -> bool:
    """Whether the frame is the framework's routing: outside of it there is only middleware."""
    return frame[3].get("__name__") in _ROUTING


def as_exchange(record: LiveExchange, user: UserCode) -> Exchange:
    """The record as a frozen value, with what only the framework or a traceback can tell."""
    remains = record.remains or _remains(record, _sent(record))  # a request may be under way when the test ends
    entered = reached.entered(record)
    return record.value(
        entered=entered,
        error=None if remains.error is None else words(remains.error, user),
        tasks=background_tasks.values(record, user),
        raised=None if remains.raised is None else words(remains.raised, user),
        framework=_starlette_version() if remains.of_starlette else None,
        left=tuple(_left(record, user)),
        defined=_defined_at(remains, user),
        answered=_answerer(record, user) if entered is False else None,
    )


def _answerer(record: LiveExchange, user: UserCode) -> Answerer | None:
    from pytest_noblock.engine.frameworks.answerer import answerer  # most requests reach their endpoint

    return answerer(record, user)


def _left(record: LiveExchange, user: UserCode) -> Iterator[Left]:
    for ending, frames in record.left:
        frame = user_line(frames, user)
        if frame is not None:
            yield Left(ending, frame)


def _starlette_version() -> str | None:
    version: str | None = getattr(sys.modules.get("starlette"), "__version__", None)
    return version


def patches(join: background_tasks.Join) -> Iterator[Patch]:
    """What is patched in Starlette and FastAPI while requests are observed."""
    if attribute("fastapi.routing", "run_endpoint_function") is not None:
        yield Patch(sys.modules["fastapi.routing"], "run_endpoint_function", _noting_endpoint)
    yield from reached.patches()
    yield from background_tasks.patches(join)


def _noting_endpoint(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Note in the record that FastAPI calls the endpoint, and how that ends: a 422 never gets there."""

    async def run_endpoint_function(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        record = CURRENT.get()
        if record is None:
            return await original(**kwargs)
        inside = None
        if record.task is not None:  # in a watched test nobody waits for the function inside a decorated one
            inside = reached.begins(record, getattr(kwargs.get("dependant"), "call", None))
        try:
            answer = await original(**kwargs)
        except BaseException as error:
            reached.ends(record, getattr(kwargs.get("dependant"), "call", None), inside, error)
            record.raised, record.raised_at = error, error.__traceback__
            raise
        if inside is None:
            record.entered = True
        else:
            reached.ends(record, getattr(kwargs.get("dependant"), "call", None), inside)
        if type(answer) is not dict and _has_background(answer):
            record.own_background = True
        return answer

    return run_endpoint_function


def _has_background(answer: object) -> bool:
    try:
        return getattr(answer, "background", None) is not None
    except Exception:  # noqa: BLE001  # a property of what the endpoint returned
        return False


def _module(thing: object) -> str:
    module = getattr(thing, "__module__", None)
    return module if isinstance(module, str) else type(thing).__module__

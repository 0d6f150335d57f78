"""Where a blamed line runs: pure functions of its stack. `calls.callers` has the names of the frameworks' functions."""

import itertools
import sys
from collections.abc import Sequence
from typing import NamedTuple, assert_never

from pytest_noblock.calls import callers, known, used, written
from pytest_noblock.judge import implied
from pytest_noblock.model.frames import Frame, Stack
from pytest_noblock.model.observation import WEBSOCKET, Exchange, Phase
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.where import ROLES, Role, Used, Where

_OURS = "pytest_noblock"
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>")
"""Frames of their own up to Python 3.11; an `await` may stand in them as in the function around them."""

_STEPS_INTO = ("contextlib", "functools", "fastapi.concurrency")
"""Modules whose functions call the thing only as their caller told them to. A `ContextDecorator`'s function `inner`
awaits what it is around."""


class _Called(NamedTuple):
    """The user's function that somebody else calls, and who that is."""

    at: int
    """The function's place on the way out."""
    role: Role | None
    direct: bool = False
    """Whether nothing lies between the function and its caller that could have called it otherwise."""
    library: str | None = None


def where(stall: Stall) -> Where:
    """Where the line of a stall runs."""
    place, exchange = stall.place, stall.exchange
    out = _way_out(place)
    if not out:
        return _of_library(stall)
    called = _called(out, exchange, stall.phase)
    at = _coroutine(out)
    held = called if at is None else _called(out[at:], exchange, stall.phase)
    caller = called.at if at is None else at
    callee = out[caller - 1] if caller else None
    how, runs = implied.implied(out, caller, is_thing=at is None)
    exits = implied.exits(place.stack, out[caller])
    return Where(
        role=called.role,
        thing=out[called.at],
        line=out[0],
        coroutine=None if at is None else out[at],
        held_by=held.role,
        called=None if callee is None or how is not None else implied.callee_of(out[caller], callee),
        between=implied.between(out[: caller + 1]) if caller else (),
        implied="exit stack" if exits else how,
        callee=runs,
        exits=exits,
        block_awaits=(bool(exits) or how == "context manager")
        and written.block_awaits(out[caller].file, out[caller].line),
        used=_used(place),
        imports=out[0].call is None and written.imports(out[0].file, out[0].line),
        iterated=callee is not None and callee.form == "generator" and callee.function.isidentifier(),
        importable=callee is not None and _importable(callee),
        plain_def=at is not None and not held.at and held.direct and _may_be_plain(out[at], held.role),
        library=called.library,
        endpoint=_endpoint(exchange),
        endpoint_is_async=_is_async(exchange),
        validates_answer=_validates_answer(place.stack),
        pickles=_pickles(place.stack),
    )


def _of_library(stall: Stall) -> Where:
    """No line of the user's was seen. A function in C that the loop itself called is a callback.

    uvloop calls it from no frame. What the app runs of a coroutine has one.
    """
    place, exchange = stall.place, stall.exchange
    stdlib = all(_package(each) in (*sys.stdlib_module_names, _OURS) for each in place.stack)
    of_uvloop = stall.phase is Phase.APP and not place.stack
    is_callback = of_uvloop or (stdlib and any(each.module == "asyncio.events" for each in place.stack))
    from_thread = any((each.module, each.function) == callers.FROM_THREAD for each in place.stack)
    return Where(
        role="call from a thread" if from_thread else "loop callback" if is_callback else None,
        line=place.frame if is_callback else None,
        middleware=_middleware(place.stack),
        served=_served(stall),
        endpoint=_endpoint(exchange),
        endpoint_is_async=_is_async(exchange),
        validates_answer=_validates_answer(place.stack),
        pickles=_pickles(place.stack),
    )


def _served(stall: Stall) -> str:
    """What of the app a library's function ran for, the nearest first."""
    middleware = _middleware(stall.place.stack)
    if middleware is not None:
        return f"the middleware `{middleware}`"
    exchange = stall.exchange
    match stall.phase:
        case Phase.APP:
            return "the app itself"
        case Phase.LIFESPAN:
            return "the app's lifespan"
        case Phase.BACKGROUND:
            return f"a background task of {exchange.request}"
        case Phase.DETACHED:
            return f"what {exchange.request} left behind"
        case Phase.HANDLER:
            return f"the endpoint `{_endpoint(exchange)}`" if exchange.endpoint else exchange.request
        case _:
            assert_never(stall.phase)


def _middleware(stack: Stack) -> str | None:
    """The middleware of a library that the line ran in: the ASGI app that is met before any routing."""
    frames = [frame for frame in stack if _package(frame) != _OURS]
    at = next((at for at, each in enumerate(frames) if each.asgi or _is_routing(each)), None)
    if at is None or _is_routing(frames[at]) or frames[at].module in callers.ALWAYS_THERE:
        return None
    if at + 1 < len(frames) and (frames[at + 1].module, frames[at + 1].function) in callers.CUSTOM_ROUTES:
        return None  # an app that a route leads to
    if frames[at].module == callers.BASE_MIDDLEWARE:
        return _owner(frames[at - 1]) if at else None
    same = (_owner(each) for each in frames[at:] if each.asgi and each.module == frames[at].module)
    return next((name for name in same if not name.startswith("_")), _owner(frames[at]))


def _used(place: BlamedLine) -> Used | None:
    frame = place.frame
    call = place.call or (frame.call if frame else None)
    return used.used(frame.file, frame.line, call) if frame is not None and call else None


def _is_routing(frame: Frame) -> bool:
    return (frame.module or "").endswith(".routing")


def _owner(frame: Frame) -> str:
    """The class of a method, the function around a closure; else the function."""
    return (frame.qualname or frame.function).partition(".")[0]


def _way_out(place: BlamedLine) -> list[Frame]:
    """The blamed frame and those further out, without ours, and without comprehensions of the user's."""
    stack = place.stack
    at = next((at for at, each in enumerate(stack) if _is_at(each, place.frame)), None)
    if at is None:
        return []
    line, *outer = stack[at:]
    if line.function in _COMPREHENSIONS and outer and outer[0].user:
        line, *outer = outer
    kept = (each for each in outer if not (_package(each) == _OURS or each.function in _COMPREHENSIONS))
    return [line, *(each._replace(user=each.user and not callers.is_library(each.module or "")) for each in kept)]


def _is_at(frame: Frame, blamed: Frame | None) -> bool:
    return blamed is not None and frame[:3] == blamed[:3]


def _called(out: Sequence[Frame], exchange: Exchange, phase: Phase) -> _Called:
    """The first function of the user's, going out, whose caller's business is known."""
    thing, direct, library, ended = 0, True, None, False
    for at, frame in enumerate(out):
        if frame.user:
            if at and (role := _between_users(out[thing], frame)) is not None:
                return _Called(thing, role)
            thing, direct, library, ended = at, True, None, frame.asgi
        elif ended:
            break
        else:
            role = _role(out, thing, at, exchange)
            if role is not None and not (library and not out[thing].may_await):
                return _Called(thing, _of_plain(out[thing], role), direct)
            passed = _package(frame) in callers.PASSED or frame.module in _STEPS_INTO
            direct = direct and frame.module in _STEPS_INTO and frame.function != "inner"
            library = library or (None if passed else _package(frame))
    return _outermost(out, thing, library, phase)


def _between_users(thing: Frame, caller: Frame) -> Role | None:
    if caller.form == "template" and thing.form != "template":
        return "template"
    return "middleware" if thing.asgi and thing.form == "async def" else None


def _role(out: Sequence[Frame], thing: int, at: int, exchange: Exchange) -> Role | None:
    """What the thing is to the frame `at`, which is further out and not the user's."""
    module, function = out[at].module or "", out[at].function
    role = callers.role_of(module, function)
    if role == "dependency" or (role == "path operation" and module == "fastapi.routing"):
        unwinding = any((each.module, each.function) == callers.TEARDOWN for each in out[thing:at])
        role = "dependency teardown" if unwinding else role
    if role == "path operation" and exchange.method == WEBSOCKET:
        return "websocket"
    return role


def _of_plain(thing: Frame, role: Role) -> Role:
    """A plain def that runs on the loop is not what FastAPI would have taken to a thread."""
    if thing.may_await or not ROLES[role].in_thread:
        return role
    return "response render" if thing.function in ("__init__", "render") else "library callback"


def _outermost(out: Sequence[Frame], thing: int, library: str | None, phase: Phase) -> _Called:
    """What nobody in the table calls: an ASGI app, a task, or a callback."""
    frame = out[thing]
    if frame.form is None:
        return _Called(thing, None)
    if frame.asgi and frame.form == "async def":
        caller = next((each for each in out[thing + 1 :]), None)
        routed = caller is None or (caller.module, caller.function) in callers.CUSTOM_ROUTES
        return _Called(thing, "ASGI app" if routed else "middleware")
    if phase is Phase.LIFESPAN:
        return _Called(thing, "lifespan", direct=True)
    if frame.form == "template":
        return _Called(thing, "template")
    if frame.may_await:
        return _Called(thing, "task")
    return _Called(thing, "library callback" if library else "loop callback", library=library)


def _coroutine(out: Sequence[Frame]) -> int | None:
    """The nearest coroutine's place on the way out; None where that is a library's. An exit stack only hands on."""
    at = next((at for at, each in enumerate(out) if each.may_await and each.module != "contextlib"), None)
    return at if at is not None and out[at].user else None


def _importable(frame: Frame) -> bool:
    return frame.qualname == frame.function and frame.function.isidentifier() and frame.form == "def"


def _may_be_plain(thing: Frame, role: Role | None) -> bool:
    if role is None or not ROLES[role].in_thread or thing.function == "__anext__":
        return False
    return not written.awaits(thing.file, thing.line, thing.function)


def _package(frame: Frame) -> str:
    return (frame.module or "").partition(".")[0]


def _endpoint(exchange: Exchange) -> str | None:
    return exchange.endpoint.rpartition(".")[2] if exchange.endpoint else None


def _is_async(exchange: Exchange) -> bool:
    return exchange.defined is not None and exchange.defined.form in ("async def", "async generator")


def _pickles(stack: Stack) -> bool:
    """Whether the frames further in than the first of the user's do."""
    inner = itertools.takewhile(lambda frame: not frame.user, stack)
    return any(known.pickles(frame.module or "") for frame in inner)


def _validates_answer(stack: Stack) -> bool:
    """FastAPI validates an answer in a call of its own, and serializes it in another."""
    outer = [(each.module, each.function) for each in stack]
    if callers.ANSWER not in outer:
        return False
    inside = stack[: outer.index(callers.ANSWER)]
    return any(callers.role_of(each.module or "", each.function) == "validator" for each in inside)

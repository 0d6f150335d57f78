"""What replaces a call, put where its line runs: pure functions.

An `await` stands in an `async def` only, and a plain `def` leaves the loop only where its caller runs it in a thread.
"""

import re
import sys
from collections.abc import Iterator

from pytest_noblock.judge import implied
from pytest_noblock.judge.remedy import Remedy, named
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.where import ROLES, Where

_LOOP = "asyncio.get_running_loop()"
_EXECUTOR = f"{_LOOP}.run_in_executor"
_SLEEP = "time.sleep"
PROCESS = "a process: await anyio.to_process.run_sync"
IF_SMALL = "if what it takes and returns is small"
IF_SENT = f"{IF_SMALL} and can be pickled"
_SMALLER = "smaller pieces"
_BETWEEN_THEM = "with await asyncio.sleep(0) between them"


def ways(remedy: Remedy, where: Where) -> Iterator[str]:
    """The ways out, the best first, as they are written where the line runs."""
    if where.role == "span processor":
        yield "BatchSpanProcessor in the place of SimpleSpanProcessor: it exports in a thread of its own"
    elif where.role == "logging handler" and not (where.thing and implied.is_special(where.thing)):
        yield f"a logging.handlers.QueueHandler: its QueueListener calls {named(where.thing)} in a thread of its own"
    elif where.role == "call from a thread":
        yield from _from_thread(remedy, where)
    elif where.role == "import" or where.imports:
        yield from _imported(where)
    elif where.here or (where.line is None and where.role != "loop callback"):
        yield from implied.ways(remedy, where, "") if where.implied == "exit stack" else remedy.ways
    elif where.coroutine is not None:
        yield from _moved(remedy, where, where.coroutine)
    else:
        yield from _without_coroutine(remedy, where)
    if remedy.in_thread:
        yield plain_def(where)


def plain_def(where: Where) -> str:
    """That the coroutine becomes a plain `def`; empty where that does not move it off the loop."""
    if not where.plain_def or where.held_by is None:
        return answer_validated_in_thread(where)
    if where.held_by == "response stream":
        return f"make the generator {named(where.coroutine)} a plain def: a sync generator is iterated in a thread"
    what = ROLES[where.held_by].noun
    own = where.here and where.held_by in ("path operation", "background task")  # `by` names it in the same report
    return f"make the {what} a plain def" if own else f"make the {what} {named(where.coroutine)} a plain def"


def in_library(remedy: Remedy, middleware: str) -> str:
    """The call is a library's own: the user has no line to change, but the choice of the middleware."""
    told = remedy.instead.startswith("await ")  # it says where to await, too
    awaited = f" ({remedy.instead})" if remedy.instead and not told else ""
    other = f"another middleware in the place of `{middleware}`, one that awaits{awaited} or waits in a thread"
    return ", or ".join((*remedy.anywhere, *([remedy.instead] if told else []), other))


def answer_validated_in_thread(where: Where) -> str:
    if not (where.validates_answer and where.endpoint_is_async and where.endpoint):
        return ""
    return f"make the endpoint `{where.endpoint}` a plain def: FastAPI then validates its answer in a thread"


def _moved(remedy: Remedy, where: Where, to: Frame) -> Iterator[str]:
    """The line stands in a plain function: what a coroutine calls is moved, at the line where it calls it."""
    at = f"at {to.file}:{to.line}"
    yield from remedy.anywhere
    if where.implied is not None and not (remedy.pieces and where.implied == "operator"):
        yield from implied.ways(remedy, where, f"{to.file}:{to.line}")
        return
    if remedy.pieces:
        if remedy.process:
            called = f"{where.called}, " if where.called and where.importable else ""
            yield f"{PROCESS}({called}...) {at}, {IF_SENT}"
        yield f"{_SMALLER} {at}, {_BETWEEN_THEM}"
        return
    if where.iterated:
        yield from _iterated(remedy, where, at)
        return
    if remedy.thread:
        moved = remedy.thread.replace("{call}, ...", f"{where.called}, ..." if where.called else "...")
        put, around, what = moved.partition(" around ")
        yield f"{put} {at}{around}{what}{remedy.aside}"
    if remedy.instead and where.between:
        names = [f"`{name}`" for name in where.between]
        what = f"an async def {names[0]}" if len(names) == 1 else f"async defs {' and '.join(names)}"
        yield f"{what} with {remedy.instead}, awaited there"


def _iterated(remedy: Remedy, where: Where, at: str) -> Iterator[str]:
    """A coroutine reads a generator, whose body runs on the loop for each item."""
    made = f"{where.called}(...)" if where.called else "the generator"
    if remedy.thread:
        yield f"await asyncio.to_thread(next, items, None) for each item {at}, with items = {made}"
    if remedy.instead and where.between and len(where.between) == 1:
        yield f"an async def `{where.between[0]}` with {remedy.instead}, read there by async for"


def _without_coroutine(remedy: Remedy, where: Where) -> Iterator[str]:
    """A plain function that a framework, a library or the loop itself calls on the loop."""
    role, thing = where.role, where.thing
    if role in ("validator", "serializer"):
        yield _out_of_model(remedy, where)
    elif role == "response render":
        yield _rendered_by_endpoint(remedy, where)
    elif role == "greenlet":
        out = f"take it out of {named(thing)}, which a greenlet runs"
        yield f"{out}: in the coroutine that awaits run_sync write {', or '.join(remedy.ways)}"
    elif where.implied == "finalizer" or (thing is not None and implied.is_special(thing)):
        yield from _never_awaited(remedy, where)
    elif role is not None and ROLES[role].may_be_async:
        yield _as_async(remedy, where)
    elif role in ("library callback", "loop callback"):
        yield from _called_back(remedy, where)
    else:
        yield from remedy.anywhere or remedy.ways


def _never_awaited(remedy: Remedy, where: Where) -> Iterator[str]:
    if where.implied == "finalizer":
        yield from implied.ways(remedy, where, "")
    else:
        yield f"take it out of {named(where.thing)}, which nobody can await"


def _called_back(remedy: Remedy, where: Where) -> Iterator[str]:
    if where.role == "library callback" and where.library is None:
        yield _out_of_model(remedy, where)
        return
    if where.library in sys.stdlib_module_names:
        yield f"take it out of {named(where.thing)}, which {where.library} calls and does not await"
        yield f"{_started(remedy)}, if {where.library} needs no value of it"
        return
    if where.role == "library callback":
        yield f"an async def in the place of {named(where.thing)}, if {where.library} awaits one"
        yield f"{_started(remedy)}, if {where.library} needs no value of it"
        return
    in_callback = remedy.call == _SLEEP or (remedy.pieces and not remedy.process)
    yield _started(remedy) + ("" if in_callback else ", which nobody waits for")
    if remedy.instead:
        yield f"asyncio.create_task(...) of an async def with {remedy.instead}"


def _as_async(remedy: Remedy, where: Where) -> str:
    thing = where.thing
    inside = where.line is thing or thing is None
    ways = ", or ".join(remedy.ways if inside or thing is None else _moved(remedy, where, thing))
    noun = ROLES[where.role].noun if where.role else ""
    return f"make the {noun} {named(thing)} an async def with {ways}"


def _out_of_model(remedy: Remedy, where: Where) -> str:
    noun = ROLES[where.role].noun if where.role else ""
    out = f"take it out of the {noun} {named(where.thing)}"
    if where.endpoint is None:
        return f"{out}, into the function that makes the model: there {', or '.join(remedy.ways)}"
    if where.endpoint_is_async or remedy.pieces:
        made = "" if where.endpoint_is_async else ", made an async def,"
        return f"{out}: in the endpoint `{where.endpoint}`{made} write {', or '.join(remedy.ways)}"
    return f"{out}, and make the call in the endpoint `{where.endpoint}`: a plain def runs in a thread"


def _rendered_by_endpoint(remedy: Remedy, where: Where) -> str:
    made = (where.thing.qualname if where.thing else "") or ""
    name = made.rpartition("<locals>.")[2].partition(".")[0]
    endpoint = f"the endpoint `{where.endpoint}`" if where.endpoint else "the endpoint"
    if remedy.process:
        return f"a Response of bytes that {endpoint} gets by {', or '.join(remedy.ways)}"
    if remedy.pieces:
        return ", or ".join((*remedy.anywhere, f"a StreamingResponse from {endpoint} that yields it in pieces"))
    if where.endpoint_is_async:
        return f"return await asyncio.to_thread({name}, ...) from {endpoint}: it is rendered in a thread"
    return f"return {name}(...) from {endpoint}: a plain def renders it in its thread"


def _from_thread(remedy: Remedy, where: Where) -> Iterator[str]:
    """A thread had the loop make the call, by `anyio.from_thread.run_sync`, and waits for it."""
    through = "anyio.from_thread.run_sync"
    what = remedy.call if where.thing is None else named(where.thing).strip("`")
    yield f"{what or 'the call'} in the thread itself, without {through}"
    awaited = re.fullmatch(r"await ([\w.]+)\(\.\.\.\)", remedy.instead)
    if where.thing is None and awaited is not None:
        yield f"anyio.from_thread.run({awaited[1]}, ...) in the place of {through}"
    elif remedy.instead and where.thing is not None and where.line is where.thing and what.isidentifier():
        yield f"anyio.from_thread.run({what}, ...) of an async def `{what}` with {remedy.instead}"


def _imported(where: Where) -> Iterator[str]:
    """A module's top level runs where it is imported for the first time, and wherever it is loaded anew."""
    yield "import the module once, at start-up (an import at the top of the app's module), and not in a request"
    if where.role == "import":
        yield "take the call out of the top level of the module, into a function that start-up (lifespan) calls"


def _started(remedy: Remedy) -> str:
    """What a callback starts, and does not wait for: nobody awaits what it returns."""
    if remedy.call == _SLEEP:
        return f"{_LOOP}.call_later(seconds, f), with what comes after the sleep in f"
    if remedy.process:
        return f"{_EXECUTOR}(PROCESSES, ...), with one PROCESSES = concurrent.futures.ProcessPoolExecutor()"
    if remedy.pieces:
        return ", or ".join((*remedy.anywhere, "smaller pieces, each in a callback of its own (call_soon)"))
    return f"{_EXECUTOR}(None, {remedy.call + ', ' if remedy.call else ''}...)"

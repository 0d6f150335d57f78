"""What to write instead of a blocking call. `calls/tables/` has the facts, `judge/placed.py` puts it where it runs.

The answer depends on the kind. A call that waits can be awaited, or made in a thread. A call
that computes and keeps the GIL stops the loop from a thread as well: see `judge/computing.py`.
"""

import re
from collections.abc import Iterator
from typing import assert_never

from pytest_noblock.calls.known import IN_THREAD, Entry, entry_of, is_async
from pytest_noblock.calls.tables.computations import PICKLED
from pytest_noblock.judge import computing, placed
from pytest_noblock.judge.moved import as_in_code, filled, with_answer, written
from pytest_noblock.judge.remedy import Remedy
from pytest_noblock.model.kinds import KINDS, Kind, TaskKind
from pytest_noblock.model.where import Where

_NOTHING = Entry("", "")
_HANDS_TO_PROCESS = re.compile(r"\bto_process\.run_sync\(")
"""In a line of code: the line computes only where it pickles; counters at lines see no function further in."""
_OWN_LIMITER = "a limiter of its own, made once (LIMITER = anyio.CapacityLimiter(n)): "
_WITH_LIMITER = "await anyio.to_thread.run_sync(..., limiter=LIMITER)"


def replacement(
    call: str | None,
    kind: Kind,
    *,
    where: Where | None = None,
    code: str | None = None,
    by_framework: bool = False,
    held: str | None = None,
) -> str:
    """What to write instead, as text to read: the async way first, then a thread or process where that helps.

    `where`: where the line runs; None leaves out the ways that depend on it. `code`: the line that makes the
    call; the text uses the client's name of that line. `by_framework`: no line of the user's makes the call.
    `held`: what a probe waited for, `asyncio.Lock`; for `contention`.
    """
    if kind in ("cpu", "gil") and ((where is not None and where.pickles) or _HANDS_TO_PROCESS.search(code or "")):
        return PICKLED
    by_framework = by_framework and not _is_told_where(call, kind, where)
    if by_framework and kind == "cpu":
        return computing.by_framework(call)  # nobody can move it to a thread
    ways = tuple(each for each in _ways(call, kind, where, held) if each)
    if where is not None and where.middleware and kind in ("sync-network", "sync-io"):
        return placed.in_library(_remedy(call, kind, ways), where.middleware)
    if where is None or by_framework or not KINDS[kind].on_loop:
        return as_in_code(_joined(*ways), call, code)
    text = _joined(*placed.ways(_remedy(call, kind, ways), where))
    return as_in_code(with_answer(text, call, where.used), call, code)


def _is_told_where(call: str | None, kind: Kind, where: Where | None) -> bool:
    """Whether the stack, in which no line of the user's was seen, tells all the same who made the call."""
    role = where.role if where is not None else None
    return role == "call from a thread" or (role == "loop callback" and (kind != "cpu" or call is not None))


def _joined(*ways: str) -> str:
    return ", or ".join(way for way in ways if way)


def _remedy(call: str | None, kind: Kind, ways: tuple[str, ...]) -> Remedy:
    """What replaces the call, in pieces that `placed` puts where the line runs."""
    entry = entry_of(call) or _NOTHING
    computes = kind == "cpu" and not helps_plain_def(kind, call)
    anywhere, instead = _apart(call, ways, computes=computes)
    return Remedy(
        ways=ways,
        anywhere=anywhere,
        instead=instead,
        thread="" if computes or (entry.says_all and not entry.hands_over) else _thread(call),
        pieces=computes and not entry.says_all,
        process=computes and not (entry.says_all or entry.of_data),
        call=written(call) if call else "",
        aside=computing.aside(entry) if kind == "cpu" else "",
        in_thread=helps_plain_def(kind, call),
    )


_STANDS_ALONE = ("a ", "an answer", "an async library", "one ", "options(")
"""How the texts of `calls.tables` begin that name no call to await."""


def _apart(call: str | None, ways: tuple[str, ...], *, computes: bool) -> tuple[tuple[str, ...], str]:
    """The ways that may be written anywhere, and the one that is awaited."""
    entry = entry_of(call)
    if entry is not None and entry.says_all:
        return (entry.instead,), ""
    if computes or (entry is not None and entry.cpu):
        return tuple(each for each in ways if "await " not in each), ""
    first = ways[0] if ways and "to_thread" not in ways[0] else ""
    return ((first,), "") if first.startswith(_STANDS_ALONE) else ((), first)


def _thread(call: str | None) -> str:
    """How the call is moved to a thread, with `{call}` for what is moved."""
    entry = entry_of(call)
    return IN_THREAD if entry is None or not entry.thread else entry.thread


def helps_plain_def(kind: Kind, call: str | None = None) -> bool:
    """Whether a plain `def`, which Starlette runs in a thread, keeps the loop free."""
    match kind:
        case "sync-network" | "sync-io":
            return True
        case "cpu":
            entry = entry_of(call)
            return entry is not None and (entry.frees_gil or entry.hands_over or not entry.cpu)
        case "gil" | "pool-starved" | "contention" | "loop-total":
            return False
        case "background-early" | "background-lost" | "background-missing" | "background-failed" | "background-order":
            return False
        case _:
            assert_never(kind)


def _ways(call: str | None, kind: Kind, where: Where | None, held: str | None) -> Iterator[str]:
    """The ways out, the best first. An empty text stands for a way that this call does not have."""
    match kind:
        case "sync-network":
            yield from _ways_to_await(call)
        case "sync-io":
            yield from _ways_to_wait(call)
        case "cpu":
            yield from computing.on_loop(call)
        case "gil":
            yield from computing.keeping_the_gil(call, here=where is not None and where.here)
        case "pool-starved":
            yield from _ways_to_spare_threads(call, where)
        case "contention":
            yield from _ways_to_share((held or "").rpartition(".")[2])
        case "loop-total":
            yield "fewer or smaller pieces on the loop: await what waits, and let a thread or a process do the rest"
        case _:
            yield from _ways_for_tasks(kind)


_OUT_OF_BLOCK = "move this await out of the block that holds the {}, before or behind it"


def _ways_to_share(held: str) -> Iterator[str]:
    """By the class of what a probe waited for."""
    if "Pool" in held:
        yield "give the connection back before this await, or take it after"
        yield "make the pool larger"
    elif "Semaphore" in held or "Limiter" in held:
        yield _OUT_OF_BLOCK.format(held)
        yield f"a {held} that lets more in"
    elif "Lock" in held or "Condition" in held:
        yield _OUT_OF_BLOCK.format(held)
        yield "one for each thing that it guards (a user, a row) in the place of one for all"
    else:
        yield "let go of it sooner: await nothing else while others wait for it"


def _ways_for_tasks(kind: TaskKind) -> tuple[str, ...]:
    match kind:
        case "background-early":
            return ("hand the task to the response and return; do not await it",)
        case "background-lost":
            return "add the task to what is returned", "do its work before the exception"
        case "background-missing":
            return ("add it in the path operation, a dependency, or the returned Response",)
        case "background-failed":
            return ("handle the exception in the task",)
        case "background-order":
            return ("add the tasks in the order in which they must run",)
        case _:
            assert_never(kind)


def _ways_to_await(call: str | None) -> Iterator[str]:
    if entry_of(call) is None and not _is_async_call(call):
        yield "an async client of that service"
    yield from _ways_to_wait(call)


def _ways_to_wait(call: str | None) -> Iterator[str]:
    entry = entry_of(call)
    if _is_async_call(call) and entry is None:
        yield "an async library that awaits all the way: this one blocks inside"
    elif entry is None:
        yield filled(IN_THREAD, call, "")
    else:
        yield "" if entry.cpu and entry.thread else filled(entry.instead, call, entry.prefix)
        yield filled(entry.thread, call, entry.prefix)


def _ways_to_spare_threads(call: str | None, where: Where | None) -> Iterator[str]:
    """An endpoint that is an async def already is not told to become one."""
    is_async = where is not None and (where.here or where.endpoint_is_async)
    entry = entry_of(call)
    instead = filled(entry.instead, call, entry.prefix) if entry is not None and not entry.cpu else ""
    if "Client()." in instead:
        instead += " of one client for all requests"  # to make one takes 20 ms on the loop: certificates are loaded
    if instead:
        yield f"{'' if is_async else 'an async def with '}{instead}, which takes no thread of the pool"
    yield _OWN_LIMITER + ("" if is_async else "in an async def ") + _WITH_LIMITER


def _is_async_call(call: str | None) -> bool:
    return call is not None and "." in call and is_async(call)

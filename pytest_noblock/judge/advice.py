"""What to write instead of a blocking call. `calls/table.py` has its facts, `judge/placed.py` puts it where it runs.

The answer depends on the kind. A call that waits can be awaited, or made in a thread. A call
that computes and keeps the GIL stops the loop from a thread as well: it needs a process.
"""

import re
from collections.abc import Iterator
from typing import assert_never

from pytest_noblock.calls.known import IN_THREAD, KNOWN_MODULES, TABLE, Entry, entry_of, is_async, known, served
from pytest_noblock.judge import placed
from pytest_noblock.judge.placed import Remedy
from pytest_noblock.model.kinds import KINDS, Kind, TaskKind
from pytest_noblock.model.where import Where

_CLASS = re.compile(r"^(?:cursor|connection|socket)$|(?:[A-Z][a-z0-9_]+|[A-Z]+[0-9]*)$")
"""Matches the name of a class. It yields the last word of `PoolManager`, `Manager`, and the classes that begin with a
small letter."""
_UNKNOWN = Entry("", "")
_SMALLER = "smaller pieces with await asyncio.sleep(0) between them"
_OWN_LIMITER = (
    "a limiter of its own, made once (LIMITER = anyio.CapacityLimiter(n)): in an async def"
    " await anyio.to_thread.run_sync(..., limiter=LIMITER)"
)


def replacement(
    call: str | None,
    kind: Kind,
    *,
    where: Where | None = None,
    code: str | None = None,
    by_framework: bool = False,
) -> str:
    """What to write instead, as text to read: the async way first, then a thread or process where that helps.

    `where`: where the line runs; None leaves out the ways that depend on it. `code`: the line that makes the
    call; the text uses the client's name of that line. `by_framework`: no line of the user's makes the call.
    """
    if by_framework and kind == "cpu" and not (entry_of(call) or _UNKNOWN).says_all:
        return _of_framework(call)  # a thread would keep the GIL all the while
    ways = tuple(each for each in _ways(call, kind) if each)
    if where is not None and where.middleware and kind in ("sync-network", "sync-io"):
        return placed.in_library(_remedy(call, kind, ways), where.middleware)
    if where is None or by_framework or not KINDS[kind].on_loop:
        return _as_written(_joined(*ways), call, code)
    text = _joined(*placed.ways(_remedy(call, kind, ways), where))
    return _as_written(text, call, code)


def _joined(*ways: str) -> str:
    return ", or ".join(way for way in ways if way)


def _remedy(call: str | None, kind: Kind, ways: tuple[str, ...]) -> Remedy:
    """What replaces the call, in pieces that `placed` puts where the line runs."""
    computes = kind == "cpu" and not (_frees_gil(call) or _hands_over(call))
    says_all = (entry_of(call) or _UNKNOWN).says_all
    anywhere, instead = _apart(call, ways, computes=computes)
    return Remedy(
        ways=ways,
        anywhere=anywhere,
        instead=instead,
        thread="" if computes or (says_all and not _hands_over(call)) else _thread(call),
        process=computes and not says_all,
        call=_callable(call) if call else "",
        frees_gil=kind == "cpu" and _frees_gil(call),
        in_thread=helps_plain_def(kind, call),
    )


_STANDS_ALONE = ("a ", "an answer", "an async library", "one ", "options(")
"""How the texts of `calls.table` begin that name no call to await."""


def _apart(call: str | None, ways: tuple[str, ...], *, computes: bool) -> tuple[tuple[str, ...], str]:
    """The ways that may be written anywhere, and the one that is awaited."""
    entry = entry_of(call)
    if entry is not None and entry.says_all:
        return (entry.instead,), ""
    if computes:
        return tuple(each for each in ways if "await " not in each), ""
    first = ways[0] if ways and "to_thread" not in ways[0] else ""
    return ((first,), "") if first.startswith(_STANDS_ALONE) else ((), first)


def _thread(call: str | None) -> str:
    """How the call is moved to a thread, with `{call}` for what is moved."""
    entry = entry_of(call)
    return IN_THREAD if entry is None or not entry.thread else entry.thread


def _of_framework(call: str | None) -> str:
    """What to do about CPU that the framework burned for the endpoint, or that no line was seen to burn."""
    if text := served(call):
        return text
    if call is not None and f"{call}.".startswith("pydantic."):
        return "fewer items in one request, or a Response of ready bytes where nothing has to be validated"
    return f"a process: await anyio.to_process.run_sync(...), or {_SMALLER}"


def helps_plain_def(kind: Kind, call: str | None = None) -> bool:
    """Whether a plain `def`, which Starlette runs in a thread, keeps the loop free."""
    match kind:
        case "sync-network" | "sync-io":
            return True
        case "cpu":
            return _frees_gil(call) or _hands_over(call)
        case "gil" | "pool-starved" | "contention" | "loop-total":
            return False
        case "background-early" | "background-lost" | "background-missing" | "background-failed" | "background-order":
            return False
        case _:
            assert_never(kind)


def _ways(call: str | None, kind: Kind) -> Iterator[str]:
    """The ways out, the best first. An empty text stands for a way that this call does not have."""
    match kind:
        case "sync-network":
            yield from _ways_to_await(call)
        case "sync-io":
            yield from _ways_to_wait(call)
        case "cpu":
            yield from _ways_to_compute(call)
        case "gil":
            yield from _ways_out_of_the_gil(call)
        case "pool-starved":
            yield from _ways_to_spare_threads(call)
        case "contention":
            yield "hold it only around what needs it, and await nothing else meanwhile"
            yield "make the pool larger, where it is one"
        case "loop-total":
            yield "fewer or smaller pieces on the loop: await what waits, and let a thread or a process do the rest"
        case _:
            yield from _ways_for_tasks(kind)


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


def _as_written(text: str, call: str | None, code: str | None) -> str:
    made = _callable(call) if call else ""
    method = made.rpartition(".")[2]
    written = re.findall(rf"(?<![\w.)\]])((?:[^\W\d]\w*\.)*{method})\(", code or "") if method.isidentifier() else []
    return text.replace(f"({made}, ...)", f"({written[0]}, ...)") if len(set(written)) == 1 else text


def _ways_to_await(call: str | None) -> Iterator[str]:
    if entry_of(call) is None and not _is_async_call(call):
        yield "an async client of that service"
    yield from _ways_to_wait(call)


def _ways_to_wait(call: str | None) -> Iterator[str]:
    entry = entry_of(call)
    if _is_async_call(call) and entry is None:
        yield "an async library that awaits all the way: this one blocks inside"
    elif entry is None:
        yield _filled(IN_THREAD, call, "")
    else:
        yield "" if entry.cpu else _filled(entry.instead, call, entry.prefix)
        yield _filled(entry.thread, call, entry.prefix)


def _ways_to_compute(call: str | None) -> Iterator[str]:
    entry = entry_of(call)
    if entry is not None and entry.says_all:
        yield entry.instead
        return
    if entry is not None and entry.frees_gil:
        yield "" if entry.cpu else _filled(entry.instead, call, entry.prefix)
        yield _filled(entry.thread, call, entry.prefix) + (", which lets go of the GIL" if entry.cpu else "")
        return
    if _makes_client(call):
        yield "one client made at start-up (lifespan) and shared"
    yield entry.instead if entry is not None and entry.cpu else ""
    yield _in_process(call)
    yield _SMALLER


def _ways_out_of_the_gil(call: str | None) -> Iterator[str]:
    entry = entry_of(call)
    if entry is not None and entry.only_here:
        yield entry.instead
        return
    yield entry.instead if entry is not None and entry.cpu and not entry.says_all else ""
    yield _in_process(call).replace(":", ", from a coroutine:", 1)  # the line itself runs in a thread
    yield "smaller pieces: the GIL is kept until each returns"


def _ways_to_spare_threads(call: str | None) -> Iterator[str]:
    entry = entry_of(call)
    instead = _filled(entry.instead, call, entry.prefix) if entry is not None and not entry.cpu else ""
    client = instead.partition("(")[0]
    made_once = f" ({client} made once, in the lifespan, and shared: to make one holds the loop)"
    shared = made_once if f"{client}()." in instead and _makes_client(client) else ""
    yield f"an async def with {instead}{shared}, which takes no thread of the pool" if instead else ""
    yield _OWN_LIMITER


_UNSENDABLE = ("re.", "regex.")
"""What they return, a match or a pattern's iterator, cannot be pickled: no process sends it back."""


def _in_process(call: str | None) -> str:
    entry = entry_of(call)
    known_call = call is not None and entry is not None and entry.cpu and not re.search(r"[A-Z(\[]", call)
    by_itself = known_call and not (call or "").startswith(_UNSENDABLE)
    return f"a process: await anyio.to_process.run_sync({f'{call}, ...' if by_itself else '...'})"


def _makes_client(call: str | None) -> bool:
    """Whether the call makes a client of a network package. To make one loads certificates: tens of milliseconds."""
    package, _, rest = (call or "").partition(".")
    made = rest.rpartition(".")[2][:1].isupper() or ("." not in rest and known(call) is not None)
    return made and any(entry.network and entry.prefix.partition(".")[0] == package for entry in TABLE.values())


def _frees_gil(call: str | None) -> bool:
    entry = entry_of(call)
    return entry is not None and entry.frees_gil


def _hands_over(call: str | None) -> bool:
    entry = entry_of(call)
    return entry is not None and entry.hands_over


def _filled(template: str, call: str | None, prefix: str) -> str:
    method = _method(call or "", prefix)
    text = template.replace("{name}", method) if method else re.sub(r"\.\{name\}| \(.*\{name\}.*\)", "", template)
    return text.replace("{call}, ...", f"{_callable(call)}, ..." if call and _callable(call) else "...")


def _method(call: str, prefix: str) -> str:
    path = call.partition("()")[0]
    name = (path if path == prefix and "." in path else path.removeprefix(prefix)).rpartition(".")[2]
    return name if name.isidentifier() and name[0].islower() else ""


def _callable(call: str) -> str:
    """The call as code writes it: `requests.get`, but `session.get` for `requests.Session.get`; empty if unknown."""
    parts = call.split(".")
    if parts[-1].startswith("__") or parts[-1].endswith(")"):
        return ""
    for at in range(len(parts) - 2, 0, -1):
        word = None if ".".join(parts[: at + 1]) in KNOWN_MODULES else _CLASS.search(parts[at])
        if word:
            variable = "client" if word[0].lower() == parts[0] and _is_network(call) else word[0].lower()
            return ".".join((variable, *parts[at + 1 :]))
    return call


def _is_network(call: str) -> bool:
    entry = entry_of(call)
    return entry is not None and entry.network


def _is_async_call(call: str | None) -> bool:
    return call is not None and "." in call and is_async(call)

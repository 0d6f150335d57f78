"""What to write instead of a computation that holds the loop, or that keeps the GIL in a thread: pure functions.

A thread helps where the call lets go of the GIL, or hands it over. A process helps where what it is given and what it
returns is small: both are pickled by this process.
"""

import re
from collections.abc import Iterator

from pytest_noblock.calls.known import TABLE, Entry, entry_of, known, served, unpickled
from pytest_noblock.judge.moved import filled, written
from pytest_noblock.judge.placed import IF_SENT, IF_SMALL, PROCESS

_NOTHING = Entry("", "")
_SMALLER = "smaller pieces with await asyncio.sleep(0) between them"
_IN_THREAD = "smaller pieces: the GIL is kept until each returns"
_IN_ONE_PIECE = ("re.", "regex.", "pow", "math.")
"""These give no result before their end: nobody can cut them into pieces."""
_ONE_CLIENT = "one client made at start-up (lifespan) and shared"
_LESS = "less in one go (a page)"
_SQLITE = "with aiosqlite, where it is SQLite that computes"


def on_loop(call: str | None) -> Iterator[str]:
    """The ways out, the best first; an empty text stands for a way that this call does not have."""
    entry = entry_of(call) or _NOTHING
    if entry.says_all:
        yield _in_thread(call, entry) if entry.hands_over else ""
        yield "" if entry.hands_over and entry.instead.startswith("a plain def") else entry.instead  # told by `placed`
    elif entry.cpu and (entry.frees_gil or entry.hands_over):
        yield entry.instead
        yield _in_thread(call, entry)
    elif entry.network:
        yield from _of_client(call, entry)
    elif entry.prefix and not entry.cpu:  # it waits, and copies what it waited for: a file out of the page cache
        yield filled(entry.instead, call, entry.prefix)
        yield filled(entry.thread, call, entry.prefix)
    elif _makes_client(call):
        yield _ONE_CLIENT
    else:
        yield entry.instead
        yield "" if entry.of_data else process(call)
        yield "" if _is_one_piece(call) else _SMALLER


def keeping_the_gil(call: str | None, *, here: bool) -> Iterator[str]:
    """The ways out for a thread that keeps the GIL: no other thread of this process helps.

    `here`: whether the line awaits that thread; else the line itself runs in it, and cannot await.
    """
    entry = entry_of(call) or _NOTHING
    if entry.only_here or (entry.says_all and not entry.hands_over):
        yield entry.instead
        return
    yield entry.instead if entry.cpu and not entry.says_all else ""
    if (entry.cpu and not (entry.of_data or entry.says_all)) or not entry.prefix:
        yield process(call) if here else process(call).replace(":", ", from a coroutine:", 1)
    yield "" if _is_one_piece(call) else _IN_THREAD


def by_framework(call: str | None) -> str:
    """What to do about CPU that the framework burned for the endpoint, or that no line was seen to burn."""
    entry = entry_of(call) or _NOTHING
    if text := served(call) or (entry.instead if entry.says_all else ""):
        return text
    if call is not None and f"{call}.".startswith("pydantic."):
        return "fewer items in one request, or a Response of ready bytes where nothing has to be validated"
    return ", or ".join(way for way in on_loop(call) if way)


def process(call: str | None) -> str:
    """A process that makes the call, by the call's name where another process can do it all by itself.

    A function of the user's makes it where nobody could pickle what the call returns, a match or an open file.
    """
    entry = entry_of(call)
    by_itself = call is not None and entry is not None and entry.cpu and not re.search(r"[A-Z(\[]", call)
    returned = unpickled(call).replace("{call}", written(call or ""))
    if returned:
        return f"{PROCESS}(f, ...), where f, a def at the top of a module, returns {returned}, which can be pickled"
    return f"{PROCESS}({call}, ...), {IF_SMALL}" if by_itself else f"{PROCESS}(...), {IF_SENT}"


def _is_one_piece(call: str | None) -> bool:
    return call is not None and call.startswith(_IN_ONE_PIECE)


def aside(entry: Entry) -> str:
    """What a thread does with the GIL that makes this call."""
    if entry.hands_over:
        return ", which hands over the GIL"
    return ", which lets go of the GIL" if entry.frees_gil else ""


def _in_thread(call: str | None, entry: Entry) -> str:
    thread = filled(entry.thread, call, entry.prefix)
    return thread + aside(entry) if thread else ""


def _of_client(call: str | None, entry: Entry) -> Iterator[str]:
    """A client computes as much where it is awaited; in a thread it hands over the GIL."""
    if _makes_client(call):
        yield _ONE_CLIENT
    yield filled(entry.thread, call, entry.prefix) or filled(entry.instead, call, entry.prefix)
    if entry.thread and entry.prefix.startswith(("sqlalchemy", "sqlmodel")):
        yield f"{entry.instead} {_SQLITE}"
    yield _LESS


def _makes_client(call: str | None) -> bool:
    """Whether the call makes a client of a network package. To make one loads certificates: tens of milliseconds."""
    package, _, rest = (call or "").partition(".")
    made = rest.rpartition(".")[2][:1].isupper() or ("." not in rest and known(call) is not None)
    return made and any(entry.network and entry.prefix.partition(".")[0] == package for entry in TABLE.values())

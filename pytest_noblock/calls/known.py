"""What is known of a call by its dotted name: whether it blocks, how, and the async way to write it.

Pure look-ups in `calls.tables`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pytest_noblock.calls.tables import computations, special_names, threads, waits

KNOWN_MODULES = frozenset(special_names.MODULES.split())
"""Dotted names of modules that look like names of classes."""
IN_THREAD = "await asyncio.to_thread({call}, ...)"
"""How most calls are moved to a thread; `{call}` is the call's name."""


class Entry(NamedTuple):
    """What is known of every name under `prefix`, by whole components."""

    prefix: str
    instead: str
    """The async way to write it; empty where there is none. `{name}` stands for the method."""
    network: bool = False
    """It makes a round trip to another process or machine."""
    cpu: bool = False
    """It computes rather than waits."""
    frees_gil: bool = False
    """It runs outside the GIL, or mostly so: in a thread it does not block the loop."""
    says_all: bool = False
    """Nothing is to be advised besides `instead`: it is a framework's work."""
    hands_over: bool = False
    """It is pure Python: in a thread it hands the GIL over every 5 ms, and does not stop the loop."""
    of_data: bool = False
    """What it takes or returns is as large as its work: to send that to a process takes as long."""
    only_here: bool = False
    """No other process can do it for this one."""
    thread: str = IN_THREAD
    """How to move it to a thread; empty where that makes no sense."""

    @property
    def blocks_anywhere(self) -> bool:
        """Whether it blocks on a fast machine, too: it waits for another machine, or as long as it is told to."""
        return self.network or self.prefix in _LONG


def known(call: str | None) -> Entry | None:
    """The entry of a call that blocks; None for what is unknown, async, or only prepares or configures."""
    entry = entry_of(call)
    return entry if call and entry and _blocks(entry, call.replace("()", "").split(".")) else None


def served(call: str | None) -> str:
    """What an endpoint can do about a computation that the framework asks this library function for; else empty."""
    return _SERVED.get(call or "", "")


def unpickled(call: str | None) -> str:
    """What a function that a process runs returns in the place of this call's own answer, which cannot be pickled.

    Empty where it can be, as far as is known. `{call}` is the call.
    """
    return _of_longest(_UNPICKLED, call or "") or ""


def is_async(path: str) -> bool:
    """Whether a dotted path names something asynchronous, as `redis.asyncio.Redis` or `httpx.AsyncClient`."""
    return any(_is_async_part(part) for part in path.split("."))


def is_plumbing(name: str) -> bool:
    """Whether the function of this dotted name is a framework's own way to what works: routing, a task, a context."""
    return f"{name}.".startswith(_PLUMBING)


def is_on_the_way(name: str) -> bool:
    """Whether the function of this dotted name is the standard library's way to anything, as `contextlib`."""
    return f"{name}.".startswith(_ON_THE_WAY)


def pickles(module: str) -> bool:
    """Whether the functions of this module pickle what another process is given, or unpickle what it returns."""
    return f"{module}.".startswith(_PICKLING)


def entry_of(call: str | None) -> Entry | None:
    """The entry of a name, whether the call blocks or makes the object that blocks later on the same line."""
    parts = (call or "").replace("()", "").split(".")
    for length in range(min(len(parts), _LONGEST), 0, -1):
        entry = TABLE.get(".".join(parts[:length]))
        if entry is not None:
            return None if any(_is_async_part(part) or part in _HARMLESS for part in parts[length:]) else entry
    return None


def _blocks(entry: Entry, parts: list[str]) -> bool:
    if not _PREPARING.isdisjoint((parts[-1], ".".join(parts[-2:]))):
        return False
    return entry.cpu or not parts[-1][:1].isupper() or ".".join(parts) in _CONNECTING


def _is_async_part(part: str) -> bool:
    return part.startswith(("Async", "async", "Aio", "aio")) and part not in _SYNC


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _prefixes(text: str) -> tuple[str, ...]:
    """Names for `startswith`: with a dot behind each, so that whole components count."""
    return tuple(f"{name}." for name in text.split())


_CONNECTING, _PREPARING = _names(special_names.CONNECTING), _names(special_names.PREPARING)
_HARMLESS, _SYNC = _names(special_names.HARMLESS), _names(special_names.SYNC)
_LONG, _HERE = _names(waits.LONG), _names(computations.HERE)
_PLUMBING, _ON_THE_WAY = _prefixes(special_names.PLUMBING), _prefixes(special_names.ON_THE_WAY)
_HANDS_OVER, _OF_DATA = _prefixes(computations.HANDS_OVER), _prefixes(computations.OF_DATA)
_PICKLING = _prefixes(computations.PICKLING)


def _by_prefix(rows: dict[str, str]) -> dict[str, str]:
    """The text of each prefix: several may share a row."""
    return {prefix: text for prefixes, text in rows.items() for prefix in prefixes.split()}


_SERVED = _by_prefix(computations.SERVED)
_UNPICKLED = _by_prefix(computations.UNPICKLED)
_THREADS = _by_prefix(threads.THREADS)


def _entries() -> Iterator[Entry]:
    for prefix, instead in _by_prefix(waits.NETWORK).items():
        yield _entry(prefix, instead, network=True)
    for prefix, instead in _by_prefix(waits.WAITING).items():
        yield _entry(prefix, instead, frees_gil=prefix == "sqlite3")  # SQLite computes, too, outside the GIL
    for prefix, instead in _by_prefix(computations.OUTSIDE_GIL).items():
        yield _entry(prefix, instead, cpu=True, frees_gil=True)
    for prefix, instead in _by_prefix(computations.INSIDE_GIL).items():
        yield _entry(prefix, instead, cpu=True)
    for prefix, instead in _by_prefix(computations.FRAMEWORK).items():
        yield _entry(prefix, instead, cpu=True, says_all=True)


def _entry(prefix: str, instead: str, **told: bool) -> Entry:
    hands_over = f"{prefix}.".startswith(_HANDS_OVER)
    return Entry(
        prefix,
        instead,
        hands_over=hands_over,
        of_data=f"{prefix}.".startswith(_OF_DATA) and not hands_over,
        only_here=prefix in _HERE,
        thread=_way_to_a_thread(prefix),
        **told,
    )


def _way_to_a_thread(prefix: str) -> str:
    way = _of_longest(_THREADS, prefix)
    return IN_THREAD if way is None else way


def _of_longest(rows: dict[str, str], name: str) -> str | None:
    """The text of the longest prefix that has one."""
    parts = name.split(".")
    longest_first = (rows.get(".".join(parts[:length])) for length in range(len(parts), 0, -1))
    return next((text for text in longest_first if text is not None), None)


TABLE = {entry.prefix: entry for entry in _entries()}
"""Every entry by its prefix."""
_LONGEST = max(prefix.count(".") for prefix in TABLE) + 1
"""Components of the longest prefix."""

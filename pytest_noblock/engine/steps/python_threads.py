"""What the threads burned that can hold the GIL: Python's own, and not those of a C library.

A library that computes on threads of its own (argon2, zstd) lets go of the GIL and waits for them. The CPU clock of
the process counts them, and so they look like threads that keep the GIL from the loop thread. `threading` does not
know them.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.now import process_cpu, thread_cpu
from pytest_noblock.engine.other_threads import clock_of, cpu_of

_AGE_NS = 10_000_000
"""ns. Marks that are older are taken anew when a step begins: what a thread burned before the step counts for no longer
than that. To take them costs 1 us and 0.5 us a thread (measured, CPython 3.12)."""
_MOST_THREADS = 60
"""More threads than these are not read one by one: it would cost a step 30 us and more."""

WATCHDOG = "noblock watchdog"
"""The name of our own thread. What it burns is known to the meter, which takes it off."""

_clock_ns = getattr(time, "clock_gettime_ns", None)
_get_ident = threading.get_ident
_enumerate = threading.enumerate


class _Collections:
    """CPU (ns) that full collections have taken so far, in all threads; whether any has begun."""

    cpu = 0
    seen = False


class _Starts:
    """How many threads have been started so far, while the patches were in; how many of them by the app."""

    number = apps = 0


def note_start(thread: threading.Thread) -> None:
    """The calling thread is about to start a thread. What the app starts, and what that starts, is the app's."""
    _Starts.number += 1
    if CURRENT.get() is not None or is_the_apps(threading.current_thread()):
        _Starts.apps += 1
        mark_as_the_apps(thread)


def started_by_app() -> int:
    """How many threads the app has started so far, while the patches were in."""
    return _Starts.apps


def mark_as_the_apps(thread: threading.Thread) -> None:
    """It works for the app, however long it has lived: its pools, its schedulers, its clients."""
    thread.noblock_app = True  # type: ignore[attr-defined]


def is_the_apps(thread: threading.Thread) -> bool:
    return getattr(thread, "noblock_app", False)


def collection(phase: str) -> None:
    """The garbage collector starts or stops a full collection in the calling thread (`phase`, see `gc.callbacks`).

    A collection falls due in whichever thread makes the next object. What it takes is not that thread's work.
    """
    thread = threading.current_thread()
    if phase == "start":
        _Collections.seen = True
        thread.noblock_collection = thread_cpu()  # type: ignore[attr-defined]
    else:
        began = _collects_since(thread)
        if began is not None:
            took = thread_cpu() - began
            _Collections.cpu += took
            thread.noblock_collected = _collected(thread) + took  # type: ignore[attr-defined]
            thread.noblock_collection = None  # type: ignore[attr-defined]


def _collected(thread: threading.Thread) -> int:
    return getattr(thread, "noblock_collected", 0)


def _collects_since(thread: threading.Thread) -> int | None:
    """The thread's CPU time (ns) when the present full collection began in it; None where none runs.

    Another thread may look in the midst of one: the callbacks of weak references are Python code.
    """
    return getattr(thread, "noblock_collection", None)


def worked(thread: threading.Thread) -> int | None:
    """CPU (ns) of a thread so far, less what full collections took in it; None where the system has no clock for it."""
    cpu = cpu_of(thread.native_id)
    if cpu is None:
        return None
    began = _collects_since(thread)
    return (cpu if began is None else min(cpu, began)) - _collected(thread)


@contextmanager
def app_starts() -> Iterator[None]:
    """The app starts in the block, as by its lifespan: a thread that is there afterwards, and was not, is the app's."""
    before = set(_enumerate())
    try:
        yield
    finally:
        for thread in set(_enumerate()) - before:
            mark_as_the_apps(thread)


class Marks(NamedTuple):
    """The CPU time of threads at one moment, in ns."""

    at: int
    cpu: dict[threading.Thread, int]
    """By thread: a later thread may have the same identity."""
    process: int
    """That of all threads, native ones and those that have ended included; full collections are taken off here, too."""
    starts: int
    """How many threads the app had started."""
    collected: int
    """What was taken off `process`."""


def burned_by_one_that_ended(before: Marks, after: Marks) -> int:
    """CPU (ns) of the one thread of the app that has ended between two marks.

    0 where none or several have ended: nobody knows then which one burned.
    """
    gone = [each for each in before.cpu if each not in after.cpu]
    born = sum(is_the_apps(each) for each in after.cpu if each not in before.cpu)
    came_and_went = after.starts - before.starts - born
    if len(gone) + came_and_went != 1 or not all(map(is_the_apps, gone)):
        return 0
    living = sum(cpu - before.cpu.get(each, 0) for each, cpu in after.cpu.items())
    return max(0, after.process - before.process - living)


class PythonThreads:
    """The other Python threads, as one loop thread meters them. All of it runs on that thread."""

    __slots__ = ("_ident", "_marked_at", "_starts", "earlier", "marks")

    def __init__(self) -> None:
        self._ident = _get_ident()
        self.marks: Marks | None = None
        """None before the first step, and where no thread has a clock."""
        self.earlier: Marks | None = None
        """Those before: the loop thread may mark right after a wait for the GIL, before the watchdog looks."""
        self._starts = self._marked_at = 0

    def step_begins(self, moment: int, process: int | None = None) -> None:
        """`moment` (ns) is now, `process` as for `read_clocks`. Marks the threads, but not twice in a moment."""
        if moment - self._marked_at > _AGE_NS:
            self._marked_at = moment
            self._starts = _Starts.number
            self.earlier, self.marks = self.marks, read_clocks(moment, process)

    def clocks_at_begin(self) -> dict[int, int]:
        """The CPU time (ns) of the threads when the step began, or a little before, by native id."""
        cpu = self.marks.cpu if self.marks is not None else {}
        return {each.native_id: ns + _collected(each) for each, ns in cpu.items() if each.native_id is not None}

    def burned(self) -> int | None:
        """CPU (ns) that the other Python threads have burned since the step began, or a little more.

        None where nobody knows: a thread has ended since, or the system has no clock for it.
        """
        marks, present = self.marks, read_clocks(0)
        if marks is None or present is None:
            return None
        before, after = marks.cpu, present.cpu
        born = sum(each not in before for each in after)
        if self._starts + born < _Starts.number or not before.keys() <= after.keys():
            return None
        return sum(cpu - before.get(each, 0) for each, cpu in after.items() if each.ident != self._ident)


_CLOCK = "noblock_clock"
"""The attribute of a thread with the number of its CPU clock; 0 for the watchdog, which does not count."""


def _clock_of(thread: threading.Thread) -> int | None:
    """None while the thread has not begun."""
    if thread.name == WATCHDOG:
        return 0
    native = thread.native_id
    return None if native is None else clock_of(native)


def _in_collection(thread: threading.Thread, burned: int) -> int:
    """What a full collection that runs now has taken of the CPU (ns) that the thread burned so far."""
    began = _collects_since(thread)
    return 0 if began is None else max(0, burned - began)


def read_clocks(moment: int, process: int | None = None, *, most: int = 0) -> Marks | None:
    """Of all threads but the watchdog; `moment` (ns) is now. `process`: the CPU time of the process, if just read.

    None where there are more than `most` threads, else than it pays a step to read, and where the system has no clock
    of another thread.
    """
    threads = _enumerate()
    if len(threads) > (most or _MOST_THREADS) or _clock_ns is None:
        return None
    cpu, collects, collected = {}, 0, _Collections.seen
    for each in threads:  # a plain loop, because each request of a test client takes these marks
        clock = getattr(each, _CLOCK, None)  # not of its `__dict__`: to make one costs each thread more than the rest
        if clock is None:
            clock = _clock_of(each)
            setattr(each, _CLOCK, clock)
        if clock:
            try:
                burned = _clock_ns(clock)
            except (OSError, OverflowError):
                setattr(each, _CLOCK, None)  # a forked process has numbers of its own
                continue
            if collected:
                running = _in_collection(each, burned)
                collects += running
                burned -= running + _collected(each)
            cpu[each] = burned
    if not cpu:
        return None
    process = process_cpu() if process is None else process
    collects += _Collections.cpu
    return Marks(moment, cpu, process - collects, _Starts.apps, collects)

"""What the threads burned that can hold the GIL: Python's own, and not those of a C library.

A library that computes on threads of its own (argon2, zstd) lets go of the GIL and waits for them. The CPU clock of
the process counts them, and so they look like threads that keep the GIL from the loop thread. `threading` does not
know them.
"""

import threading
import time

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


class _Starts:
    """How many threads have been started so far, while the patches were in."""

    number = 0


def note_start() -> None:
    """A thread is about to be started, by whomever."""
    _Starts.number += 1


class PythonThreads:
    """The other Python threads, as one loop thread meters them. All of it runs on that thread."""

    def __init__(self) -> None:
        self._ident = _get_ident()
        self._marks: dict[threading.Thread, int] = {}
        """CPU time (ns) of each thread when it was marked. By thread: a later thread may have the same identity."""
        self._starts = 0
        self._marked_at = 0

    def step_begins(self, moment: int) -> None:
        """`moment` (ns) is now. Marks the threads, unless they were marked a moment ago."""
        if moment - self._marked_at > _AGE_NS:
            self._marked_at = moment
            self._starts = _Starts.number
            self._marks = self._read()

    def burned(self) -> int | None:
        """CPU (ns) that the other Python threads have burned since the step began, or a little more.

        None where nobody knows: a thread has ended since, or the system has no clock for it.
        """
        present = self._read()
        born = sum(each not in self._marks for each in present)
        if not present or self._starts + born < _Starts.number or not self._marks.keys() <= present.keys():
            return None
        return sum(cpu - self._marks.get(each, 0) for each, cpu in present.items())

    def _read(self) -> dict[threading.Thread, int]:
        """Empty where there are too many threads, and where the system has no clock of a thread."""
        threads = _enumerate()
        if len(threads) > _MOST_THREADS:
            return {}
        clocks = {each: cpu_of(each.native_id) for each in threads if each.ident != self._ident}
        return {each: cpu for each, cpu in clocks.items() if cpu is not None and each.name != WATCHDOG}


def cpu_of(native: int | None) -> int | None:
    """CPU time (ns) of a thread. The number of its clock is built by hand, see clock_getres(2).

    `time.pthread_getcpuclockid` of a thread that has ended may crash the process.
    """
    if native is None or _clock_ns is None:
        return None
    try:
        return int(_clock_ns(~native << 3 | 6))
    except OSError:
        return None

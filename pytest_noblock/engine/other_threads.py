"""What other threads of the process burn. Each thread's own counters: `clocks`."""

import sys
import time
from collections.abc import Callable

from pytest_noblock.engine.now import list_folder

_cpu = time.thread_time_ns
_process = time.process_time_ns
_clock_ns: Callable[[int], int] | None = getattr(time, "clock_gettime_ns", None)


def switch_interval() -> int:
    """Ns after which a thread that computes in Python lets go of the GIL, where another thread waits for it."""
    return round(sys.getswitchinterval() * 1e9)


def others_so_far() -> int:
    """CPU (ns) that the process has burned outside the calling thread since it began."""
    return _process() - _cpu()


def others_exactly() -> int:
    """As `others_so_far`, with what threads have burned that are on a processor now.

    The kernel adds that to the clock of the process at its next tick (4 ms), or when such a thread sleeps. It adds it
    at once for a thread whose own clock is read.
    """
    for native in native_threads():
        cpu_of(native)
    return others_so_far()


def native_threads() -> list[int]:
    """The threads of this process, Python's and all others; empty where the system does not tell."""
    try:
        return [int(name) for name in list_folder("/proc/self/task")]
    except OSError:
        return []


def clock_of(native: int) -> int:
    """The number of a thread's CPU clock, see clock_getres(2)."""
    return ~native << 3 | 6


def cpu_of(native: int | None) -> int | None:
    """CPU time (ns) of a thread. The number of its clock is built by hand, see clock_getres(2).

    `time.pthread_getcpuclockid` of a thread that has ended may crash the process.
    """
    if native is None or _clock_ns is None:
        return None
    try:
        return int(_clock_ns(clock_of(native)))
    except (OSError, OverflowError):
        return None

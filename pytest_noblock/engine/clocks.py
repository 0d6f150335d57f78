"""The counters of one thread. They separate what the app did from what the machine did.

A reading costs about 3 us on Linux. It is a plain tuple, because a step takes two of
them; WALL, CPU, QUEUED, SWITCHES and PROCESS name its places.
"""

import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from pytest_noblock.engine.now import close_fd, now, open_fd, read_fd_at

try:
    import resource
except ImportError:  # Windows
    _RUSAGE_THREAD = None
else:
    _RUSAGE_THREAD = getattr(resource, "RUSAGE_THREAD", None)

Reading = tuple[int, int, bytes, int, int]
"""One reading of a thread's counters. To make a named tuple takes 0.5 us more (measured, CPython 3.12)."""
WALL: Final = 0
"""Place of the monotonic clock, in ns."""
CPU: Final = 1
"""Place of the CPU time of the thread, in ns."""
QUEUED: Final = 2
"""Place of the line of schedstat, as bytes: `queued` and `longest_queued` read it. Empty on the portable clock."""
SWITCHES: Final = 3
"""Place of the number of voluntary context switches of the thread. 0 on the portable clock."""
PROCESS: Final = 4
"""Place of the CPU time of the whole process, in ns."""

_UNOPENED, _CLOSED = -2, -1
NEVER_QUEUED = b"0 0 0"
_VOLUNTARY_SWITCHES = 14  # index of ru_nvcsw

_cpu = time.thread_time_ns
_process = time.process_time_ns

_UNDISTURBED_NS = 50_000
"""Wall ns. A reading takes about 3 us. One that took longer than this was interrupted between two of its parts: the
parts do not belong together."""
_TRIES = 4
_DELAY_EVERY_NS = 1_000_000
"""ns. `begin` reads the run-queue delay again only where the last value is older than this: it is the costliest part of
a reading. With an old value the step's delay also holds delay from before the step, 1 ms at most."""
_UNREAD_NS = 4_000_000
"""ns. A new thread's run-queue delay is read once the thread has waited this long in all, for whatever reason. Until
then the delay counts as 0; it is 4 ms at most. (Measured beside one busy process: with 1 ms every second thread of the
test client read it, with 4 ms every tenth.)"""


def voluntary_switches() -> int:
    """How often the calling thread has gone to sleep; TypeError where the platform does not count it for threads."""
    return int(resource.getrusage(_RUSAGE_THREAD)[_VOLUNTARY_SWITCHES])  # type: ignore[arg-type]


class Clock(Protocol):
    """The counters of the thread that made the clock; only that thread may read them."""

    splits_waiting: bool
    """Whether the clock can separate waiting for a processor from sleeping."""

    def begin(self) -> Reading:
        """The reading at the begin of a step; it reads the wall clock last."""
        ...

    def end(self) -> Reading:
        """The reading at the end of a step; it reads the wall clock first."""
        ...

    def delay(self) -> bytes:
        """The run-queue delay alone, for `queued`."""
        ...

    def close(self) -> None: ...


@functools.cache
def _pread() -> Callable[..., int]:
    """`pread` of the libc, called with the GIL kept, as PyDLL does.

    `os.pread` releases the GIL. A thread that waits for the GIL could then run between two
    parts of a reading.
    """
    function: Callable[..., int] = ctypes.PyDLL(None).pread
    function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)  # type: ignore[attr-defined]
    return function


class LinuxClock:
    """CPU by the thread's clock, run-queue delay by schedstat, sleeps by ru_nvcsw.

    `/proc/self/task/<tid>/schedstat` (CONFIG_SCHED_INFO, Linux >= 2.6.23) holds run
    time, run-queue delay and slices; field 2 is the delay. The kernel does not refresh
    field 1 on read, so the thread's clock gives the CPU time. Raises OSError where the
    file does not exist (gVisor) and ValueError where the kernel does not fill it.

    To open the file costs a new thread 40 us, and the test client starts a new thread
    for each request. `born` is the moment at which the thread was started (ns), where it
    is known. The clock then opens the file when the thread has waited `_UNREAD_NS` in all.
    """

    __slots__ = ("_address", "_born", "_buffer", "_delay", "_delay_read", "_fd", "_native", "_pread", "splits_waiting")

    def __init__(self, born: int | None = None) -> None:
        if _RUSAGE_THREAD is None:
            raise OSError("no per-thread resource usage on this platform")
        self.splits_waiting = True
        self._native = threading.get_native_id()
        self._born = born
        self._fd = _UNOPENED
        self._delay_read = 0
        self._delay = NEVER_QUEUED
        if born is None:
            self._open()

    def _open(self) -> None:
        self._fd = open_fd(f"/proc/self/task/{self._native}/schedstat", os.O_RDONLY)
        queued(read_fd_at(self._fd, 64, 0))
        self._pread = _pread()
        self._buffer = ctypes.create_string_buffer(64)
        self._address = ctypes.addressof(self._buffer)

    def _read_delay(self, moment: int) -> None:
        if self._fd == _UNOPENED and self._born is not None:
            age = moment - self._born
            if age < _UNREAD_NS or age - _cpu() < _UNREAD_NS:  # to ask for the CPU time takes 1 us
                return
            try:
                self._open()
            except OSError:  # the process has no descriptor left: from now on the portable rules
                self._born = None
                self.splits_waiting = False
        if self._fd >= 0:
            self._pread(self._fd, self._address, 64, 0)
            self._delay = self._buffer.value
        self._delay_read = moment

    # The kernel may preempt the thread between two parts of a reading. The step's run-queue
    # delay then grows more than its wall time. The sleep is the rest of the wall time, so it
    # comes out too small, and a finding may be missed. Beside busy processes this happens
    # often and costs milliseconds, so such a reading is taken again.
    def begin(self) -> Reading:
        for _ in range(_TRIES):
            first = now()
            switches = voluntary_switches()
            if first - self._delay_read > _DELAY_EVERY_NS:
                self._read_delay(first)
            process = _process()
            cpu = _cpu()
            wall = now()
            if wall - first < _UNDISTURBED_NS:
                break
        return wall, cpu, self._delay, switches, process

    def end(self) -> Reading:
        for _ in range(_TRIES):
            wall = now()
            cpu = _cpu()
            process = _process()
            self._read_delay(wall)
            switches = voluntary_switches()
            if now() - wall < _UNDISTURBED_NS:
                break
        return wall, cpu, self._delay, switches, process

    def delay(self) -> bytes:
        self._read_delay(now())
        return self._delay

    def close(self) -> None:
        """Any thread may call it, even while the clock's thread is in a step: the delay then keeps its last value."""
        fd, self._fd = self._fd, _CLOSED
        if fd >= 0:
            close_fd(fd)


class LastingClock(LinuxClock):
    """Of a thread that outlives many meters, as the one that runs the tests: none of them closes it."""

    __slots__ = ()

    def of_this_thread(self) -> bool:
        """A forked process has a copy of another thread's."""
        return self._native == threading.get_native_id()

    def close(self) -> None:
        """The next meter uses it."""

    def close_for_good(self) -> None:
        super().close()


class PortableClock:
    """CPU and wall time, which every platform has. It cannot separate sleep from run-queue delay.

    Nor does anybody here know of other threads' run-queue delay: a wait for a worker that has no processor counts as
    long as it is, where a known call made it.
    """

    splits_waiting = False

    def begin(self) -> Reading:
        process = _process()
        cpu = _cpu()
        return now(), cpu, b"", 0, process

    def end(self) -> Reading:
        wall = now()
        return wall, _cpu(), b"", 0, _process()

    def delay(self) -> bytes:
        return NEVER_QUEUED

    def close(self) -> None:
        """Nothing is held open."""


def best_clock() -> Clock:
    """The calling thread's clock: LinuxClock where this machine has its counters."""
    try:
        return LinuxClock()
    except (OSError, ValueError):
        return PortableClock()


def queued(schedstat: bytes) -> int:
    """Run-queue delay (ns) in one reading of schedstat."""
    return int(schedstat.split()[1])


def longest_queued(before: bytes, after: bytes) -> int:
    """Upper estimate (ns) of the longest single wait for a processor between two readings of schedstat.

    Field 3 counts how often the thread got a processor. The estimate is twice the mean wait.
    """
    turns = int(after.split()[2]) - int(before.split()[2])
    delay = queued(after) - queued(before)
    return min(delay, 2 * delay // max(1, turns))


def others_cpu(began: Reading, ended: Reading) -> int:
    """CPU (ns) that the other threads of the process burned between two readings."""
    return max(0, (ended[PROCESS] - began[PROCESS]) - (ended[CPU] - began[CPU]))

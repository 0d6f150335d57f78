"""The counters of the calling thread: what the app did, what the machine did.

A reading is a plain tuple, for speed: (wall, cpu, queued, switches, process), the
first, second and last in ns. The cost of one is about 3 us on Linux.
"""

import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from pytest_noblock.engine.now import now

try:
    import resource
except ImportError:  # Windows
    _RUSAGE_THREAD = None
else:
    _RUSAGE_THREAD = getattr(resource, "RUSAGE_THREAD", None)

_UNOPENED, _CLOSED = -2, -1

Reading = tuple[int, int, bytes, int, int]

_cpu = time.thread_time_ns
_process = time.process_time_ns
_VOLUNTARY_SWITCHES = 14  # index of ru_nvcsw


def voluntary_switches() -> int:
    """Of this thread; where the platform counts them for threads."""
    return int(resource.getrusage(_RUSAGE_THREAD)[_VOLUNTARY_SWITCHES])  # type: ignore[arg-type]


_UNDISTURBED_NS = 50_000
"""A reading that took longer was interrupted half-way: its parts do not belong together."""
_TRIES = 4
_DELAY_EVERY_NS = 1_000_000
"""The run-queue delay at the begin of a step may be as old as that: what the thread queued since is then taken
off the step as well, a millisecond at most. It is the costliest part of a reading."""


_UNREAD_NS = 4_000_000
"""What a new thread may have waited in all before its delay is read for the first time: at most as much is then taken
off a step for what the thread queued before. (1 ms: every other of the test client's threads beside one busy
process; 4 ms: one of ten.)"""


class Clock(Protocol):
    """Counters of the thread that made it; read them on that thread only."""

    splits_waiting: bool
    """Whether waiting for a processor is told apart from sleeping."""

    def begin(self) -> Reading: ...
    def end(self) -> Reading: ...
    def delay(self) -> bytes:
        """The run-queue delay alone, for `queued`."""
        ...

    def close(self) -> None: ...


@functools.cache
def _pread() -> Callable[..., int]:
    """PyDLL keeps the interpreter lock.

    `os.pread` gives it away: whoever waits for it gets the processor as well, right
    between two parts of a reading.
    """
    function: Callable[..., int] = ctypes.PyDLL(None).pread
    function.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)  # type: ignore[attr-defined]
    return function


class LinuxClock:
    """CPU by the thread clock, run-queue delay by schedstat, sleeps by ru_nvcsw.

    `/proc/self/task/<tid>/schedstat` (CONFIG_SCHED_INFO, Linux >= 2.6.23) holds run
    time, run-queue delay and slices; field 2 is the delay. Field 1 is not refreshed
    on read, hence the thread clock. Raises OSError where the file does not exist
    (gVisor) and ValueError where it is not filled.

    To open it costs a new thread 40 us, and the test client has a new thread for
    each request. So, where it is known when the thread was `born`, that waits until
    the thread has waited, for whatever, some milliseconds in all: what it queued is less.
    """

    def __init__(self, born: int | None = None) -> None:
        if _RUSAGE_THREAD is None:
            raise OSError("no per-thread resource usage on this platform")
        self.splits_waiting = True
        self._native = threading.get_native_id()
        self._born = born
        self._fd = _UNOPENED
        self._delay_read = 0
        self._delay = b"0 0 0"
        if born is None:
            self._open()

    def _open(self) -> None:
        self._fd = os.open(f"/proc/self/task/{self._native}/schedstat", os.O_RDONLY)
        queued(os.pread(self._fd, 64, 0))
        self._pread = _pread()
        self._buffer = ctypes.create_string_buffer(64)
        self._address = ctypes.addressof(self._buffer)

    def _read_delay(self, moment: int) -> None:
        if self._fd == _UNOPENED and self._born is not None:
            if moment - self._born - _cpu() < _UNREAD_NS:
                return
            try:
                self._open()
            except OSError:  # no descriptor is left: the rules that need none
                self._born = None
                self.splits_waiting = False
        if self._fd >= 0:
            self._pread(self._fd, self._address, 64, 0)
            self._delay = self._buffer.value
        self._delay_read = moment

    # A preemption between two of the reads lengthens the run-queue delay more than the
    # wall time: the rest comes out too small, a miss. Beside busy processes that is
    # milliseconds, and often: such a reading is taken again.
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
        """A step that another thread is in reads nothing new from then on."""
        fd, self._fd = self._fd, _CLOSED
        if fd >= 0:
            os.close(fd)


class PortableClock:
    """CPU and wall time, which every platform has; the rest stays one lump."""

    splits_waiting = False

    def begin(self) -> Reading:
        process = _process()
        cpu = _cpu()
        return now(), cpu, b"", 0, process

    def end(self) -> Reading:
        wall = now()
        return wall, _cpu(), b"", 0, _process()

    def delay(self) -> bytes:
        return b"0 0 0"

    def close(self) -> None:
        """Nothing is held open."""


def best_clock() -> Clock:
    """The calling thread's clock: the Linux one where there is one."""
    try:
        return LinuxClock()
    except (OSError, ValueError):
        return PortableClock()


def queued(schedstat: bytes) -> int:
    """Run-queue delay in ns of one reading of schedstat."""
    return int(schedstat.split()[1])


def longest_queued(before: bytes, after: bytes) -> int:
    """About the longest of the waits for a processor between two readings of schedstat: twice their mean at most.

    Field 3 counts how often the thread got one.
    """
    turns = int(after.split()[2]) - int(before.split()[2])
    delay = queued(after) - queued(before)
    return min(delay, 2 * delay // max(1, turns))


def others_so_far() -> int:
    """CPU that the other threads of the process have burned since it began."""
    return _process() - _cpu()


def others_cpu(began: Reading, ended: Reading) -> int:
    """CPU that the other threads of the process burned between two readings."""
    return max(0, (ended[4] - began[4]) - (ended[1] - began[1]))

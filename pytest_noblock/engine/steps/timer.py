"""A one-shot timer: loop threads arm it, the watchdog sleeps on it without the GIL.

A thread that polls with `time.sleep` takes the GIL again and again. Loop threads then wait
for the GIL, and the meter measures these waits (in 838 of 21,122 steps that did not block). A timerfd (Linux >=
2.6.25) wakes its reader only when a step really runs long; to arm it takes one system
call. `os.timerfd_settime` (Python 3.13) would release the GIL each time.
"""

import ctypes
import functools
import os
import struct
import time

from pytest_noblock.engine.now import close_fd, now, read_fd, sleep


class Timer:
    """A timerfd. Raises OSError where the kernel has none, AttributeError where the libc has none."""

    def __init__(self) -> None:
        libc = _libc()
        self._fd = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError("this kernel has no timerfd")
        self._settime = libc.timerfd_settime
        self._ready: dict[int, bytes] = {}

    def arm(self, ns: int) -> None:
        """Ring once, `ns` from now; 0: never. This replaces an earlier arming."""
        spec = self._ready.get(ns)
        if spec is None:  # struct itimerspec: interval, then value, each (s, ns)
            spec = self._ready[ns] = struct.pack("qqqq", 0, 0, *divmod(ns, 1_000_000_000))
        self._settime(self._fd, 0, spec, None)

    def disarm(self) -> None:
        """It does not ring before it is armed again."""
        self.arm(0)

    def wait(self) -> None:
        """Sleep without the GIL until it rings."""
        read_fd(self._fd, 8)

    def close(self) -> None:
        close_fd(self._fd)


class PollingTimer:
    """The same for platforms without timerfd: it wakes every few milliseconds and reads the clock."""

    _EVERY_S = 0.005

    def __init__(self) -> None:
        self._due: int | None = None

    def arm(self, ns: int) -> None:
        self._due = now() + ns

    def disarm(self) -> None:
        self._due = None

    def wait(self) -> None:
        while (due := self._due) is None or now() < due:
            sleep(self._EVERY_S)
        self._due = None

    def close(self) -> None:
        """Nothing is held open."""


def best_timer() -> "Timer | PollingTimer":
    """A timerfd where there is one."""
    try:
        return Timer()
    except (AttributeError, OSError):
        return PollingTimer()


@functools.cache
def _libc() -> ctypes.PyDLL:
    """PyDLL keeps the GIL: a loop thread that arms the timer must not hand the GIL to another thread."""
    libc = ctypes.PyDLL(None)
    libc.timerfd_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    return libc

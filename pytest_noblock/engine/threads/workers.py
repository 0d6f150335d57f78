"""The threads that do the blocking work of a loop: where they sit, and how long the machine let them wait."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Container, Iterable
from types import FrameType

from pytest_noblock.engine.stacks import RawFrame, capture
from pytest_noblock.engine.usercode import UserCode

_ANYIO = "_backends/_asyncio.py"
"""The end of the name of the file that anyio's workers run in."""


def of_anyio(loop: asyncio.AbstractEventLoop) -> list[threading.Thread]:
    """anyio's worker threads know their loop."""
    return [each for each in threading.enumerate() if vars(each).get("loop") is loop]


def at_work(threads: Iterable[threading.Thread]) -> int:
    """How many of anyio's do not wait for something to do."""
    running = sys._current_frames()
    return sum(_works(running.get(thread.ident or 0)) for thread in threads)


def _works(frame: FrameType | None) -> bool:
    """Whether the thread's `run` has called anything but its queue."""
    called = None
    while frame is not None and not frame.f_code.co_filename.endswith(_ANYIO):
        frame, called = frame.f_back, frame
    return frame is not None and (called is None or called.f_code.co_name != "get")


def of_executor(loop: asyncio.AbstractEventLoop) -> list[threading.Thread]:
    """Those of asyncio's default executor."""
    return list(getattr(getattr(loop, "_default_executor", None), "_threads", ()))


def busy(threads: Iterable[threading.Thread], user: UserCode) -> list[list[RawFrame]]:
    """The stacks of the threads that are in the user's code."""
    running = sys._current_frames()
    stacks = [capture(running.get(thread.ident or 0)) for thread in threads]
    return [stack for stack in stacks if any(code.co_filename in user for code, *_ in stack)]


class ThreadClocks:
    """What other threads burn, one by one; of those alone that came since, and those that work for the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._strangers = set(threading.enumerate())
        self.marks: dict[threading.Thread, int] = {}
        """From which `burned` counts; by the thread itself: one that begins has the identity of one that ended."""

    def burned(self) -> dict[threading.Thread, int]:
        """CPU time of each that burned any since the marks."""
        ours = {*of_anyio(self._loop), *of_executor(self._loop)}
        return {
            each: cpu for each, cpu in self._since().items() if cpu and (each in ours or each not in self._strangers)
        }

    def ended(self, all_burned: int, seen: Container[threading.Thread]) -> int:
        """What one that is not `seen`, and has ended since the marks, burned of it.

        0 where several have ended, for then nobody knows which, or a stranger.
        """
        since = self._since()
        gone = [each for each in self.marks if each not in since and each not in seen]
        if len(gone) != 1 or gone[0] in self._strangers:
            return 0
        return max(0, all_burned - sum(since.values()))

    def _since(self) -> dict[threading.Thread, int]:
        return {each: cpu - self.marks.get(each, 0) for each, cpu in self.read().items()}

    @staticmethod
    def read() -> dict[threading.Thread, int]:
        """The CPU time of each, which may serve as marks."""
        return {each: cpu for each in threading.enumerate() if (cpu := _cpu_of(each.native_id)) is not None}


def _cpu_of(native: int | None) -> int | None:
    """By the kernel's name of the clock, see clock_getres(2): `pthread_getcpuclockid` of an ended thread may crash."""
    try:
        return time.clock_gettime_ns(~native << 3 | 6) if native is not None else None
    except OSError:
        return None


class RunQueue:
    """The run-queue delay of several threads, added up over all readings; they come and go."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self.delay = 0

    def read(self, natives: Iterable[int | None]) -> int:
        """A thread's first reading is where its count begins."""
        for native in natives:
            delay = _delay(native)
            if delay is not None and native is not None:
                self.delay += delay - self._last.get(native, delay)
                self._last[native] = delay
        return self.delay


def _delay(native: int | None) -> int | None:
    """Read without a file object: forty of them are read at once."""
    try:
        file = os.open(f"/proc/self/task/{native}/schedstat", os.O_RDONLY)
    except OSError:
        return None
    try:
        return int(os.read(file, 64).split()[1])
    except (OSError, IndexError):
        return None
    finally:
        os.close(file)

"""The workers of a loop: which threads they are, where they sit, what they burn, how long the machine let them wait.

Neither library has a public way to ask. What is read instead, where it was seen, and what is lost without it:

- anyio (4.9 to 4.16): the attribute `loop` of its `WorkerThread`; without it anyio's workers are not found.
- anyio (4.9 to 4.16): `WorkerThread.run` in a file whose name ends in `_ANYIO_FILE` waits for work in `Queue.get`;
  without it every worker counts as one that does not work.
- CPython (3.11 to 3.13): `BaseEventLoop._default_executor`, `ThreadPoolExecutor._threads` and `._max_workers`;
  without them (uvloop has its own) the default executor seems to have no workers and no tokens.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import Context
from types import FrameType
from typing import Any, NamedTuple

from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.now import close_fd, open_fd, read_fd
from pytest_noblock.engine.raw_stacks import RawFrame, capture
from pytest_noblock.engine.steps.python_threads import is_the_apps, started_by_app, worked
from pytest_noblock.engine.steps.thread_marks import sleeps_of
from pytest_noblock.engine.usercode import UserCode

_ANYIO_FILE = "_backends/_asyncio.py"


def of_anyio(loop: asyncio.AbstractEventLoop) -> list[threading.Thread]:
    """anyio's workers that serve this loop."""
    return [each for each in threading.enumerate() if vars(each).get("loop") is loop]


def of_executor(loop: asyncio.AbstractEventLoop) -> list[threading.Thread]:
    """The workers of the loop's default executor."""
    return list(getattr(_default_executor(loop), "_threads", ()))


def most_of_executor(loop: asyncio.AbstractEventLoop) -> int:
    """The most workers that the loop's default executor makes; 0 before its first call."""
    return getattr(_default_executor(loop), "_max_workers", 0)


def _default_executor(loop: asyncio.AbstractEventLoop) -> Any:
    return getattr(loop, "_default_executor", None)


def at_work(threads: Iterable[threading.Thread]) -> int:
    """How many of anyio's workers do not wait for work."""
    running = current_frames()
    return sum(_works(running.get(thread.ident or 0)) for thread in threads)


def _works(frame: FrameType | None) -> bool:
    """Whether the worker's `run` has called anything but `Queue.get`."""
    called = None
    while frame is not None and not frame.f_code.co_filename.endswith(_ANYIO_FILE):
        frame, called = frame.f_back, frame
    return frame is not None and (called is None or called.f_code.co_name != "get")


def context_of(ident: int) -> Context | None:
    """The context in which anyio's worker makes its present call; None where it makes none, or is not anyio's.

    anyio (4.9 to 4.16) has it in the local `context` of `WorkerThread.run`.
    """
    frame = current_frames().get(ident)
    while frame is not None and not (frame.f_code.co_name == "run" and frame.f_code.co_filename.endswith(_ANYIO_FILE)):
        frame = frame.f_back
    found = frame.f_locals.get("context") if frame is not None else None
    return found if isinstance(found, Context) else None


def busy(threads: Iterable[threading.Thread], user: UserCode) -> list[list[RawFrame]]:
    """The stacks of the threads that are in user code."""
    running = current_frames()
    stacks = [capture(running.get(thread.ident or 0)) for thread in threads]
    return [stack for stack in stacks if any(code.co_filename in user for code, *_ in stack)]


_MOST_COUNTED = 30
"""Threads whose sleeps are counted, at most."""


class ThreadMarks(NamedTuple):
    """The other threads at one moment."""

    cpu: dict[threading.Thread, int]
    """CPU time (ns) of each living one since it began. By thread: a new one may have the identity of one that ended."""
    starts: int = 0
    """How many threads the app had started."""
    sleeps: Mapping[threading.Thread, int] = {}
    """How often each has gone to sleep, as far as somebody counts that."""


class ThreadClocks:
    """CPU time (ns) of other threads, one by one, since their marks. Made on the loop thread.

    Four sorts of thread count: those that began after this was made, the workers of the running loop, those that are
    known to be the app's, and those that run code of the app. All others are strangers, such as a server that a fixture
    started.
    """

    def __init__(self, *, counts_sleeps: bool = False) -> None:
        """`counts_sleeps`: for whoever wants to know whether a thread handed the GIL over. It costs 50 us each."""
        self._counts_sleeps = counts_sleeps
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.current_thread()
        self._strangers = set(threading.enumerate())
        self.marks = ThreadMarks({}, started_by_app())
        """From where `burned` counts."""

    def burned(self, runs_app: Callable[[threading.Thread], bool]) -> dict[threading.Thread, int]:
        """CPU time of each thread that burned any since the marks. `runs_app`: whether it runs code of the app.

        The loop thread is left out: it cannot keep the GIL from itself.
        """
        ours = self.of_pools()
        return {
            each: cpu
            for each, cpu in self._since().items()
            if cpu and each is not self._loop_thread and (each in ours or not self._is_stranger(each) or runs_app(each))
        }

    def of_pools(self) -> set[threading.Thread]:
        """The workers of the running loop."""
        return {*of_anyio(self._loop), *of_executor(self._loop)}

    def _is_stranger(self, thread: threading.Thread) -> bool:
        return thread in self._strangers and not is_the_apps(thread)

    def ended(self, all_burned: int, seen: Collection[threading.Thread]) -> int:
        """CPU time of the one thread that has ended since the marks and is not `seen`.

        `all_burned` is what all other threads burned since. 0 where none or several have ended, because nobody knows
        then which one burned. 0 where the one that has ended is a stranger. One that has begun since is in no marks: it
        is the app's, where the app started it.
        """
        since, starts = self._since(), started_by_app()
        gone = [each for each in self.marks.cpu if each not in since and each not in seen]
        born = {each for each in (*since, *seen) if each not in self.marks.cpu and is_the_apps(each)}
        came_and_went = max(0, starts - self.marks.starts - len(born))
        if len(gone) + came_and_went != 1 or any(map(self._is_stranger, gone)):
            return 0
        return max(0, all_burned - sum(since.values()))

    def _since(self) -> dict[threading.Thread, int]:
        return {each: cpu - self.marks.cpu.get(each, 0) for each, cpu in self._cpu().items()}

    def read(self) -> ThreadMarks:
        """May serve as marks."""
        cpu = self._cpu()
        return ThreadMarks(cpu, started_by_app(), self._sleeps(cpu) if self._counts_sleeps else {})

    @staticmethod
    def _cpu() -> dict[threading.Thread, int]:
        return {each: cpu for each in threading.enumerate() if (cpu := worked(each)) is not None}

    def _sleeps(self, cpu: Mapping[threading.Thread, int]) -> Mapping[threading.Thread, int]:
        """A thread that has not run since the marks has not slept anew. Of very many, nobody counts."""
        if len(cpu) > _MOST_COUNTED:
            return {}
        known = self.marks
        counted = {
            each: known.sleeps.get(each) if known.cpu.get(each) == ns else sleeps_of(each.native_id or 0)
            for each, ns in cpu.items()
            if each is not self._loop_thread and not self._is_stranger(each)
        }
        return {each: sleeps for each, sleeps in counted.items() if sleeps is not None}

    def slept(self, thread: threading.Thread) -> int | None:
        """How often the thread has gone to sleep since the marks; None where nobody knows."""
        before = self.marks.sleeps.get(thread, None if thread in self.marks.cpu else 0)
        present = sleeps_of(thread.native_id or 0) if self._counts_sleeps and before is not None else None
        return None if before is None or present is None else present - before


class RunQueue:
    """The run-queue delay (ns) of several threads, added up over all readings; threads may come and go."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        """Delay at the last reading, by native thread id."""
        self.delay = 0

    def read(self, natives: Iterable[int | None]) -> int:
        """The sum so far. A thread's count begins at its first reading."""
        for native in natives:
            delay = _delay(native)
            if delay is not None and native is not None:
                self.delay += delay - self._last.get(native, delay)
                self._last[native] = delay
        return self.delay


def _delay(native: int | None) -> int | None:
    """Field 2 of schedstat, read without a file object: forty threads are read at once."""
    try:
        file = open_fd(f"/proc/self/task/{native}/schedstat", os.O_RDONLY)
    except OSError:
        return None
    try:
        return int(read_fd(file, 64).split()[1])
    except (OSError, IndexError):
        return None
    finally:
        close_fd(file)

"""Runs the app, its lifespan included, on an event loop of our own in a thread of our own."""

import asyncio
import concurrent.futures
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal

from pytest_noblock.engine.asgi.lifespan import LIMIT_S, running
from pytest_noblock.engine.exchange import CURRENT, OURS, ASGIApp, as_ours
from pytest_noblock.engine.now import now, open_file
from pytest_noblock.engine.stacks import capture
from pytest_noblock.engine.threads.executor import SeesExecutor
from pytest_noblock.engine.threads.gil_gaps import GapSelector
from pytest_noblock.engine.usercode import UserCode

_STOP_S = LIMIT_S + 10
"""Seconds that `stop` waits for the thread at most: more than the lifespan's own limit, whose error says more."""
_CALLER_SLEEPS_CHECKS = 20
_CALLER_SLEEPS_EVERY_S = 0.0005
"""Seconds between two of the 20 checks: a call waits 10 ms at most for its caller to sleep. Without busy processes the
first or second check finds the caller asleep. Where the caller gets no processor, a longer wait would cost more than
the error is worth."""

T = TypeVar("T")


class LoopBlocked(Exception):
    """The loop thread did not answer at all; `frames` is where it sits, innermost first."""

    def __init__(self, ident: int | None) -> None:
        super().__init__("the event loop does not turn any more")
        self.frames = capture(sys._current_frames().get(ident or 0))


class LoopEnded(Exception):
    """The event loop is gone: something in it raised what no task may raise."""


class AppThread:
    """An app that runs from `start` to `stop`; `call` runs a coroutine function on its loop.

    `start`, `call` and `stop` run on the test's thread, all that begins with an
    underscore on the loop thread. The loop thread is a daemon: an endpoint that never
    gives the loop back must not keep pytest from ending.
    """

    def __init__(self, app: ASGIApp, user: UserCode) -> None:
        self.app = app
        """The app to send requests to: with its lifespan state, once it has started."""
        self.given = app
        """The app as it was given, whose routes can be read."""
        self.usable = True
        """False once its loop does not turn any more; whoever finds that out sets it."""
        self._user = user
        self._reports: queue.SimpleQueue[BlockingPortal | BaseException] = queue.SimpleQueue()
        """What the loop thread says: the portal once the app has started; the error that ended the thread."""
        self._thread = threading.Thread(target=self._run, name="noblock app", daemon=True)
        self._loop_error: concurrent.futures.Future[BaseException] = concurrent.futures.Future()
        """Done when an error has ended the loop: nothing that was called will be answered."""
        self._portal: BlockingPortal | None = None

    def start(self) -> None:
        """Raises LifespanFailed."""
        self._thread.start()
        report = self._reports.get()
        if isinstance(report, BaseException):
            self._thread.join(_STOP_S)
            raise report
        self._portal = report

    def call(self, function: Callable[..., Awaitable[T]], *args: object, timeout_s: float) -> T:
        """What the function returns or raises.

        Raises LoopBlocked when the loop does not come back within `timeout_s`, LoopEnded when it never will.
        """
        if self._portal is None:
            raise RuntimeError("the app is not running")
        future: concurrent.futures.Future[T] = as_ours(
            self._portal.start_task_soon, _once_caller_sleeps, threading.get_native_id(), function, *args
        )
        either: tuple[concurrent.futures.Future[Any], ...] = (future, self._loop_error)
        concurrent.futures.wait(either, timeout_s, concurrent.futures.FIRST_COMPLETED)
        if future.cancelled() or (self._loop_error.done() and not future.done()):
            raise LoopEnded(repr(self._loop_error.result(timeout_s)))
        if future.done():
            return future.result()
        raise LoopBlocked(self._thread.ident)

    def stop(self) -> None:
        """Raises LifespanFailed when the shutdown fails; gives up on a loop that does not turn."""
        portal, self._portal = self._portal, None
        if portal is None:
            return
        as_ours(portal.start_task_soon, portal.stop)
        self._thread.join(_STOP_S)
        if not self._reports.empty():
            report = self._reports.get()
            if isinstance(report, BaseException):
                raise report

    def _run(self) -> None:
        CURRENT.set(OURS)  # what the loop itself needs is not the app's
        try:
            with asyncio.Runner(loop_factory=_new_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # handed to whoever started or stops the app
            self._reports.put(error)
            self._loop_error.set_result(error)

    async def _serve(self) -> None:
        async with running(self.given, self._user) as app, BlockingPortal() as portal:
            self.app = app
            self._reports.put(portal)
            await portal.sleep_until_stopped()


class _SelectorLoop(SeesExecutor, asyncio.SelectorEventLoop):
    """The loop of the app."""

    def __init__(self) -> None:
        super().__init__(GapSelector())


if sys.platform == "win32":

    class _ProactorLoop(SeesExecutor, asyncio.ProactorEventLoop):
        """The loop of the app."""


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":  # the selector loop there has no subprocesses
        loop: asyncio.AbstractEventLoop = _ProactorLoop()
    else:
        loop = _SelectorLoop()
    _use_our_clock(loop)
    return loop


def _use_our_clock(loop: asyncio.AbstractEventLoop) -> None:
    """Have the loop's timers go by `now`, so that they go on in a test that freezes `time.monotonic`.

    asyncio's own loops call `self.time()` for every timer (CPython 3.11 to 3.14). A loop
    that reads the clock in another way stands still in such a test, as it does without us.
    """
    loop.time = lambda: now() / 1e9  # type: ignore[method-assign]


async def _once_caller_sleeps(caller: int, function: Callable[..., Awaitable[T]], *args: object) -> T:
    """Call the function on the loop thread, once the test's thread sleeps; `caller` is the native id of that thread.

    The test's thread waits for the answer. The CPU time that it burns before it sleeps would
    count as the work of another thread during the request.
    """
    for _ in range(_CALLER_SLEEPS_CHECKS):
        if _sleeps(caller):
            break
        await asyncio.sleep(_CALLER_SLEEPS_EVERY_S)
    return await function(*args)


def _sleeps(native: int) -> bool:
    """Whether the kernel shows the thread as asleep (Linux: state `S` in `/proc/self/task/<tid>/stat`).

    True where there is no such file: the call is made at once then.
    """
    try:
        with open_file(f"/proc/self/task/{native}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"S"
    except OSError:
        return True

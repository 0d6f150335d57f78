"""Runs the app, its lifespan included, on an event loop of our own in a thread of our own."""

import asyncio
import concurrent.futures
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal

from pytest_noblock.engine.asgi.lifespan import running
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import capture
from pytest_noblock.engine.threads.executor import SeesExecutor
from pytest_noblock.engine.threads.gil_gaps import GapSelector
from pytest_noblock.engine.usercode import UserCode

_open = open  # a test may put a mock in its place

_STOP_S = 40
"""More than the lifespan's own limit."""

T = TypeVar("T")


class LoopBlocked(Exception):
    """The loop thread did not answer at all; `frames` is where it sits."""

    def __init__(self, ident: int | None) -> None:
        super().__init__("the event loop does not turn any more")
        self.frames = capture(sys._current_frames().get(ident or 0))


class LoopEnded(Exception):
    """The event loop is gone: something in it raised what no task may raise."""


class AppThread:
    """An app that runs from `start` to `stop`; `call` runs a coroutine function beside it.

    The thread is a daemon: an endpoint that never gives the loop back must not keep
    pytest from ending.
    """

    def __init__(self, app: ASGIApp, user: UserCode) -> None:
        self.app = app
        """The app with its lifespan state, once started."""
        self.given = app
        self.usable = True
        """False once its loop does not turn any more."""
        self._user = user
        self._ready: queue.SimpleQueue[BlockingPortal | BaseException] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="noblock app", daemon=True)
        self._gone: concurrent.futures.Future[BaseException] = concurrent.futures.Future()
        self._portal: BlockingPortal | None = None

    def start(self) -> None:
        """Raises LifespanFailed."""
        self._thread.start()
        answer = self._ready.get()
        if isinstance(answer, BaseException):
            self._thread.join(_STOP_S)
            raise answer
        self._portal = answer

    def call(self, function: Callable[..., Awaitable[T]], *args: object, timeout_s: float) -> T:
        """Raises LoopBlocked when the loop does not come back in time, LoopEnded when it never will."""
        if self._portal is None:
            raise RuntimeError("the app is not running")
        future: concurrent.futures.Future[T] = self._portal.start_task_soon(
            _once_asleep, threading.get_native_id(), function, *args
        )
        both: tuple[concurrent.futures.Future[Any], ...] = (future, self._gone)
        concurrent.futures.wait(both, timeout_s, concurrent.futures.FIRST_COMPLETED)
        if future.cancelled() or (self._gone.done() and not future.done()):
            raise LoopEnded(repr(self._gone.result(timeout_s)))
        if future.done():
            return future.result()
        raise LoopBlocked(self._thread.ident)

    def stop(self) -> None:
        """Raises LifespanFailed when the shutdown fails; gives up on a loop that does not turn."""
        portal, self._portal = self._portal, None
        if portal is None:
            return
        portal.start_task_soon(portal.stop)
        self._thread.join(_STOP_S)
        if not self._ready.empty():
            failure = self._ready.get()
            if isinstance(failure, BaseException):
                raise failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # handed to whoever started or stops the app
            self._ready.put(error)
            self._gone.set_result(error)

    def _loop(self) -> asyncio.AbstractEventLoop:
        if sys.platform == "win32":  # the selector loop there has no subprocesses
            loop: asyncio.AbstractEventLoop = _ProactorLoop()
        else:
            loop = _SelectorLoop()
        loop.time = lambda: now() / 1e9  # type: ignore[method-assign]  # turns on in a test that freezes the clocks
        return loop

    async def _serve(self) -> None:
        async with running(self.given, self._user) as app, BlockingPortal() as portal:
            self.app = app
            self._ready.put(portal)
            await portal.sleep_until_stopped()


class _SelectorLoop(SeesExecutor, asyncio.SelectorEventLoop):
    """The loop of the app."""

    def __init__(self) -> None:
        super().__init__(GapSelector())


if sys.platform == "win32":

    class _ProactorLoop(SeesExecutor, asyncio.ProactorEventLoop):
        """The loop of the app."""


async def _once_asleep(caller: int, function: Callable[..., Awaitable[T]], *args: object) -> T:
    """What the calling thread still burns on its way to sleep would count as another thread's work: wait for that."""
    for _ in range(20):
        if _asleep(caller):
            break
        await asyncio.sleep(0.0005)
    return await function(*args)


def _asleep(native: int) -> bool:
    """The state in `/proc/self/task/<tid>/stat`; True where the kernel does not tell."""
    try:
        with _open(f"/proc/self/task/{native}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"S"
    except OSError:
        return True

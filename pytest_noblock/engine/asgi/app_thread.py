"""Runs the app, its lifespan included, on an event loop of our own in a thread of our own."""

import asyncio
import concurrent.futures
import contextlib
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from pytest_noblock.engine import instrument
from pytest_noblock.engine.asgi import closing, lifespan
from pytest_noblock.engine.asgi.lifespan import Lifespan, LifespanFailed, not_finished, sits_at
from pytest_noblock.engine.asgi.own_loops import hosted, new_loop
from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.errors import shown
from pytest_noblock.engine.exchange import CURRENT, OURS, ASGIApp, LiveExchange, as_ours
from pytest_noblock.engine.now import now, read_file
from pytest_noblock.engine.raw_stacks import RawFrame, capture
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import OwnLoop

_HELD_S = 5
"""Seconds that the loop may be held before it takes the order to stop. Chosen: no task may hold a loop for so long, and
a busy machine lets a loop that is free turn in less. The stack is the second witness: a user line must be on it."""
_LOOK_EVERY_S = 1
"""Seconds between two looks at a call that does not end."""
_LOOK_AGAIN_S = 0.5
"""Seconds between the two looks at the stack that tell a loop that is held."""
_GRACE_S = 3
"""Seconds that the test's thread waits beyond the limit of the loop thread, whose error says more."""
_CALLER_SLEEPS_CHECKS = 20
_CALLER_SLEEPS_EVERY_S = 0.0005
"""Seconds between two of the 20 checks: a call waits 10 ms at most for its caller to sleep. Without busy processes the
first or second check finds the caller asleep. Where the caller gets no processor, a longer wait would cost more than
the error is worth."""

T = TypeVar("T")
Measured = Callable[[LiveExchange], AbstractContextManager[None]]
"""Makes what stands around the app's start, and around its stop, on the loop thread."""


class LoopBlocked(Exception):
    """The loop thread did not answer at all; `frames` is where it sits, innermost first."""

    def __init__(self, frames: Sequence[RawFrame]) -> None:
        super().__init__("the event loop does not turn any more")
        self.frames = frames


class LoopEnded(Exception):
    """The event loop is gone: something in it raised what no task may raise."""


class InForkedChild(Exception):
    """The app runs in the process that forked this one."""


class AppThread:
    """An app that runs from `start` to `stop`; `call` runs a coroutine function on its loop.

    `start`, `call`, `stop` and `abandon` run on the test's thread; `_run`, `_serve` and
    `_say` on the loop thread. The loop thread is a daemon: an endpoint that never gives
    the loop back must not keep pytest from ending. No call waits for it without a limit.
    """

    def __init__(
        self, app: ASGIApp, user: UserCode, measured: "Measured | None" = None, loop: OwnLoop = "asyncio"
    ) -> None:
        """`measured`: None where start and stop are not measured. `loop`: what the app runs on."""
        self._pid = os.getpid()
        self.app = app
        """The app to send requests to: with its lifespan state, once it has started."""
        self.given = app
        """The app as it was given, whose routes can be read."""
        self.usable = True
        """False once its loop does not turn any more; whoever finds that out sets it."""
        self.last_owner: LiveExchange | None = None
        """Whose the last step was that a meter saw before the loop ended."""
        self._user = user
        self._kind = loop
        self._measured: Measured = measured or (lambda _record: nullcontext())
        self._thread = threading.Thread(target=self._run, name="noblock app", daemon=True)
        self._loop: Any = None
        self._stop_wanted: asyncio.Event | None = None
        self._started: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the app has started, or when its start has failed."""
        self._stopping = threading.Event()
        """Set when the loop has taken the order to stop, or has ended."""
        self._lifespan_over = threading.Event()
        """Set when the app has stopped, or its loop has ended."""
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the loop has ended, with the error that ended it."""

    def start(self) -> None:
        """Raises LifespanFailed."""
        self._thread.start()
        try:
            self._within_limit(lambda seconds: bool(concurrent.futures.wait((self._started,), seconds).done))
        except BaseException as interrupt:  # as in `call`
            self._note_interrupt(interrupt)
            self.abandon()
            raise
        if not self._started.done():
            self.abandon()
            raise LifespanFailed(not_finished("startup", self._frames(), self._user))
        if self._started.exception() is not None:
            self._thread.join(_GRACE_S)
        self._started.result()

    def call(
        self,
        function: Callable[..., Awaitable[T]],
        *args: object,
        timeout_s: float,
        overdue: Callable[[], bool] = lambda: False,
    ) -> T:
        """What the function returns or raises.

        Raises LoopBlocked when the loop does not come back within `timeout_s`, LoopEnded when it never will.
        `overdue`: asked now and then, whether the function should have ended before. It is believed where the stack
        shows a user line, too.
        """
        future = self._call_soon(_once_caller_sleeps(threading.get_native_id(), function, *args))
        either: tuple[concurrent.futures.Future[Any], ...] = (future, self._ended)
        try:
            self._wait(either, timeout_s, overdue)
        except BaseException as interrupt:  # Ctrl-C, the alarm of pytest-timeout
            self._note_interrupt(interrupt)
            future.cancel()
            raise
        if future.cancelled() or (self._ended.done() and not future.done()):
            raise self._loop_ended()
        if future.done():
            return future.result()
        raise LoopBlocked(self._frames())

    def stop(self) -> None:
        """Raises LifespanFailed when the shutdown fails, or does not end; gives up on a loop that does not turn."""
        wanted, self._stop_wanted = self._stop_wanted, None
        if wanted is None or self._pid != os.getpid():  # a forked child has none of its parent's threads
            return
        self._tell(wanted.set)
        if self._holds_its_loop():
            raise self._given_up(_held(self._sits()))
        if not self._within_limit(self._lifespan_over.wait):
            raise self._given_up(not_finished("shutdown", self._frames(), self._user))
        concurrent.futures.wait((self._ended,), closing.CLOSE_S + _GRACE_S)
        if not self._ended.done():
            raise self._given_up(_held(self._sits()))
        self._thread.join(_GRACE_S)
        error = self._ended.exception()
        if error is not None:
            raise error if isinstance(error, LifespanFailed) else LifespanFailed(f"the app ended its loop by {error!r}")

    def abandon(self) -> None:
        """Do not wait for the app any more. Where its loop comes back, it stops by itself."""
        self._give_up()
        wanted, self._stop_wanted = self._stop_wanted, None
        if wanted is not None and self._thread.is_alive():
            self._tell(wanted.set)

    def _wait(
        self, either: "tuple[concurrent.futures.Future[Any], ...]", timeout_s: float, overdue: Callable[[], bool]
    ) -> None:
        """Until one of them is done. Most calls end before the first look: to look takes CPU, and would be measured."""
        deadline = now() + round(timeout_s * 1e9)
        while (left := (deadline - now()) / 1e9) > 0:
            seconds = min(left, _LOOK_EVERY_S)
            if concurrent.futures.wait(either, seconds, concurrent.futures.FIRST_COMPLETED).done:
                return
            if overdue() and self._sits():
                return

    def _given_up(self, why: str) -> LifespanFailed:
        self._give_up()
        return LifespanFailed(why)

    def _give_up(self) -> None:
        """The app is not used again; what was patched for its sake is taken out."""
        self.usable = False
        if self._thread.ident is not None and self._thread.is_alive():
            instrument.give_up(self._thread.ident)

    def _tell(self, function: Callable[[], None]) -> None:
        """Have the loop thread call the function, and do not wait for that."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            as_ours(self._loop.call_soon_threadsafe, function)

    def _call_soon(self, call: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Unlike `anyio.from_thread.BlockingPortal` (seen in 4.9 to 4.16), this does not wait for the loop."""
        try:
            self._must_run_here()
            return as_ours(_start, call, self._loop)
        except BaseException as error:
            call.close()
            if isinstance(error, RuntimeError) and self._stop_wanted is not None:  # the loop is closed
                raise self._loop_ended() from None
            raise

    def _must_run_here(self) -> None:
        if self._stop_wanted is None:
            raise RuntimeError("the app is not running")
        if self._pid != os.getpid():
            raise InForkedChild

    def _loop_ended(self) -> LoopEnded:
        concurrent.futures.wait((self._ended,), closing.CLOSE_S + _GRACE_S)
        error = self._ended.exception() if self._ended.done() else None
        return LoopEnded(shown(error or asyncio.CancelledError()))

    def _note_interrupt(self, interrupt: BaseException) -> None:
        """The test's thread is interrupted while it waits, as by Ctrl-C: where a line holds the loop, that is why."""
        if held := self._sits():
            self.abandon()
            interrupt.add_note(f"the app's event loop was held meanwhile{held}")

    def _holds_its_loop(self) -> bool:
        """Whether the loop does not take the order to stop."""
        if self._stopping.wait(_HELD_S):
            return False
        if self._sits() and not self._stopping.wait(_LOOK_AGAIN_S) and self._sits():
            return True
        return not self._stopping.wait(lifespan.LIMIT_S)

    def _within_limit(self, wait: Callable[[float], bool]) -> bool:
        """Whether the lifespan's stage ended in time.

        The grace is for the loop thread's own sentence: a loop that a line holds at its limit gets none.
        """
        if wait(lifespan.LIMIT_S):
            return True
        if self._sits() and not wait(_LOOK_AGAIN_S) and self._sits():
            return False
        return wait(_GRACE_S)

    def _sits(self) -> str:
        return sits_at(self._frames(), self._user)

    def _frames(self) -> list[RawFrame]:
        return capture(current_frames().get(self._thread.ident or 0))

    def _run(self) -> None:
        CURRENT.set(OURS)  # what the loop itself needs is not the app's
        error: BaseException | None = None
        self._loop = new_loop(self._kind)
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as raised:  # noqa: BLE001  # handed to whoever started or stops the app
            error = raised
        meter = instrument.current_meter()
        self.last_owner = meter.last_owner if meter is not None else None
        left = _closed(self._loop, self._user)
        self._say(error or left)

    def _say(self, error: BaseException | None) -> None:
        """The loop has ended: nobody waits for it any more."""
        for each in (self._started, self._ended):
            if each.done():
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)
        self._stopping.set()
        self._lifespan_over.set()

    async def _serve(self) -> None:
        self._stop_wanted = wanted = asyncio.Event()
        async with hosted(self._kind, self.given, self._user) as app:
            await self._run_lifespan(Lifespan(app, self._user), wanted)

    async def _run_lifespan(self, call: Lifespan, wanted: asyncio.Event) -> None:
        try:
            with self._measured(call.record):
                self.app = await call.start()
        except BaseException as error:
            self._started.set_exception(error)
            raise
        self._started.set_result(None)
        if self.usable:  # else nobody waited for the start any more
            await wanted.wait()
        self._stopping.set()
        try:
            with self._measured(call.record):
                await call.stop()
        finally:
            self._lifespan_over.set()


def _start(call: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> "concurrent.futures.Future[T]":
    """Have the loop run the call in a copy of this context: what the test has in a ContextVar the app sees.

    The name of the test's async library is in one as well, for anyio (4.9 to 4.16, by sniffio 1.3, where that is
    installed): under a test on trio the app would take its loop for trio's.
    """
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.current_async_library_cvar.set("asyncio")
    return asyncio.run_coroutine_threadsafe(call, loop)


def _held(sits: str) -> str:
    return f"the app cannot be stopped: it holds the event loop{sits}"


def _closed(loop: asyncio.AbstractEventLoop, user: UserCode) -> BaseException | None:
    """Close the loop; what went wrong, and None where nothing did."""
    error: BaseException | None = None
    try:
        loop.run_until_complete(closing.close_down(loop, user))
    except BaseException as raised:  # noqa: BLE001  # handed to whoever stops the app
        error = raised
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return error


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
        return read_file(f"/proc/self/task/{native}/stat").rpartition(b")")[2].split()[0] == b"S"
    except OSError:
        return True

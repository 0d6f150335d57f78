"""Runs the app, its lifespan included, on an event loop of our own in a thread of our own."""

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from pytest_noblock.engine import instrument
from pytest_noblock.engine.asgi import closing, lifespan
from pytest_noblock.engine.asgi.app_loop import AppLoop, Measured
from pytest_noblock.engine.asgi.handed_over import hand_over, once_caller_sleeps
from pytest_noblock.engine.asgi.lifespan import LifespanFailed, not_finished, sits_at
from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.errors import shown
from pytest_noblock.engine.exchange import ASGIApp, LiveExchange, as_ours
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.now import now
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

T = TypeVar("T")


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

    All of it runs on the test's thread; what the loop thread does is `AppLoop`'s. The loop thread is a daemon: an
    endpoint that never gives the loop back must not keep pytest from ending. No call waits for it without a limit.
    """

    def __init__(
        self, app: ASGIApp, user: UserCode, measured: "Measured | None" = None, loop: OwnLoop = "asyncio"
    ) -> None:
        """`measured`: None where start and stop are not measured. `loop`: what the app runs on."""
        self.usable = True
        """False once its loop does not turn any more; whoever finds that out sets it."""
        self._pid = os.getpid()
        self._user = user
        self._app_loop = AppLoop(app, user, measured, loop)
        self._thread = threading.Thread(target=self._app_loop.run, name="noblock app", daemon=True)

    @property
    def app(self) -> ASGIApp:
        """See `AppLoop.app`."""
        return self._app_loop.app

    @property
    def given(self) -> ASGIApp:
        """See `AppLoop.given`."""
        return self._app_loop.given

    @property
    def last_owner(self) -> LiveExchange | None:
        """See `AppLoop.last_owner`."""
        return self._app_loop.last_owner

    def start(self) -> None:
        """Raises LifespanFailed."""
        self._thread.start()
        try:
            self._within_limit(lambda seconds: bool(concurrent.futures.wait((self._app_loop.started,), seconds).done))
        except BaseException as interrupt:  # as in `call`
            self._note_interrupt(interrupt)
            self.abandon()
            raise
        if not self._app_loop.started.done():
            self.abandon()
            raise LifespanFailed(not_finished("startup", self._frames(), self._user))
        if self._app_loop.started.exception() is not None:
            self._thread.join(_GRACE_S)
        self._app_loop.started.result()

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
        future = self._call_soon(once_caller_sleeps(threading.get_native_id(), function, *args))
        either: tuple[concurrent.futures.Future[Any], ...] = (future, self._app_loop.ended)
        try:
            self._wait(either, timeout_s, overdue)
        except BaseException as interrupt:  # Ctrl-C, the alarm of pytest-timeout
            self._note_interrupt(interrupt)
            future.cancel()
            raise
        if future.cancelled() or (self._app_loop.ended.done() and not future.done()):
            raise self._loop_ended()
        if future.done():
            return future.result()
        raise LoopBlocked(self._frames())

    def stop(self) -> None:
        """Raises LifespanFailed when the shutdown fails, or does not end; gives up on a loop that does not turn."""
        wanted = self._app_loop.stop_order()
        if wanted is None or self._pid != os.getpid():  # a forked child has none of its parent's threads
            return
        self._tell(wanted.set)
        if self._holds_its_loop():
            raise self._given_up(_held(self._sits()))
        if not self._within_limit(self._app_loop.lifespan_over.wait):
            raise self._given_up(not_finished("shutdown", self._frames(), self._user))
        concurrent.futures.wait((self._app_loop.ended,), closing.CLOSE_S + _GRACE_S)
        if not self._app_loop.ended.done():
            raise self._given_up(_held(self._sits()))
        self._thread.join(_GRACE_S)
        error = self._app_loop.ended.exception()
        if error is not None:
            raise error if isinstance(error, LifespanFailed) else LifespanFailed(f"the app ended its loop by {error!r}")

    def abandon(self) -> None:
        """Do not wait for the app any more. Where its loop comes back, it stops by itself."""
        self._give_up()
        wanted = self._app_loop.stop_order()
        if wanted is not None and self._thread.is_alive():
            self._tell(wanted.set)

    def _wait(
        self, either: "tuple[concurrent.futures.Future[Any], ...]", timeout_s: float, overdue: Callable[[], bool]
    ) -> None:
        """Until one of them is done. Most calls end before the first look: to look takes CPU, and would be measured.

        Each time this thread may get the GIL before the watchdog, right after a call in C that kept it. It looks first.
        """
        deadline = now() + round(timeout_s * 1e9)
        while (left := (deadline - now()) / 1e9) > 0:
            seconds = min(left, _LOOK_EVERY_S)
            if concurrent.futures.wait(either, seconds, concurrent.futures.FIRST_COMPLETED).done:
                return
            guarded(instrument.look_at, self._thread.ident or 0)
            if overdue() and self._sits():
                return

    def _given_up(self, why: str) -> LifespanFailed:
        self._give_up()
        return LifespanFailed(why)

    def _give_up(self) -> None:
        """The app is not used again; what was patched for its sake is taken out."""
        self.usable = False
        self._app_loop.nobody_waits = True
        if self._thread.ident is not None and self._thread.is_alive():
            instrument.give_up(self._thread.ident)

    def _tell(self, function: Callable[[], None]) -> None:
        """Have the loop thread call the function, and do not wait for that."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            as_ours(self._app_loop.loop.call_soon_threadsafe, function)

    def _call_soon(self, call: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Unlike `anyio.from_thread.BlockingPortal` (seen in 4.9 to 4.16), this does not wait for the loop."""
        try:
            self._must_run_here()
            return as_ours(hand_over, call, self._app_loop.loop)
        except BaseException as error:
            call.close()
            if isinstance(error, RuntimeError) and self._app_loop.runs:  # the loop is closed
                raise self._loop_ended() from None
            raise

    def _must_run_here(self) -> None:
        if not self._app_loop.runs:
            raise RuntimeError("the app is not running")
        if self._pid != os.getpid():
            raise InForkedChild

    def _loop_ended(self) -> LoopEnded:
        concurrent.futures.wait((self._app_loop.ended,), closing.CLOSE_S + _GRACE_S)
        error = self._app_loop.ended.exception() if self._app_loop.ended.done() else None
        return LoopEnded(shown(error or asyncio.CancelledError()))

    def _note_interrupt(self, interrupt: BaseException) -> None:
        """The test's thread is interrupted while it waits, as by Ctrl-C: where a line holds the loop, that is why."""
        if held := self._sits():
            self.abandon()
            interrupt.add_note(f"the app's event loop was held meanwhile{held}")

    def _holds_its_loop(self) -> bool:
        """Whether the loop does not take the order to stop."""
        if self._app_loop.stopping.wait(_HELD_S):
            return False
        if self._sits() and not self._app_loop.stopping.wait(_LOOK_AGAIN_S) and self._sits():
            return True
        return not self._app_loop.stopping.wait(lifespan.LIMIT_S)

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


def _held(sits: str) -> str:
    return f"the app cannot be stopped: it holds the event loop{sits}"

"""The loop thread's side of an app that runs in a thread of its own: the loop, the app's start, its stop."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pytest_noblock.engine.asgi import closing
from pytest_noblock.engine.asgi.lifespan import Lifespan
from pytest_noblock.engine.asgi.own_loops import hosted, new_loop
from pytest_noblock.engine.exchange import CURRENT, OURS, ASGIApp, LiveExchange
from pytest_noblock.engine.steps.handles import current_meter
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import OwnLoop

Measured = Callable[[LiveExchange], AbstractContextManager[None]]
"""Makes what stands around the app's start, and around its stop, on the loop thread."""


class AppLoop:
    """`run` is all of the loop thread's life. What it comes to, any thread may read."""

    def __init__(self, app: ASGIApp, user: UserCode, measured: Measured | None, kind: OwnLoop) -> None:
        """`measured`: None where start and stop are not measured. `kind`: what the app runs on."""
        self.given = app
        """The app as it was given, whose routes can be read."""
        self.app = app
        """The app to send requests to: with its lifespan state, once it has started."""
        self.last_owner: LiveExchange | None = None
        """Whose the last step was that a meter saw before the loop ended."""
        self.loop: Any = None
        self.nobody_waits = False
        """Whoever waited for the start has given up: the app is stopped as soon as it has started."""
        self.started: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the app has started, or when its start has failed."""
        self.stopping = threading.Event()
        """Set when the loop has taken the order to stop, or has ended."""
        self.lifespan_over = threading.Event()
        """Set when the app has stopped, or its loop has ended."""
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the loop has ended, with the error that ended it."""
        self._user = user
        self._kind = kind
        self._measured: Measured = measured or (lambda _record: nullcontext())
        self._stop_wanted: asyncio.Event | None = None

    @property
    def runs(self) -> bool:
        """Whether the loop was begun, and no order to stop was taken out."""
        return self._stop_wanted is not None

    def stop_order(self) -> asyncio.Event | None:
        """What stops the app when the loop thread sets it. It is given out once."""
        wanted, self._stop_wanted = self._stop_wanted, None
        return wanted

    def run(self) -> None:
        CURRENT.set(OURS)  # what the loop itself needs is not the app's
        error: BaseException | None = None
        self.loop = new_loop(self._kind)
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._serve())
        except BaseException as raised:  # noqa: BLE001  # handed to whoever started or stops the app
            error = raised
        meter = current_meter()
        self.last_owner = meter.last_owner if meter is not None else None
        left = _closed(self.loop, self._user)
        self._say(error or left)

    def _say(self, error: BaseException | None) -> None:
        """The loop has ended: nobody waits for it any more."""
        for each in (self.started, self.ended):
            if each.done():
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)
        self.stopping.set()
        self.lifespan_over.set()

    async def _serve(self) -> None:
        self._stop_wanted = wanted = asyncio.Event()
        async with hosted(self._kind, self.given, self._user) as app:
            await self._run_lifespan(Lifespan(app, self._user), wanted)

    async def _run_lifespan(self, call: Lifespan, wanted: asyncio.Event) -> None:
        try:
            with self._measured(call.record):
                self.app = await call.start()
        except BaseException as error:
            self.started.set_exception(error)
            raise
        self.started.set_result(None)
        if not self.nobody_waits:
            await wanted.wait()
        self.stopping.set()
        try:
            with self._measured(call.record):
                await call.stop()
        finally:
            self.lifespan_over.set()


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

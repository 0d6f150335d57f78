"""Watches the requests that a test makes, whatever client sends them and whichever thread runs the app."""

import threading
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pytest_noblock.engine import entrances, loops, starlette
from pytest_noblock.engine.clocks import LinuxClock, PortableClock
from pytest_noblock.engine.descriptors import AWAITED
from pytest_noblock.engine.exchange import ASGIApp, Record
from pytest_noblock.engine.instrument import current_meter, installed, register, unregister
from pytest_noblock.engine.meter import StepMeter
from pytest_noblock.engine.metering import settled
from pytest_noblock.engine.sockets import SocketTable
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.watchdog import Watchdog
from pytest_noblock.observation import Meter, Observation, Segment


class Watch:
    """One test's requests; every thread in which one enters an app gets a meter."""

    def __init__(self, kind: Meter, user: UserCode, sample_after: int) -> None:
        self.records: list[Record] = []
        self._kind = kind
        self._user = user
        self._sample_after = sample_after
        self._sockets: SocketTable | None = None
        self._metered: list[_MeteredThread] = []
        self._segments: list[Segment] = []

    @contextmanager
    def active(self) -> Iterator[None]:
        """Requests are seen until the block is left; then nothing of ours is left either."""
        with ExitStack() as stack:
            stack.enter_context(installed())
            for undo in entrances.install(self):
                stack.callback(undo)
            stack.callback(self._close)
            yield

    def observation(self) -> Observation:
        """Complete once the watch has ended."""
        exchanges = tuple(starlette.settled(record, self._user) for record in self.records)
        return Observation(self._kind, exchanges, tuple(self._segments))

    def entered(self, app: ASGIApp, record: Record) -> StepMeter:
        """See `boundary.Watcher`."""
        if app not in self._user.apps:
            self._user.apps.add(app)
            self._user.include(starlette.packages_of(app))
        self.records.append(record)
        meter = current_meter()
        if meter is None or not meter.of_this_thread():
            meter = self._new_meter()
        return meter

    def stepping(self, call: Coroutine[Any, Any, None], meter: StepMeter) -> Awaitable[None]:
        """See `boundary.Watcher`."""
        return loops.stepping(call, meter)

    def _new_meter(self) -> StepMeter:
        for ended in [each for each in self._metered if not each.alive()]:
            self._finish(ended)
        thread = _MeteredThread(self._kind, self._user, self._shared_sockets(), self._sample_after)
        self._metered.append(thread)
        return thread.meter

    def _shared_sockets(self) -> SocketTable | None:
        """Sockets belong to the process; the table is locked by nothing but the interpreter lock."""
        if self._kind == "full" and self._sockets is None:
            self._sockets = SocketTable(AWAITED)
        return self._sockets

    def _finish(self, thread: "_MeteredThread") -> None:
        self._metered.remove(thread)
        self._segments.extend(thread.close())

    def _close(self) -> None:
        for thread in list(self._metered):
            self._finish(thread)


class _MeteredThread:
    """A thread that runs an app, its meter, and what the meter needs."""

    def __init__(self, kind: Meter, user: UserCode, sockets: SocketTable | None, sample_after: int) -> None:
        self._user = user
        self._native = threading.get_native_id()
        clock = LinuxClock() if kind == "full" else PortableClock()
        self.meter = StepMeter(clock, user, sockets)
        self.meter.watchdog = self._watchdog = Watchdog(sample_after)
        self._undo = loops.prepare(self.meter)
        register(self.meter)

    def alive(self) -> bool:
        return any(thread.native_id == self._native for thread in threading.enumerate())

    def close(self) -> tuple[Segment, ...]:
        unregister(self.meter)
        self.meter.closed = True
        if self._undo is not None:
            self._undo()
        self._watchdog.stop()
        return settled(self.meter, self._user)

"""Watches the requests that a test makes, whatever client sends them and whichever thread runs the app."""

import threading
from functools import cached_property

from pytest_noblock.engine.asgi.entry_points import Entrances
from pytest_noblock.engine.clocks import Clock, LinuxClock, PortableClock
from pytest_noblock.engine.exchange import ASGIApp, LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.instrument import born_at, catch_up, current_meter, install, register, uninstall, unregister
from pytest_noblock.engine.meters import with_samples
from pytest_noblock.engine.network.awaited_fds import AWAITED
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.steps import other_loops
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.watchdog import Watchdog
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Meter, Observation, Segment


class Kit:
    """What watches are made of: kept for the session where every test is watched, made for each test elsewhere."""

    def __init__(self, kind: Meter, user: UserCode) -> None:
        self.kind = kind
        self.user = user

    @cached_property
    def sockets(self) -> SocketTable | None:
        """Sockets belong to the process; the table is locked by nothing but the interpreter lock."""
        return SocketTable(AWAITED) if self.kind == "full" else None

    @cached_property
    def watchdog(self) -> Watchdog:
        return Watchdog(after=0)

    def clock(self, thread: threading.Thread) -> Clock:
        return LinuxClock(born_at(thread)) if self.kind == "full" else PortableClock()

    @cached_property
    def entrances(self) -> Entrances:
        return Entrances()

    def close(self) -> None:
        if "watchdog" in vars(self):
            self.watchdog.stop()


class Watch:
    """One test's requests; every thread in which one enters an app gets a meter."""

    def __init__(self, kit: Kit, sample_after: int) -> None:
        self.records: list[LiveExchange] = []
        self._kit = kit
        self._sample_after = sample_after
        self._metered: list[_MeteredThread] = []
        self._ended: list[tuple[Segment, int]] = []
        self.segments: tuple[Segment, ...] = ()

    def start(self, *, inherits: bool = False) -> None:
        """Requests are seen from now on. `inherits`: the kit's last watch was not left, its patches are this one's."""
        if not inherits:
            install()
            self._kit.entrances.open()
        elif catch_up():
            self._kit.entrances.catch_up()
        self._kit.watchdog.after = self._sample_after
        self._kit.entrances.watcher = self

    def stop(self) -> None:
        """Requests are not seen any more; what is patched stays so until `leave`."""
        self._kit.entrances.watcher = None
        for thread in list(self._metered):
            self._finish(thread)
        if self._ended:
            self.segments = with_samples(self._ended, self._kit.watchdog.take(), self._kit.user)

    def leave(self) -> None:
        """Nothing of ours is left: after the fixtures, which may give back what they found at their start."""
        self._kit.entrances.close()
        uninstall()

    def observation(self) -> Observation:
        """Complete once the watch has ended."""
        exchanges = tuple(starlette.finished(record, self._kit.user) for record in self.records)
        return Observation(self._kit.kind, exchanges, self.segments)

    def entered(self, app: ASGIApp, record: LiveExchange) -> StepMeter:
        """See `boundary.Watcher`."""
        if app not in self._kit.user.apps:
            self._kit.user.apps.add(app)
            self._kit.user.include(starlette.packages_of(app))
        self.records.append(record)
        meter = current_meter()
        if meter is None or not meter.of_this_thread():
            meter = self._new_meter()
        return meter

    def _new_meter(self) -> StepMeter:
        for ended in [each for each in self._metered if not each.alive()]:
            self._finish(ended)
        kit = self._kit
        thread = threading.current_thread()
        meter = StepMeter(kit.clock(thread), kit.user, kit.sockets)
        meter.watchdog = kit.watchdog
        self._metered.append(_MeteredThread(thread, meter))
        return meter

    def _finish(self, thread: "_MeteredThread") -> None:
        self._metered.remove(thread)
        thread.close()
        self._ended.extend(thread.meter.segments)


class _MeteredThread:
    """A thread that runs an app, and its meter; made on that thread."""

    def __init__(self, thread: threading.Thread, meter: StepMeter) -> None:
        self.meter = meter
        self._thread = thread
        self._undo = other_loops.install_steps(meter)
        register(meter)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        unregister(self.meter)
        self.meter.close()
        if self._undo is not None:
            self._undo()

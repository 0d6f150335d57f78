"""Watches the requests that a test makes, whatever client sends them and whichever thread runs the app."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_noblock.engine import earlier_tests, instrument
from pytest_noblock.engine.asgi.entry_points import EntryPoints
from pytest_noblock.engine.beside_watched_steps import BesideWatchedSteps
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.metered_threads import MeteredThread, MeteredThreads
from pytest_noblock.engine.meters import MeterKit
from pytest_noblock.engine.network.client_calls import SENT
from pytest_noblock.engine.open_loops import OpenLoops
from pytest_noblock.engine.other_threads import switch_interval
from pytest_noblock.engine.steps import fallen_due, first_uses, other_loops, thread_starts
from pytest_noblock.engine.steps.handles import current_meter
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.threads.under_way import UnderWay
from pytest_noblock.engine.tracers import slowdown
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import LIFESPAN, Meter, Observation
from pytest_noblock.model.segment import Segment

if TYPE_CHECKING:
    from pytest_noblock.engine.asgi.client_side import Watcher
    from pytest_noblock.model.concurrency import Collection


_of_fixtures: "list[RequestWatch]" = []
"""The watch of the test whose fixtures end now: at most one. It is told of apps that these fixtures stop."""


class Kit:
    """What watches need: one for the session where every test is watched, else one for each test."""

    def __init__(self, kind: Meter, user: UserCode, new_app: Callable[[object], None] = lambda _app: None) -> None:
        """`new_app`: is told of each app when a request enters it for the first time, on the thread that runs it."""
        self.kind = kind
        self.new_app = new_app
        self.user = user
        self.meters = MeterKit(kind, user)
        self.entry_points = EntryPoints()

    def close(self) -> None:
        self.meters.close()


class RequestWatch:
    """The requests of one test. Every thread on which one enters an app gets a meter.

    `start`, `stop` and `leave` belong to the test's thread; `request_enters` runs on the thread
    that runs the app. After `stop` the values are complete.
    """

    segments: tuple[Segment, ...] = ()
    sent: tuple[str, int] | None = None
    """By which client the test's thread sent most requests, and how many; None where it sent none."""
    _slowdown = 1
    _patched = False
    """Whether this watch has the patches in."""
    _stops: Sequence[LiveExchange] = ()
    """The lifespans that ended in the fixtures' teardown."""

    def __init__(
        self, kit: Kit, sample_after: int, *, linger: int = 0, asks_for_tasks: bool = False, test: str = ""
    ) -> None:
        """`sample_after`: how old a step is when the watchdog samples it (ns). `asks_for_tasks`: see `Watcher`.

        `linger`: how long the end waits for what other threads still do (ns). `test`: its name, for later tests.
        """
        self._test = test
        self._linger = linger
        self.asks_for_tasks = asks_for_tasks
        self.records: list[LiveExchange] = []
        self._kit = kit
        self._sample_after = sample_after
        self._metered = MeteredThreads()
        self._loops: dict[str, None] = {}
        full = kit.kind == "full"
        self._beside = BesideWatchedSteps(kit.user, sample_after, self._metered, self.records, full=full)
        self._open_loops = OpenLoops(self.records, kit.user)

    def start(self, *, inherits: bool = False) -> None:
        """Requests are seen from now on. `inherits`: the kit's last watch has not left; this one takes its patches.

        Where it raises, no patch of its own is in, and none that it was to inherit.
        """
        try:
            self._start(inherits=inherits)
        except BaseException:
            self._kit.entry_points.watcher = None
            if self._patched or inherits:
                instrument.uninstall(self._kit.entry_points.patches)
            raise

    def _start(self, *, inherits: bool) -> None:
        entry_points = self._kit.entry_points
        imported = True
        if inherits:
            imported = instrument.catch_up(entry_points.patches)
        else:
            instrument.install(entry_points.patches)
        self._patched = True
        if imported:
            instrument.cover_c_calls(self._kit.user)
        first_uses.forget()
        watchdog = self._kit.meters.watchdog
        watchdog.after = self._sample_after
        if self._kit.kind == "full":
            watchdog.between_steps = self._beside.gaps
        entry_points.watcher = self
        SENT.begin()
        self._open_loops.start()

    def stop(self) -> None:
        """Requests are not seen any more. The patches stay until `leave`, or until the next watch inherits them."""
        self._kit.entry_points.watcher = None
        self.sent = SENT.most()
        watchdog = self._kit.meters.watchdog
        try:
            self._wait_for_others()
            watchdog.catch_up()
            watchdog.between_steps = None
        finally:  # no later test may find a meter of this one, and no loop may tell it that it closes
            self._open_loops.stop()
            self._metered.finish()
            watchdog.rest()
        if self._metered.ended:
            over = all(each.is_over for each in self.records)
            ended, after = self._metered.ended, self._sample_after
            self.segments = self._kit.meters.with_samples(ended, after, all_over=over)
            self.records += earlier_tests.apps_that_held(self.segments, self.records)
        earlier_tests.leave_behind(self.records, self._test)
        _of_fixtures[:] = [self]

    def _wait_for_others(self) -> None:
        in_step = self._metered.in_step
        if any(each.record.returned is None or in_step(each.ident) for each in self._beside.entered):
            from pytest_noblock.engine import unended  # most tests are the last to go on

            unended.wait(self._beside.entered, in_step, self._linger)

    def is_told_of_stops(self) -> None:
        """In a test's teardown: a thread has one meter, and from now on it is of this watch."""
        _of_fixtures[:] = [self]

    def take_in_stops(self) -> None:
        """The values are of the requests and of the apps that were stopped."""
        self.records += [each for each in self._stops if each not in self.records]

    def fixtures_ended(self) -> bool:
        """The test's fixtures are over; whether they stopped an app. The values are of these stops alone, then."""
        _of_fixtures.clear()
        if not self._stops:
            return False
        self._metered.ended.clear()
        self._metered.finish()
        self.segments = self._kit.meters.with_samples(self._metered.ended, self._sample_after)
        self.records = list(self._stops)
        self._beside.renew()
        return True

    def lifespan_stops(self, record: LiveExchange) -> StepMeter | None:
        """See `client_side.Watcher`. The app may have started for another test, as where a module shares its client."""
        return _of_fixtures[0].stop_of(record) if _of_fixtures else None

    def stop_of(self, record: LiveExchange) -> StepMeter:
        """One of the test's fixtures stops the app; on the thread that runs it."""
        self._stops = [*self._stops, record]
        return self._meter(other_loops.running_loop())

    def leave(self) -> None:
        """Remove the patches. To be called after the fixtures, which may put back a wrapper of ours."""
        _of_fixtures.clear()
        instrument.uninstall(self._kit.entry_points.patches)

    @property
    def loop(self) -> str:
        """See `Observation.loop`."""
        return ", ".join(filter(None, self._loops))

    @property
    def recorded_off_loop(self) -> bool:
        """Whether something was recorded beside the steps."""
        return bool(self._beside)

    def collected(self) -> int:
        """CPU time (ns) of the longest garbage collection that fell due since the first request entered."""
        return fallen_due.longest_since(self.records[0].sent) if self.records else 0

    def _collections(self) -> "tuple[Collection, ...]":
        return fallen_due.since(self.records[0].sent) if self.records else ()

    def observation(self) -> Observation:
        exchanges = tuple(starlette.as_exchange(record, self._kit.user) for record in self.records)
        observation = Observation(
            meter=self._kit.kind,
            exchanges=exchanges,
            segments=self.segments,
            loop=self.loop,
            slowdown=max(self._slowdown, slowdown()),
            switch_interval=switch_interval(),
            collections=self._collections(),
            earlier=earlier_tests.BEHIND,
        )
        return self._beside.added_to(observation)

    def current(self) -> "Watcher | None":
        """See `client_side.Watcher`."""
        return self._kit.entry_points.watcher

    def request_enters(self, app: object, record: LiveExchange) -> StepMeter:
        """See `client_side.Watcher`."""
        if self._kit.user.is_new(app):
            self._kit.user.include(starlette.packages_of(app))
            instrument.cover_c_calls(self._kit.user)
            self._kit.new_app(app)
        record.app = app
        self.records.append(record)
        self._slowdown = max(self._slowdown, slowdown())  # a profiler may be on for a few lines of the test alone
        if (loop := other_loops.running_loop()) is not None:
            self._open_loops.add(loop)
        meter = self._meter(loop)
        if record.method == LIFESPAN:
            earlier_tests.app_starts(record)
        else:
            self._beside.enters(UnderWay(record, meter.ident, loop))
        return meter

    def _meter(self, loop: asyncio.AbstractEventLoop | None) -> StepMeter:
        """Of the calling thread, which runs the loop."""
        meter = current_meter()
        if meter is None or not meter.of_this_thread():
            return self._new_meter(loop)
        if loop is not meter.loop:
            instrument.count_turns(meter, loop)
        return meter

    def _new_meter(self, loop: asyncio.AbstractEventLoop | None) -> StepMeter:
        self._metered.finish_dead()
        thread = threading.current_thread()
        meter = self._kit.meters.new_meter(thread_starts.born_at(thread))
        meter.attach_watchdog(self._kit.meters.watchdog)
        self._metered.add(MeteredThread(thread, meter, loop))
        self._beside.begins(meter, loop)
        self._loops[other_loops.name_of(loop)] = None
        return meter

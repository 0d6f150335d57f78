"""Watches tests: records from a test's setup to the end of its call, and keeps the patches until after its teardown.

Of most requests there is nothing to say. The judges are imported only for tests with a request that may need them.
"""

from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks.reached import entered
from pytest_noblock.engine.late_watch import LateWatch
from pytest_noblock.engine.selfcheck import pace_now
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.watch import Kit, RequestWatch
from pytest_noblock.model.limits import NOTE_NS, Limits, sample_after
from pytest_noblock.model.measured import REFUSED, status_of
from pytest_noblock.model.observation import LIFESPAN, Meter
from pytest_noblock.plugin import options, unseen
from pytest_noblock.plugin.attached import attach, carrier_of
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.report.uneventful import UneventfulTexts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_noblock.model.check import Check
    from pytest_noblock.plugin.entered import EnteredApps
    from pytest_noblock.plugin.item_run import ItemRun
    from pytest_noblock.plugin.outcome import Ending
    from pytest_noblock.plugin.settings import Settings


class ItemRecorder:
    """Records the requests of one test. Hooks start, stop and leave it: they cannot share a `with` block."""

    def __init__(
        self, kit: Kit, limits: Limits, test: str = "", *, shares_kit: bool, asks_for_tasks: bool = False
    ) -> None:
        """`test`: its id. `shares_kit`: other tests use the kit as well; otherwise it is closed with this recorder.

        `asks_for_tasks`: whether the test asks when its background tasks began.
        """
        self._kit = kit
        self._limits = limits
        self._shares_kit = shares_kit
        after = sample_after(limits.max_block)
        self._watch = RequestWatch(kit, after, linger=limits.linger, asks_for_tasks=asks_for_tasks, test=test)
        self._late = LateWatch(kit, after, limits.linger)

    def start(self, *, inherits: bool = False) -> None:
        """Begins to record requests. `inherits`: takes over the patches of another recorder, which are on.

        Where it raises, no patch is on.
        """
        self._watch.start(inherits=inherits)

    def stop(self) -> None:
        """Ends the recording of the test's requests. The patches stay on until `leave`.

        From now on the requests of the teardown are recorded, until `late_checks`.
        """
        self._watch.stop()
        self._late.begin()

    def leave(self) -> None:
        """Takes the patches off. To be called after the test's fixtures: these may put back what they found."""
        self._watch.leave()
        self.close()

    def abandon(self) -> None:
        """`stop` and `leave` at once, where no teardown comes."""
        self._watch.stop()
        self.leave()

    def close(self) -> None:
        """What `leave` does where `start` raised: the patches are off already."""
        if not self._shares_kit:
            self._kit.close()

    @property
    def loop(self) -> str:
        """The event loops that ran the requests; see `Observation.loop`."""
        return self._watch.loop

    def uneventful(self) -> list[LiveExchange] | None:
        """The recorded requests, if there is nothing to say of any of them; else None."""
        segments = self._watch.segments
        if segments and (
            self._limits.concern(segments) or any(each.answered or each.imported >= NOTE_NS for each in segments)
        ):
            return None
        if self._watch.recorded_off_loop or self._watch.collected() >= self._limits.max_block:
            return None
        records = self._watch.records
        for record in records:
            if not record.steps or record.tasks or record.left or not record.is_over:
                return None
        most = self._limits.max_total
        if most and any(2 * self.held(each) >= most for each in records):
            return None
        return records

    @property
    def saw_request(self) -> bool:
        """Whether a request entered an app."""
        return any(record.method != LIFESPAN for record in self._watch.records)

    @property
    def sent(self) -> tuple[str, int] | None:
        """By which client the test sent most requests, and how many."""
        return self._watch.sent

    def held(self, record: LiveExchange) -> int:
        """Ns for which the request held the loop in all."""
        segments = self._watch.segments
        if not segments:
            return record.brief
        return record.brief + sum(each.cpu + each.asleep for each in segments if each.exchange == record.number)

    def checks(self, id: str, settings: "Settings") -> "list[Check]":
        """One check for each request that was recorded."""
        return self._judged(id, self._watch, settings)

    def late_checks(self, id: str, settings: "Callable[[], Settings]") -> "list[Check]":
        """The checks of what the test's fixtures requested in their teardown, and of the apps that they stopped.

        A stop of which there is nothing to say has none.
        """
        late, stopped = self._late.end(), self._watch.fixtures_ended()
        if late is None and not stopped:
            return []
        over = [watch for watch in (self._watch if stopped else None, late) if watch is not None]
        checks = [check for watch in over for check in self._judged(id, watch, settings())]
        return [check for check in checks if check.request != LIFESPAN or check.findings or check.notes]

    def _judged(self, id: str, watch: RequestWatch, settings: "Settings") -> "list[Check]":
        from pytest_noblock.checks.watched import WatchRules, judge_watched

        rules = WatchRules(self._limits, settings.mocked_calls_fail, settings.lifespan_fails, pace_now)
        return judge_watched(id, watch.observation(), rules, self._kit.user.relative)


class _Left(Enum):
    """What the last watched test left behind."""

    NOTHING = "its patches are off, or there was no test before"
    FOR_SIBLING = "its patches are on, and nobody can touch them before the next test, which has the same parent"
    FOR_OTHER = "its patches are on, and fixtures of a class or a module may end before the next test has started"


def _refused(record: LiveExchange) -> int | None:
    """The status of an answer that measured nothing."""
    raised = record.status is None and record.error_text is not None
    status = status_of(record.status, record.method, raised=raised)
    return status if (status or 0) >= REFUSED else None


class PatchHandover:
    """Hands the patches of one test over to the next one, where every test is watched: to patch a class costs time."""

    def __init__(self) -> None:
        self._left = _Left.NOTHING
        self._last: ItemRecorder | None = None

    def start(self, recorder: ItemRecorder) -> None:
        """Starts the recorder with the patches that the last test left. Only a sibling's are sure to be unchanged."""
        last, left = self._last, self._left
        self._last, self._left = None, _Left.NOTHING
        try:
            recorder.start(inherits=left is _Left.FOR_SIBLING)
        finally:
            if last is not None and left is _Left.FOR_OTHER:
                last.leave()

    def keep(self, recorder: ItemRecorder, *, sibling_follows: bool) -> None:
        """The recorder's test has ended, and another one follows."""
        self._last, self._left = recorder, _Left.FOR_SIBLING if sibling_follows else _Left.FOR_OTHER

    def close(self) -> None:
        """The test that was to follow does not come."""
        last, self._last, self._left = self._last, None, _Left.NOTHING
        if last is not None:
            last.leave()


class Watching:
    """Watches the tests of a session: all of them, or those that a marker names."""

    def __init__(self, config: pytest.Config, meter: Meter, entered: "EnteredApps", *, every_test: bool) -> None:
        """`entered`: is told of the apps."""
        self._config = config
        self._new_app = entered.note
        self._meter = meter
        self._every_test = every_test
        self._user = UserCode(str(config.rootpath))
        self._handover = PatchHandover()
        self._texts = UneventfulTexts()
        self._of_run = options.of_run(config)
        self._carrier = carrier_of(config)
        self._present: ItemRecorder | None = None
        """Of the test that runs now."""
        self._cleans_up = False

    def begin(self, run: "ItemRun") -> None:
        """Begins to watch at the test's setup, because fixtures make requests as well."""
        settings = run.outcome.settings if run.ours.marks else self._of_run
        kit = self._shared_kit if self._every_test else Kit(self._meter, self._user, self._new_app)
        asks_for_tasks = bool(run.ours.named("noblock_background"))
        recorder = ItemRecorder(
            kit, settings.limits, run.item.nodeid, shares_kit=self._every_test, asks_for_tasks=asks_for_tasks
        )
        try:
            self._handover.start(recorder)
        except Exception:
            recorder.close()
            raise
        if not self._cleans_up:
            self._cleans_up = True
            self._config.add_cleanup(self._abandon)
        run.recorder = self._present = recorder

    def pass_by(self) -> None:
        """The test that was to follow does not begin."""
        self._handover.close()

    def _abandon(self) -> None:
        """The run was interrupted: the test that ran has no teardown."""
        present, self._present = self._present, None
        if present is not None:
            with GUARD:
                present.abandon()

    @cached_property
    def _shared_kit(self) -> Kit:
        """One kit for all tests, where every test is watched. Where only some are, each test has a kit of its own."""
        kit = Kit(self._meter, self._user, self._new_app)
        self._config.add_cleanup(self._handover.close)
        self._config.add_cleanup(kit.close)
        return kit

    def end(self, item: pytest.Item, run: "ItemRun", recorder: ItemRecorder, ending: "Ending") -> None:
        """Judges the requests at the end of the test's call. Fails the test unless it has `failed` up to here."""
        recorder.stop()
        uneventful = None if run.ours.marks or unseen.has_fixture(item) else recorder.uneventful()
        if uneventful is None:
            checks = recorder.checks(item.nodeid, run.outcome.settings)
            run.outcome.sent = recorder.sent
            run.outcome.conclude(checks, self._meter, self._user.relative, ending)
        else:
            self._attach(item, recorder, uneventful)
            if ending == "passed" and not recorder.saw_request:
                unseen.attach_unwatched(item, recorder.sent)

    def _attach(self, item: pytest.Item, recorder: ItemRecorder, requests: "Sequence[LiveExchange]") -> None:
        id = item.nodeid
        for each in requests:
            remains = each.remains
            if remains is None:
                route, endpoint, reached = each.route, each.endpoint, entered(each)
            else:
                route, endpoint, reached = remains.route, remains.endpoint, each.entered or remains.entered
            times = each.duration, recorder.held(each)
            refused = _refused(each)
            text = self._texts.text(
                id, each.request, route, endpoint, *times, reached=reached is not False, status=refused
            )
            attach(item, text)
        if self._carrier is not None:
            self._carrier.add_loops(item, recorder.loop)

    def fixtures_ended(self, item: pytest.Item, run: "ItemRun", recorder: ItemRecorder, ending: "Ending") -> None:
        """Judges the requests that the test's fixtures made in their teardown, and the apps that they stopped."""
        checks = recorder.late_checks(item.nodeid, lambda: run.outcome.settings)
        if checks:
            run.outcome.conclude_late(checks, ending)

    def leave(self, item: pytest.Item, recorder: ItemRecorder, following: pytest.Item | None) -> None:
        """Takes the patches off after the test's fixtures, or keeps them for the test that follows."""
        self._present = None
        if following is not None and self._every_test:
            self._handover.keep(recorder, sibling_follows=following.parent is item.parent)
        else:
            recorder.leave()

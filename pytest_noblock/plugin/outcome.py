"""What the checks of a test do to the test: marks what is accepted, puts checks on record, fails the test."""

import sys
import warnings
from types import FrameType
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_noblock.model.observation import LIFESPAN, NO_REQUEST
from pytest_noblock.plugin import endings, markers, options, unseen
from pytest_noblock.plugin.attached import attach, attach_unused, carrier_of, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_noblock.checks.plan import Plan
    from pytest_noblock.model.check import Check
    from pytest_noblock.model.observation import Meter


Ending = Literal["passed", "skipped", "failed"]
"""How the test's call ended, before noblock says anything."""


class Recorded:
    """A check and the record of it that is attached to the test."""

    def __init__(self, check: "Check", attached: tuple[str, str]) -> None:
        self.check = check
        self.attached = attached


class ItemOutcome:
    """What the checks of one test do to it; see `client.RequestingTest` for what the fixture asks of it."""

    def __init__(self, item: pytest.Item, ours: markers.Marked) -> None:
        self._item = item
        self.settings = options.settings_of(item.config, ours)
        self._allowances = markers.allowances(ours)
        self._background = markers.background_names(ours)
        self._recorded: list[Recorded] = []
        self._sent_by_fixture = False
        """Whether the test sent a request with the fixture; whatever came of it, the test was told."""
        self.sent: tuple[str, int] | None = None
        """By which client the watched test sent most requests, and how many."""

    @property
    def id(self) -> str:
        return self._item.nodeid

    @property
    def plan(self) -> "Plan":
        return self.settings.plan

    def record(self, check: "Check") -> "Check":
        """Marks the findings that the test accepts, puts the marked check on record, and returns this check."""
        check = self._accepted(check)
        recorded = Recorded(check, attach(self._item, _as_text(check)))
        self._recorded.append(recorded)
        self._carry(recorded)
        return check

    def _record_again(self, place: int, check: "Check") -> "Check":
        """Puts a check on record in the place of an earlier check of the same request: a request is on record once."""
        check = self._accepted(check)
        before = self._recorded[place].attached
        self._recorded[place] = Recorded(check, replace(self._item, before, _as_text(check)))
        self._carry(self._recorded[place])
        return check

    def _carry(self, recorded: Recorded) -> None:
        carrier = carrier_of(self._item.config)
        if carrier is not None:
            carrier.add(self._item, recorded.attached, recorded.check)

    def _accepted(self, check: "Check") -> "Check":
        """The check with what allowances and baseline accept; under `action=warn` a warning accepts all others."""
        if not check.findings:
            return check
        from pytest_noblock.acceptance.allowances import Allowance, accept

        check = accept(check, self._allowances)
        baseline = options.baseline_of(self._item.config)
        if baseline is not None:
            check = baseline.accepting(check)
        if check.outcome != "failed" or self.settings.action != "warn":
            return check
        self._warn(check)
        return accept(check, [Allowance("action=warn")])

    def _warn(self, check: "Check") -> None:
        from pytest_noblock.model.finding import NoblockWarning
        from pytest_noblock.report.failure import failure

        text, (file, line) = failure(check, -1), self._where()
        try:
            warnings.warn_explicit(text, NoblockWarning, file, line)
        except NoblockWarning:  # `filterwarnings = error`; who says `action=warn` wants no red
            with warnings.catch_warnings():
                warnings.simplefilter("always", NoblockWarning)
                warnings.warn_explicit(text, NoblockWarning, file, line)

    def fail_if_red(self, check: "Check") -> None:
        """Fails the test for a request of the fixture that blocked, and for a request that was not measured."""
        __tracebackhide__ = True
        if check.outcome in ("failed", "inconclusive"):
            pytest.fail(self._text([check]), pytrace=False)

    def conclude(
        self, watched: "Sequence[Check]", meter: "Meter", relative: "Callable[[str], str]", ending: Ending
    ) -> None:
        """Puts the watched checks on record at the end of the test's call, and fails the test if one of them failed.

        A test that failed already gets the text as a section of its report. A test that skips itself is failed: the
        block came before. `relative` turns a file into the name that reports show.
        """
        self._sent_by_fixture = self._sent_by_fixture or any(map(_of_request, self._checks))
        recorded = self._record_all(watched, meter, relative)
        failed = [check for check in recorded if check.outcome == "failed"]
        attach_unused(self._item, self._unused())
        if failed and ending != "failed":
            endings.forget_skip(self._item)
            pytest.fail(self._text(failed), pytrace=False)
        elif failed:
            self._item.add_report_section("call", "noblock", self._text(failed))
        elif ending == "passed":
            self._measured_something(recorded, meter)

    def conclude_late(self, watched: "Sequence[Check]", ending: Ending) -> None:
        """As `conclude`, for the requests of the test's teardown. `ending`: how the teardown ended."""
        failed = [check for check in map(self.record, watched) if check.outcome == "failed"]
        if failed and ending != "failed":
            pytest.fail(self._text(failed), pytrace=False)
        elif failed:
            self._item.add_report_section("teardown", "noblock", self._text(failed))

    @property
    def _checks(self) -> "list[Check]":
        return [recorded.check for recorded in self._recorded]

    def conclude_fixture(self, meter: "Meter", ending: Ending) -> None:
        """As `conclude`, for a test whose own requests are not watched."""
        self._sent_by_fixture = any(map(_of_request, self._checks))
        if ending == "passed":
            self._measured_something((), meter)

    def _measured_something(self, watched: "Sequence[Check]", meter: "Meter") -> None:
        """Fails a test that asks to be measured and was not; names it where its class, or nobody, asks."""
        seen = [check for check in watched if _of_request(check)]
        if self._sent_by_fixture or any(check.outcome != "inconclusive" for check in seen):
            return
        why = f"{seen[0].reason}: nothing was measured" if seen else unseen.sentence(self._item, self.sent)
        where = unseen.asked_at(self._item)
        if where != unseen.BY_ITSELF:
            if where is not None or unseen.has_fixture(self._item):
                unseen.attach(self._item, where, why)
            if not seen:
                unseen.attach_unwatched(self._item, self.sent)
            return
        if not seen and unseen.is_marked(self._item):  # with the fixture each check is a request's
            self.record(self._without_request(why.partition(": nothing was measured")[0], meter))
        from pytest_noblock.model.shown import printable

        pytest.fail("\n".join(map(printable, why.splitlines())), pytrace=False)

    def _record_all(
        self, watched: "Sequence[Check]", meter: "Meter", relative: "Callable[[str], str]"
    ) -> "list[Check]":
        """Records the watched checks, and again those of the fixture whose background tasks went wrong."""
        known = self._checks
        judged = self._with_task_faults([*known, *watched], meter, relative)
        changed = [
            self._record_again(place, judged[place])
            for place, check in enumerate(known)
            if judged[place].findings != check.findings
        ]
        return [*changed, *(self.record(check) for check in judged[len(known) :])]

    def _with_task_faults(
        self, checks: "list[Check]", meter: "Meter", relative: "Callable[[str], str]"
    ) -> "list[Check]":
        """The test's checks with what the marker finds wrong with their background tasks."""
        if self._background is None:
            return checks
        from pytest_noblock.judge.background import faults

        found = faults([exchange for check in checks for exchange in check.exchanges], self._background, relative)
        if not found:
            return checks
        from pytest_noblock.checks.assemble import with_task_faults

        return with_task_faults(checks or [self._without_request("the test made no request", meter)], found, relative)

    def _without_request(self, reason: str, meter: "Meter") -> "Check":
        """The check of a test that made no request."""
        from pytest_noblock.checks.assemble import Subject, unmeasured

        return unmeasured(Subject(self.id, NO_REQUEST, self.settings.limits.max_block, meter), reason)

    def _where(self) -> tuple[str, int]:
        """File and line for a warning: the test's line that runs now; where none does, the line of the test's `def`."""
        path, line, _name = self._item.reportinfo()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != str(path):
            frame = frame.f_back
        return str(path), (line or 0) + 1 if frame is None else frame.f_lineno

    def _unused(self) -> list[str]:
        """The reasons of the allowances that no finding of the test needed."""
        if not (self._allowances and self._recorded):
            return []
        from pytest_noblock.acceptance.allowances import unused

        return [each.reason for each in unused(self._allowances, self._checks)]

    def _text(self, checks: "Sequence[Check]") -> str:
        from pytest_noblock.plugin.telling import telling

        return telling(self._item.config).text(self.id, checks)


def _as_text(check: "Check") -> str:
    from pytest_noblock.report.json_v1 import record, to_json

    return to_json(record(check))


def _of_request(check: "Check") -> bool:
    return check.request != LIFESPAN

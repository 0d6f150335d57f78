"""From a check to a test's outcome."""

import sys
import warnings
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import markers, options
from pytest_noblock.plugin.reporter import attach, attach_unused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_noblock.engine.usercode import UserCode
    from pytest_noblock.model.finding import Check


class ItemOutcome:
    """What the checks of one test do to it."""

    def __init__(self, item: pytest.Item, ours: markers.Marked) -> None:
        self._item = item
        self.settings = options.settings_of(item.config, ours)
        self._allowances = markers.allowances(ours)
        self._background = markers.background_names(ours)
        self._checks: list[Check] = []

    def seen(self, check: "Check") -> "Check":
        """On record, with what the user accepts marked."""
        from pytest_noblock.report.wire import record, to_json

        check = self._accepted(check) if check.findings else check
        warned = self.settings.action == "warn" and check.outcome == "failed"
        text = self._text([check]).partition("\n")[0] if warned else ""
        check = self._accepted(check, "action=warn") if warned else check
        attach(self._item, to_json(record(check)))
        self._checks.append(check)
        if warned:
            from pytest_noblock.model.finding import NoblockWarning

            warnings.warn_explicit(text, NoblockWarning, *self._where())
        return check

    def _accepted(self, check: "Check", reason: str | None = None) -> "Check":
        """By the user's allowances, or all of it for this reason."""
        from pytest_noblock.acceptance.allowances import Allowance, accept

        return accept(check, self._allowances if reason is None else [Allowance(reason)])

    def fail(self, check: "Check") -> None:
        """A request of the fixture: what blocked fails, and so does what was not measured."""
        __tracebackhide__ = True
        if check.outcome in ("failed", "inconclusive"):
            pytest.fail(self._text([check]), pytrace=False)

    def finish(self, watched: "Sequence[Check]", user: "UserCode", *, passing: bool) -> None:
        """At the end of the test's call: one that fails anyway gets the text as a section."""
        judged = self._with_background(watched, user)
        failed = [check for check in judged if self.seen(check).outcome == "failed"]
        attach_unused(self._item, self._unused())
        if failed and passing:
            pytest.fail(self._text(failed), pytrace=False)
        elif failed:
            self._item.add_report_section("call", "noblock", self._text(failed))
        elif passing and not self._checks and _asked_for_itself(self._item):
            pytest.fail(
                f"{self._item.name} made no request that noblock could watch: nothing was measured", pytrace=False
            )

    def _with_background(self, watched: "Sequence[Check]", user: "UserCode") -> "Sequence[Check]":
        """What the marker asks of the background tasks of all the test's requests, the fixture's included."""
        if self._background is None:
            return watched
        from pytest_noblock.judge.background import faults
        from pytest_noblock.judge.background_findings import shared_out
        from pytest_noblock.model.finding import blank

        exchanges = [exchange for check in (*self._checks, *watched) for exchange in check.exchanges]
        found = faults(exchanges, self._background)
        if found and not watched:  # the fixture's checks are on record already
            watched = self._checks[-1:] or [blank(self._item.nodeid, "the test", 0, "full")]
        return shared_out(watched, found, user.relative) if found else watched

    def _where(self) -> tuple[str, int]:
        """The test's own line, that of the request where the fixture makes it."""
        path, line, _name = self._item.reportinfo()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != str(path):
            frame = frame.f_back
        return str(path), (line or 0) + 1 if frame is None else frame.f_lineno

    def _unused(self) -> list[str]:
        if not (self._allowances and self._checks):
            return []
        from pytest_noblock.acceptance.allowances import unused

        return [each.reason for each in unused(self._allowances, self._checks)]

    def _text(self, checks: "Sequence[Check]") -> str:
        from pytest_noblock.report.failure import failure

        verbosity = self._item.config.get_verbosity("noblock")
        return "\n".join(failure(check, verbosity) for check in checks)


def _asked_for_itself(item: pytest.Item) -> bool:
    """The marker stands on the test itself."""
    return any(mark.name == "noblock" for mark in item.own_markers)

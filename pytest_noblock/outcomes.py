"""From a check to a test's outcome."""

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_noblock import markers, settings
from pytest_noblock.reporting import attach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_noblock.findings import Check


class NoblockWarning(UserWarning):
    """A finding under `action="warn"`."""


class ItemOutcome:
    """What the checks of one test do to it."""

    def __init__(self, item: pytest.Item, wanted: settings.Settings) -> None:
        self._item = item
        self._action = wanted.action
        self._allowances = markers.allowances(item)

    def seen(self, check: "Check") -> "Check":
        """On record, with what the user accepts marked."""
        from pytest_noblock.acceptance import Allowance, accept
        from pytest_noblock.report.failure import failure
        from pytest_noblock.report.record import record

        check = accept(check, self._allowances)
        if self._action == "warn" and check.outcome == "failed":
            warnings.warn(failure(check).partition("\n")[0], NoblockWarning, stacklevel=4)
            check = accept(check, [Allowance("action=warn")])
        attach(self._item, record(check))
        return check

    def fail(self, check: "Check") -> None:
        """A request of the fixture: what blocked fails, and so does what was not measured."""
        __tracebackhide__ = True
        if check.outcome in ("failed", "inconclusive"):
            pytest.fail(self._text([check]), pytrace=False)

    def watched(self, checks: "Sequence[Check]", *, passing: bool) -> None:
        """The requests of a watched test; one that fails anyway gets the text as a section."""
        failed = [check for check in checks if check.outcome == "failed"]
        if failed and passing:
            pytest.fail(self._text(failed), pytrace=False)
        elif failed:
            self._item.add_report_section("call", "noblock", self._text(failed))
        elif passing and not checks and _asked_for_itself(self._item):
            pytest.fail(f"{self._item.name} made no request that noblock could watch: nothing was measured", pytrace=False)

    def _text(self, checks: "Sequence[Check]") -> str:
        from pytest_noblock.report.failure import failure

        verbosity = self._item.config.get_verbosity("noblock")
        return "\n".join(failure(check, verbosity) for check in checks)


def _asked_for_itself(item: pytest.Item) -> bool:
    """The marker stands on the test itself, and no `noblock` fixture makes its requests."""
    return any(mark.name == "noblock" for mark in item.own_markers) and "noblock" not in getattr(item, "fixturenames", ())

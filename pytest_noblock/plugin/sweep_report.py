"""What a run says of its sweep at the end: kept by the process that prints."""

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import sweep_options
from pytest_noblock.plugin.options import ROUTES, SAID

if TYPE_CHECKING:
    from pytest_noblock.model.check import Check
    from pytest_noblock.report.sweep import Swept


class SweepReport:
    """The routes of the run, as their items told them."""

    def __init__(self, config: pytest.Config) -> None:
        """Raises UsageError."""
        self._required = sweep_options.required(config)
        self._routes = self._selected = 0
        """How many routes the app has, and how many of them were selected."""
        self._said: dict[str, None] = {}
        """Sentences on what the sweep does not see; each xdist worker tells them."""
        self.failed: str | None = None
        """Why the run is red for its sweep; None where it is not."""

    def keep(self, properties: Sequence[tuple[str, object]]) -> None:
        """What an item attached."""
        for name, value in properties:
            if name == ROUTES:
                self._routes, self._selected = json.loads(str(value))
            elif name == SAID:
                self._said[str(value)] = None

    def judge(self, checks: "Sequence[Check]", by_tests: AbstractSet[tuple[str, str]]) -> pytest.ExitCode:
        """What the run's exit code is, where it was OK up to here. `by_tests`: the routes that tests measured."""
        swept = self._swept(checks)
        if not swept.checks:
            return pytest.ExitCode.OK  # collecting failed, or everything was deselected: pytest says so
        if not swept.measured:
            self.failed = "no route was measured: the sweep asserted nothing"
            return pytest.ExitCode.NO_TESTS_COLLECTED
        more = sum(not each.measured and (_method(each), each.route) in by_tests for each in checks)
        if self._required.fails(swept.measured + more, swept.of):
            others = f", and {more} more by tests" if more else ""
            excluded = sum(each.reason == "excluded" for each in checks)
            count = f" ({excluded} excluded, which count{'s' * (excluded == 1)} as well)" if excluded else ""
            self.failed = f"--noblock-require={self._required.words} is not met: {swept.headline}{others}{count}"
            return pytest.ExitCode.TESTS_FAILED
        return pytest.ExitCode.OK

    def lines(self, checks: "Sequence[Check]") -> Iterator[str]:
        """For the summary."""
        from pytest_noblock.report.sweep import lines
        from pytest_noblock.sweep.reasons import REASONS

        remedies: Mapping[str, str] = {reason: row.remedy for reason, row in REASONS.items()}
        yield from lines(self._swept(checks), remedies)
        yield from self._said

    def _swept(self, checks: "Sequence[Check]") -> "Swept":
        from pytest_noblock.report.sweep import Swept

        return Swept(checks, self._routes, self._selected)


def _method(check: "Check") -> str:
    return check.request.partition(" ")[0]

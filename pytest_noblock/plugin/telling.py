"""What the failures of a process tell: one line of code is told once in full, then in one line for each test.

A line that blocks in a hundred tests would fill a hundred pages otherwise. Under xdist each worker tells it in full
once: workers do not know of each other.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import options
from pytest_noblock.report.failure import Told, failure, places

if TYPE_CHECKING:
    from pytest_noblock.model.check import Check
    from pytest_noblock.report.failure import Place


class Telling:
    """Makes the text of failures, and knows what was told: registered with pytest, which says which tests failed."""

    def __init__(self, verbosity: int, *, has_baseline: bool = False) -> None:
        """`has_baseline`: whether the run has a list of known findings."""
        self._verbosity = verbosity
        self._has_baseline = has_baseline
        self._told: dict[Place, Told] = {}
        """What a failed test told in full."""
        self._written: dict[str, dict[Place, Told]] = {}
        """What was written for a test that has not ended: nobody sees the text if the test passes all the same."""

    def text(self, test: str, checks: Iterable["Check"]) -> str:
        """The text of the failed checks of one test. `test`: its node id."""
        here = f"in {test}"
        told = {place: each for place, each in self._told.items() if each.where != here}
        texts = []
        for check in checks:
            texts.append(
                failure(check, self._verbosity, readings=options.debugs(), told=told, has_baseline=self._has_baseline)
            )
            for place, instead in places(check).items():
                told.setdefault(place, Told("above", instead))
                self._written.setdefault(test, {}).setdefault(place, Told(here, instead))
        return "\n".join(texts)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps what was told by a test that failed; an expected failure, or one that is run again, is not shown."""
        if report.failed and self._verbosity >= 0:
            for place, told in self._written.pop(report.nodeid, {}).items():
                self._told.setdefault(place, told)
        elif report.when == "teardown":
            self._written.pop(report.nodeid, None)


_TELLING = pytest.StashKey[Telling]()


def telling(config: pytest.Config) -> Telling:
    """The one of this process."""
    known = config.stash.get(_TELLING, None)
    if known is None:
        known = config.stash[_TELLING] = Telling(
            config.get_verbosity("noblock"), has_baseline=options.baseline_of(config) is not None
        )
        config.pluginmanager.register(known, "noblock-telling")
    return known

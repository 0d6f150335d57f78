"""What the terminal says of a run at its end. Loaded where there is something to say."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_noblock.model.shown import printable
from pytest_noblock.plugin.collected import Collected

if TYPE_CHECKING:
    from pytest_noblock.model.check import Check
    from pytest_noblock.plugin.baseline import BaselineOfRun
    from pytest_noblock.plugin.routes_of_run import RoutesOfRun
    from pytest_noblock.plugin.sweep_report import SweepReport


class RunSummary(NamedTuple):
    """What there is to say; each part is judged already."""

    collected: Collected
    vacuous: bool
    """Whether the run must have watched, and watched nothing."""
    unseen: Sequence[str]
    """Of tests that asked to be measured and were not."""
    in_vain: bool
    """Whether they make the run red."""
    routes: "RoutesOfRun | None"
    sweep: "SweepReport | None"
    swept: "Sequence[Check]"
    """The checks of the sweep's items."""
    baseline: "BaselineOfRun | None"
    notes: bool
    """Whether each note is listed."""

    def print(self, terminal: pytest.TerminalReporter) -> None:
        """Prints the section."""
        terminal.section("noblock")
        if self.vacuous:
            terminal.line("no request was watched: --noblock asserted nothing", red=True)
        if self.collected:
            self._print_tests(terminal)
            self._print_sweep(terminal)
        self._print_baseline(terminal)
        for line in self.unseen if self.collected or not self.vacuous else ():
            terminal.line(printable(line), red=self.in_vain)

    def _print_tests(self, terminal: pytest.TerminalReporter) -> None:
        tests = self.collected.of_tests()
        if not tests and self.sweep is not None:
            return
        from pytest_noblock.report.summary import summary

        for line in summary(tests, self.collected.unused, notes=self.notes):
            terminal.line(line)
        if self.routes is not None:
            _print(terminal, self.routes.lines(others=self.notes), self.routes.failed)

    def _print_sweep(self, terminal: pytest.TerminalReporter) -> None:
        if self.sweep is not None and self.swept:
            _print(terminal, self.sweep.lines(self.swept), self.sweep.failed)

    def _print_baseline(self, terminal: pytest.TerminalReporter) -> None:
        if self.baseline is not None and (self.collected or self.baseline.problem):
            _print(terminal, self.baseline.lines(), self.baseline.problem)


def _print(terminal: pytest.TerminalReporter, lines: Iterable[str], why_red: str | None) -> None:
    for line in lines:
        terminal.line(printable(line))
    if why_red is not None:
        terminal.line(printable(why_red), red=True)

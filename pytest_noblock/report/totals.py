"""How much a run measured, in numbers and in one sentence (pure)."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, get_args

from pytest_noblock.model.check import Outcome
from pytest_noblock.model.observation import LIFESPAN, NO_REQUEST
from pytest_noblock.report import routes
from pytest_noblock.report.grouped import Entry, by_line
from pytest_noblock.report.wire import Run


class Totals(NamedTuple):
    """The numbers that a report begins with."""

    outcomes: Mapping[str, int]
    """How many checks there are, by outcome."""
    tests: int
    measured: int
    """How many routes were measured."""
    routes: int
    to_mend: int
    """How many lines have findings that nobody accepted."""
    accepted: int

    @property
    def requests(self) -> int:
        return sum(self.outcomes.values()) - self.outcomes["not-exercised"]

    @property
    def verdict(self) -> str:
        """`3 findings to mend, 1 accepted`."""
        words = [counted(self.to_mend, "finding to mend", "findings to mend")] if self.to_mend else []
        words += [f"{self.accepted} accepted"] if self.accepted else []
        if words:
            return ", ".join(words)
        return "nothing blocked the event loop" if self.outcomes["passed"] else "nothing was measured"

    @property
    def extent(self) -> str:
        """`120 requests in 80 tests, 41 of 57 routes measured`."""
        requests = f"{counted(self.requests, 'request')} in {counted(self.tests, 'test')}"
        measured = f"{self.measured} of {counted(self.routes, 'route')} measured" if self.routes else ""
        inconclusive = self.outcomes["inconclusive"]
        missed = f"{counted(inconclusive, 'request')} not measured" if inconclusive else ""
        return ", ".join(filter(None, (requests, measured, missed)))


def totals(run: Run, lines: list[Entry] | None = None) -> Totals:
    """`lines`: the run's findings by line, where somebody has them."""
    lines = by_line(run.checks) if lines is None else lines
    rows = routes.rows_of(run)
    counts: Counter[str] = Counter(each.outcome for each in run.checks if each.request not in (LIFESPAN, NO_REQUEST))
    counts.update(run.quiet)
    return Totals(
        {outcome: counts[outcome] for outcome in get_args(Outcome)},
        tests=run.tests if run.tests is not None else len({each.id for each in run.checks}),
        measured=sum(row.measured for row in rows),
        routes=len(rows),
        to_mend=sum(entry.accepted is None for entry in lines),
        accepted=sum(entry.accepted is not None for entry in lines),
    )


def counted(number: int, noun: str, nouns: str = "") -> str:
    """`1 test`, `2 tests`."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"

"""What the command prints: as the summary of a run, each line of code once (pure)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_noblock.report.grouped import Entry, by_line
from pytest_noblock.report.totals import counted, totals
from pytest_noblock.report.wire import Run

if TYPE_CHECKING:
    from pytest_noblock.merge.folding import Folding
    from pytest_noblock.merge.judging import Judging

_MOST_LINES = 50


def lines(run: Run, folding: "Folding", judging: "Judging") -> Iterator[str]:
    entries = by_line(run.checks)
    yield totals(run, entries).extent
    for entry in entries[:_MOST_LINES]:
        yield _line(entry)
    if len(entries) > _MOST_LINES:
        yield f"  and {counted(len(entries) - _MOST_LINES, 'more line')}"
    yield from _not_judged(run)
    for name in folding.cut:
        yield f"{name}: its run did not come to its end, and may have measured less than there was"
    yield from judging.lines(run)


def _line(entry: Entry) -> str:
    finding = entry.finding
    accepted = "" if entry.accepted is None else f"  accepted: {entry.accepted}"
    tests = counted(len(entry.tests), "test")
    what = finding.call or finding.code or ""
    return f"  {finding.place}  {finding.kind}  {finding.ms:.1f} ms  {what}{accepted}  ({tests})"


def _not_judged(run: Run) -> Iterator[str]:
    missed = [check for check in run.checks if check.outcome == "inconclusive"]
    for check in missed[:_MOST_LINES]:
        yield f"  not measured  {check.reason or check.request}  ({check.id})"

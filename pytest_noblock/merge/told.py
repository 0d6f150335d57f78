"""What the command prints: as the summary of a run, each line of code once (pure)."""

from collections.abc import Iterator, Sequence

from pytest_noblock.model.check import Check
from pytest_noblock.report.grouped import Entry, by_line
from pytest_noblock.report.totals import counted, totals
from pytest_noblock.report.wire import Run

_MOST_LINES = 50


def lines(run: Run) -> Iterator[str]:
    entries = by_line(run.checks)
    yield totals(run, entries).extent
    yield from map(_line, entries[:_MOST_LINES])
    if len(entries) > _MOST_LINES:
        yield f"  and {counted(len(entries) - _MOST_LINES, 'more line')}"
    yield from _not_measured([check for check in run.checks if check.outcome == "inconclusive"])


def _line(entry: Entry) -> str:
    finding = entry.finding
    accepted = "" if entry.accepted is None else f"  accepted: {entry.accepted}"
    tests = counted(len(entry.tests), "test")
    what = finding.call or finding.code or ""
    return f"  {finding.place}  {finding.kind}  {finding.ms:.1f} ms  {what}{accepted}  ({tests})"


def _not_measured(missed: Sequence[Check]) -> Iterator[str]:
    for check in missed[:_MOST_LINES]:
        yield f"  not measured: {check.reason or check.request}  ({check.id})"
    if len(missed) > _MOST_LINES:
        yield f"  not measured: {counted(len(missed) - _MOST_LINES, 'more request')}"

"""Findings as workflow commands of GitHub Actions, which the job shows at the lines of a pull request (pure)."""

from collections.abc import Iterator, Sequence

from pytest_noblock.model.shown import printable
from pytest_noblock.report.finding_rows import finding_rows
from pytest_noblock.report.grouped import Entry, by_line
from pytest_noblock.report.places import in_repository, is_absolute
from pytest_noblock.report.totals import counted
from pytest_noblock.report.wire import Environment, Run

MOST = 10
"""GitHub shows ten errors and ten warnings of a step, and drops the others without a word."""

WARNED = "action=warn"
"""The reason of a finding that a warning accepts."""


def annotations(run: Run) -> Iterator[str]:
    """One command a line, the worst first; the last one says how many there are beside."""
    told = [entry for entry in by_line(run.checks) if entry.accepted in (None, WARNED)]
    for number, entry in enumerate(told[:MOST], 1):
        left = len(told) - MOST if number == MOST else 0
        yield _command(entry, left, run.environment)


def _command(entry: Entry, left: int, environment: Environment) -> str:
    finding = entry.finding
    properties = {"title": f"pytest-noblock: {finding.kind}"}
    if finding.file and not is_absolute(finding.file):
        properties = {"file": in_repository(finding.file, environment), "line": str(finding.line or 1), **properties}
    level = "error" if entry.accepted is None else "warning"
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {told}::{_message(list(_lines(entry, left)))}"


def _lines(entry: Entry, left: int) -> Iterator[str]:
    finding = entry.finding
    yield entry.headline if finding.file else f"{entry.headline}, by {finding.by}"
    if finding.code:
        yield finding.code
    for name, text in finding_rows(entry.check, finding):
        if name in ("why", "instead"):
            yield f"{name}: {text}"
    if left:
        yield f"and {counted(left, 'more finding')}: the summary of this job has {'it' if left == 1 else 'them'}"


def _message(lines: Sequence[str]) -> str:
    return _escaped("\n".join(map(printable, lines)))


def _property(value: str) -> str:
    return _escaped(printable(value)).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

"""How a failure reads: the line, the why, the harm, the remedy, in ten seconds (pure)."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import MOCKED, Finding
from pytest_noblock.model.kinds import KINDS, is_background
from pytest_noblock.model.measured import LOOP_HELD, SITS_AT
from pytest_noblock.model.observation import Phase
from pytest_noblock.model.shown import printable
from pytest_noblock.model.units import words
from pytest_noblock.report import evidence
from pytest_noblock.report.finding_rows import Row, finding_rows, parts
from pytest_noblock.report.why import is_quick

_WHERE = {Phase.BACKGROUND: " in the background", Phase.DETACHED: " in detached work"}


class Place(NamedTuple):
    """The line of code and the kind: what is told in full once."""

    kind: str
    file: str
    line: int | None


class Told(NamedTuple):
    """What was told in full before."""

    where: str
    """`in test_api.py::test_report`, `above`."""
    instead: str
    """The remedy. The same line may run elsewhere, where another fits: a task of `create_task` is no plain `def`."""


def places(check: Check) -> dict[Place, str]:
    """The places of the check's findings with the remedy of the first at each; of background tasks' faults none.

    Each of those is its own test's.
    """
    found = ((_place(finding), finding.replacement) for finding in reversed(check.findings))
    return {place: instead for place, instead in found if place is not None}


def _place(finding: Finding) -> Place | None:
    if finding.file is None or is_background(finding.kind):
        return None
    return Place(finding.kind, finding.file, finding.line)


def failure(
    check: Check,
    verbosity: int = 0,
    *,
    readings: bool = False,
    told: Mapping[Place, Told] | None = None,
    has_baseline: bool = False,
) -> str:
    """The whole report of a check.

    `has_baseline`: whether the run has a list of known findings, which may take in this one.

    `told`: the places that were told in full before. A finding there is told in one line, and with its remedy where
    that is another one, unless somebody asks for more (`-v`).

    `verbosity` -1 (`-q`) gives the first line only; 1 (`-v`) adds the lines that shared in the stall and a timeline of
    the exchange, 2 (`-vv`) stacks and probes, 3 (`-vvv`) the readings behind each finding, and the notes. `readings`
    adds these at any verbosity.
    """
    readings = readings or verbosity >= 3
    known = told if told and verbosity < 1 and not readings else {}
    told_all = _failure(check, verbosity, known, readings=readings, has_baseline=has_baseline)
    lines = [printable(line) for line in told_all]
    return "\n".join(lines[:1] if verbosity < 0 else lines)


def _failure(
    check: Check, verbosity: int, told: Mapping[Place, Told], *, readings: bool, has_baseline: bool
) -> Iterator[str]:
    if check.findings:
        yield from _findings(check, verbosity, told, readings=readings, has_baseline=has_baseline)
    elif check.reason is not None and LOOP_HELD in check.reason:
        yield from _held(check.reason)
    else:
        yield f"{check.reason}: {_extent(check)}"
    if readings and check.notes:
        yield "  notes   seen, and fails nothing"
        yield from (f"            {note}" for note in check.notes)


def _extent(check: Check) -> str:
    """What an inconclusive check can say: where a background task raised, the request was measured up to there."""
    raised = any(run.error is not None and run.response_complete_ms is not None for run in check.background)
    return "what ran until then did not hold the event loop" if raised else "nothing was measured"


def _held(reason: str) -> Iterator[str]:
    """A loop that stood still until the time limit, told as a finding is."""
    what, _, where = reason.partition(f", {SITS_AT}")
    place, _, why = where.partition("; ")
    because, _, instead = why.removesuffix(" instead)").partition(" (")
    rows = ("by", place), ("why", because), ("harm", "every other request of this worker waited as long")
    yield what
    yield ""
    yield from (_line((name, text)) for name, text in (*rows, ("instead", instead)) if text)


def _findings(
    check: Check, verbosity: int, told: Mapping[Place, Told], *, readings: bool, has_baseline: bool
) -> Iterator[str]:
    """First what is red; what is accepted beside that in one line, unless somebody asks for more."""
    known = {place: told[place] for place in places(check) if place in told}
    red = [each for each in check.findings if each.accepted is None]
    for finding in red or check.findings:
        place = _place(finding)
        if place in known:
            yield from _again(check, finding, known[place])
            continue
        yield from _whole(check, finding, verbosity, readings=readings, has_baseline=has_baseline)
    for finding in [each for each in check.findings if each not in red] if red else ():
        if verbosity < 1:
            yield f"{headline(check, finding)}, {finding.kind} by {finding.place}: accepted, {finding.accepted}"
        else:
            yield from _whole(check, finding, verbosity, readings=readings, has_baseline=False)
    if verbosity >= 1 and any(_place(finding) not in known for finding in check.findings):
        yield from evidence.timeline(check)
    if verbosity >= 2:
        yield from evidence.probes(check)


def _whole(check: Check, finding: Finding, verbosity: int, *, readings: bool, has_baseline: bool) -> Iterator[str]:
    yield headline(check, finding)
    yield ""
    yield from map(_line, finding_rows(check, finding, has_baseline=has_baseline))
    if verbosity >= 1 and finding.kind != "loop-total":
        yield from map(_line, parts(finding))
    if readings:
        yield from evidence.readings(finding)
    if verbosity >= 2:
        yield from evidence.stack(finding)
    yield ""


def _again(check: Check, finding: Finding, told: Told) -> Iterator[str]:
    """One line for a line of code that was told before."""
    yield f"{headline(check, finding)}, {finding.kind} by {finding.place} in {finding.function}, as {told.where}"
    if finding.replacement != told.instead:
        yield _line(("instead", finding.replacement))


def headline(check: Check, finding: Finding) -> str:
    """One line that survives an 80 column summary: verb, route, what happened, how much, limit."""
    if finding.kind == "background-missing" and not finding.call:
        return f"{check.request}: no background task was added"
    if finding.evidence == MOCKED:
        return f"{check.request} calls {finding.call or 'what blocks'} on the event loop (a mock answers it here)"
    row = KINDS[finding.kind]
    what = row.headline.format(time=words(finding.blocked_ns), pool=finding.pool, call=finding.call)
    if is_quick(finding):
        times = "a synchronous network call" if finding.count == 1 else f"{finding.count} synchronous network calls"
        what = f"made {times}"
    if is_background(finding.kind):
        return f"{check.request}: {what}"
    if finding.phase is Phase.APP:
        return f"{check.request}: the app itself {what}{_limit(check, finding)}"
    where = _where(finding) if row.on_loop else ""
    return f"{check.request} {what}{where}{_limit(check, finding)}"


def _where(finding: Finding) -> str:
    """When, where it is not the handler. FastAPI runs what a dependency has behind its `yield` after the response."""
    if finding.phase is Phase.BACKGROUND and finding.role == "dependency teardown":
        return " after the response"
    return _WHERE.get(finding.phase, "")


def _limit(check: Check, finding: Finding) -> str:
    """What is allowed, in words: no round trip, however short; empty for a full pool, which is never allowed."""
    row = KINDS[finding.kind]
    if finding.kind == "loop-total":
        return f" (limit {words(check.max_total)})" if check.max_total else ""
    if row.always and not row.on_loop:
        return ""
    if row.always and finding.blocked_ns < check.limit:
        return " (none allowed)" if is_quick(finding) else " (no synchronous network call allowed)"
    return f" (limit {words(check.limit)})"


def _line(row: Row) -> str:
    name, text = row
    return f"              {text}" if name == "code" else f"  {name:<7} {text}"

"""Known blocking calls that a mock answered: pure functions.

Such a call stops nobody in the test, and everybody in production.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_noblock.judge.grouping import Shown, findings
from pytest_noblock.judge.stalls import readings_of
from pytest_noblock.model.check import Check, with_findings
from pytest_noblock.model.finding import MOCKED, Finding
from pytest_noblock.model.frames import user_frame
from pytest_noblock.model.observation import Exchange
from pytest_noblock.model.rules import Rule
from pytest_noblock.model.segment import BlockingCall, Segment
from pytest_noblock.model.stall import BlamedLine, Stall

_MOCKED_CALL = Rule(
    "mocked-call", "a known blocking call ended without sleeping and without using a socket; no time is counted"
)


def judged(check: Check, segments: Iterable[Segment], shown: Shown, *, fails: bool) -> Check:
    """The check with one more finding for each mocked call or, without `fails`, one more note.

    A line that has a finding already gets no other.
    """
    named = {(finding.file, finding.line) for finding in check.findings}
    found = [each for each in findings(_stalls(check, segments), shown) if (each.file, each.line) not in named]
    if not found:
        return check
    if fails:
        new = (replace(finding, confirmed=True) for finding in found)
        return with_findings(check, (*check.findings, *new))
    return replace(check, notes=(*check.notes, *map(_note, found)))


def _stalls(check: Check, segments: Iterable[Segment]) -> Iterator[Stall]:
    exchanges = {exchange.number: exchange for exchange in check.exchanges}
    for segment in segments:
        if segment.exchange in exchanges:
            yield from (_stall(exchanges[segment.exchange], segment, call) for call in segment.answered)


def _stall(exchange: Exchange, segment: Segment, call: BlockingCall) -> Stall:
    """The stall of a mocked call, with no time: a mock takes none."""
    return Stall(
        "sync-network" if call.network else "sync-io",
        exchange,
        call.began,
        call.ended,
        cpu=0,
        asleep=0,
        place=BlamedLine(user_frame(call.stack), call.stack, MOCKED, witnessed=True),
        rule=_MOCKED_CALL,
        readings=readings_of(segment),
    )


def _note(finding: Finding) -> str:
    return f"{finding.kind}, {finding.call or finding.code} at {finding.place}: {MOCKED}"

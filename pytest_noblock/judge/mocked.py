"""Known blocking calls that a mock answered: they stop nobody here, and everybody in production (pure)."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_noblock.judge.grouping import Shown, findings
from pytest_noblock.model.finding import MOCKED, Check, Finding
from pytest_noblock.model.frames import user_frame
from pytest_noblock.model.observation import BlockingCall, Exchange, Segment
from pytest_noblock.model.stall import BlamedLine, Stall


def judged(check: Check, segments: Iterable[Segment], shown: Shown, *, fails: bool) -> Check:
    """The check with these calls as findings or, where they do not fail it, as notes; what blocked is told already."""
    told = {(finding.file, finding.line) for finding in check.findings}
    found = [each for each in findings(_stalls(check, segments), shown) if (each.file, each.line) not in told]
    if not found:
        return check
    if fails:
        new = (replace(finding, confirmed=True) for finding in found)
        return check._replace(outcome="failed", findings=(*check.findings, *new), reason=None)
    return check._replace(notes=(*check.notes, *map(_note, found)))


def _stalls(check: Check, segments: Iterable[Segment]) -> Iterator[Stall]:
    exchanges = {exchange.number: exchange for exchange in check.exchanges}
    for segment in segments:
        if segment.exchange in exchanges:
            yield from (_stall(exchanges[segment.exchange], call) for call in segment.answered)


def _stall(exchange: Exchange, call: BlockingCall) -> Stall:
    """It took no time worth the name."""
    place = BlamedLine(user_frame(call.stack), call.stack, MOCKED, witnessed=True)
    return Stall("sync-network" if call.network else "sync-io", exchange, call.began, call.ended, 0, 0, place)


def _note(finding: Finding) -> str:
    return f"{finding.kind}, {finding.call or finding.code} at {finding.place}: {MOCKED}"

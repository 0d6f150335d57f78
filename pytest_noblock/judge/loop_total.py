"""What one request costs its worker in all: many stretches, each under the limit, that add up (pure).

The sum is of CPU and sleep, as the counters of each step tell them: other processes add nothing to it but what makes
the same CPU work slower. So a sum of little more than the limit is judged by the pace of the machine, as `near` does.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pytest_noblock.calls.names import source_line
from pytest_noblock.calls.sources import def_line
from pytest_noblock.judge import advice
from pytest_noblock.judge.grouping import Shown
from pytest_noblock.judge.near import NEAR
from pytest_noblock.judge.sleeps import surely_slept
from pytest_noblock.model.finding import Almost, Finding, Part
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.pace import Pace
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import words

_MOST_PARTS = 5


class Request(NamedTuple):
    """What is known of one request."""

    exchange: Exchange
    segments: Iterable[Segment]
    """Of the whole run."""
    found: Sequence[Stall]
    """The stalls of the exchange."""
    final: Sequence[Finding]
    """Its findings: what they took is not told twice."""


class Total(NamedTuple):
    """What is to be said of the sum: at most one of them."""

    finding: Finding | None = None
    almost: Almost | None = None
    """The sum reached half of its limit."""
    note: str | None = None


class _Sum(NamedTuple):
    """The stretches of one request that are no findings of their own; ns."""

    cpu: int
    asleep: int
    stretches: int

    @property
    def all(self) -> int:
        return self.cpu + self.asleep


def judged(request: Request, limits: Limits, pace: Callable[[], Pace], shown: Shown) -> Total:
    """Whether the sum is too large."""
    exchange, segments, found, final = request
    total = _sum(exchange, [each for each in segments if each.exchange == exchange.number], final)
    if 2 * total.all < limits.max_total:
        return Total()
    if total.all < limits.max_total:
        return Total(almost=_almost(exchange, total, shown))
    near = total.all < NEAR * limits.max_total
    if near and total.asleep + total.cpu / pace().slowness < limits.max_total:
        note = (
            f"{UNSETTLED}loop-total, {words(total.all)} in all, less than the limit of {words(limits.max_total)} at "
            "the machine's best pace; not counted"
        )
        return Total(almost=_almost(exchange, total, shown), note=note)
    parts = _parts(found, final, shown)
    return Total(finding=_finding(exchange, total, parts, limits, shown))


def _sum(exchange: Exchange, own: Sequence[Segment], final: Sequence[Finding]) -> _Sum:
    """What is told by findings comes off, sleep first where it was sleep."""
    told = [each for each in final if KINDS[each.kind].on_loop and each.requests == 1]
    cpu = sum(each.cpu for each in own) + exchange.brief - sum(_share(each, each.cpu) for each in told)
    asleep = sum(surely_slept(each) for each in own) - sum(_share(each, each.asleep) for each in told)
    taken = sum(len(each.stalls) for each in told)
    return _Sum(max(0, cpu), max(0, asleep), max(1, exchange.steps - taken))


def _share(finding: Finding, of_longest: int) -> int:
    """What all stalls of the finding took, of which only the longest is split: the same share of each one's time."""
    if not finding.blocked_ns:
        return 0
    took = sum(min(ended - began, finding.blocked_ns) for began, ended in finding.stalls) or finding.blocked_ns
    return round(took * of_longest / finding.blocked_ns)


def _parts(found: Sequence[Stall], final: Sequence[Finding], shown: Shown) -> tuple[Part, ...]:
    """The lines that took most, the greatest first."""
    told = {stall for each in final for stall in each.stalls}
    lines = {(each.file, each.line) for each in final}
    took: Counter[tuple[str, int]] = Counter()
    frames: dict[tuple[str, int], Frame] = {}
    for stall in found:
        frame = stall.place.frame
        if frame is None or not KINDS[stall.kind].on_loop or (stall.began, stall.ended) in told:
            continue
        named = frame.named(shown(frame.file))
        if (named.file, named.line) in lines:
            continue
        frames.setdefault((frame.file, frame.line), named)
        took[frame.file, frame.line] += stall.blocked_ns
    return tuple(Part(frames[key], ns) for key, ns in took.most_common(_MOST_PARTS))


def _finding(exchange: Exchange, total: _Sum, parts: tuple[Part, ...], limits: Limits, shown: Shown) -> Finding:
    file, line, function, code = _place(exchange, shown)
    stretches = "1 stretch" if total.stretches == 1 else f"{total.stretches} stretches"
    return Finding(
        kind="loop-total",
        phase=Phase.HANDLER,
        blocked_ns=total.all,
        cpu=total.cpu,
        asleep=total.asleep,
        count=total.stretches,
        file=file,
        line=line,
        function=function,
        code=code,
        call=None,
        replacement=advice.replacement(None, "loop-total"),
        confirmed=True,
        evidence="endpoint",
        reason=(
            f"{stretches}, none of them over the limit of {words(limits.max_block)}: asleep {words(total.asleep)}, "
            f"CPU {words(total.cpu)}"
        ),
        parts=parts,
    )


def _almost(exchange: Exchange, total: _Sum, shown: Shown) -> Almost:
    file, _line, function, code = _place(exchange, shown)
    return Almost("loop-total", file, function, code, None, total.all)


def _place(exchange: Exchange, shown: Shown) -> tuple[str | None, int | None, str | None, str | None]:
    """The endpoint's `def`, in each run: which line takes most differs."""
    frame = exchange.defined
    if frame is None:
        return None, None, None, None
    line = def_line(frame.file, frame.line, frame.function)
    return shown(frame.file), line, frame.function, source_line(frame.file, line)

"""Waits of which one run cannot tell whether the machine made them so long: short sleeps, and loops (pure)."""

from collections.abc import Iterator, Sequence

from pytest_noblock.judge import naps, polls
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.rules import Readings
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall


def of_step(exchange: Exchange, segment: Segment, readings: Readings, limits: Limits) -> Iterator[Stall]:
    """The one that took longest in a step that is under the limit by the meter; none in most steps."""
    slept = naps.in_doubt(segment, limits) if segment.calls else None
    polled = polls.in_doubt(segment, limits)
    if slept is None and polled is None:
        return
    kind = "sync-io" if slept is not None else polls.kind_of(segment)
    place, took = slept or polled  # type: ignore[misc]  # one of them is there
    rule = naps.RULE if slept is not None else polls.RULE
    cpu, asleep = (took.took, 0) if kind == "cpu" else (0, took.took)
    yield Stall(
        kind,
        exchange,
        segment.began,
        segment.ended,
        cpu,
        asleep,
        place,
        rule,
        readings,
        sure=False,
        in_doubt=took.took - naps.charged(segment),
        naps=slept and slept[1],
        polls=polled and polled[1],
    )


def told(stall: Stall) -> str | None:
    """The doubt in words and numbers."""
    if stall.naps is not None:
        return naps.told(stall.naps)
    return polls.told(stall.polls) if stall.polls is not None else None


def settled(stall: Stall, counted: Sequence[Observation], as_sent: Sequence[Observation], limits: Limits) -> Stall:
    """The stall, without its doubt where later runs tell how the wait ends.

    `counted`: those with counters, which add CPU to a loop and no sleep. `as_sent`: those without.
    """
    if stall.naps is not None:
        by_sleeps = naps.settled(stall, [*counted, *as_sent])
        if by_sleeps.naps is None:
            return by_sleeps._replace(polls=None)
    return polls.settled(stall, as_sent, limits)

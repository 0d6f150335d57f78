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
    found = naps.in_doubt(segment, limits) if segment.calls else None
    if found is not None:
        place, took = found
        doubt = took.took - naps.charged(segment)
        times = segment.began, segment.ended, 0, took.took
        yield Stall("sync-io", exchange, *times, place, naps.RULE, readings, sure=False, in_doubt=doubt, naps=took)
    elif (polled := polls.in_doubt(segment, limits)) is not None:
        line, stay = polled
        kind = polls.kind_of(segment)
        cpu, asleep = (stay.took, 0) if kind == "cpu" else (0, stay.took)
        times = segment.began, segment.ended, cpu, asleep
        doubt = stay.took - stay.charged
        yield Stall(kind, exchange, *times, line, polls.RULE, readings, sure=False, in_doubt=doubt, polls=stay)


def told(stall: Stall) -> str | None:
    """The doubt in words and numbers."""
    if stall.naps is not None:
        return naps.told(stall.naps)
    return polls.told(stall.polls) if stall.polls is not None else None


def settled(stall: Stall, counted: Sequence[Observation], as_sent: Sequence[Observation], limits: Limits) -> Stall:
    """The stall, without its doubt where later runs tell how the wait ends.

    `counted`: those with counters, which add CPU to a loop and no sleep. `as_sent`: those without.
    """
    return (
        polls.settled(stall, as_sent, limits) if stall.polls is not None else naps.settled(stall, [*counted, *as_sent])
    )

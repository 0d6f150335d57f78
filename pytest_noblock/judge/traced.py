"""CPU while a tracer or a profiler is on, as coverage's: how much of it is sure to be the app's own (pure).

A tracer slows down Python code, and no call in C. A call in C keeps the GIL, so that the watchdog's look comes late;
Python code hands the GIL over within a switch interval. So the lateness of the looks is the sure part.
"""

from collections.abc import Iterator

from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.units import SWITCH_INTERVAL_NS, words

_LATE_NS = 2 * SWITCH_INTERVAL_NS
"""A look that comes later than this waited for a call in C."""


def without_tracing(observation: Observation) -> Observation:
    """The observation with the least CPU that each segment took without the tracer.

    A run with counters at every line only confirms what a run without them showed: it stays as it is.
    """
    if observation.slowdown == 1:
        return observation
    least = (each if each.lines else _least(each, observation.slowdown) for each in observation.segments)
    return observation._replace(segments=tuple(least), slowdown=1)


def notes(observation: Observation, exchange: Exchange, limits: Limits) -> Iterator[str]:
    """A note on the longest computation of the exchange that may be the tracer's."""
    own = [each for each in observation.segments if each.exchange == exchange.number and not each.lines]
    worst = max(own, key=lambda each: each.cpu, default=None)
    if observation.slowdown == 1 or worst is None or worst.cpu < limits.max_block:
        return
    least = _least(worst, observation.slowdown).cpu
    if least < limits.max_block:
        yield (
            f"{UNSETTLED}cpu, {words(worst.cpu)}, of which {words(least)} are sure: a tracer or a profiler is on, as "
            f"coverage's, which makes Python code up to {observation.slowdown} times slower; not counted. "
            "COVERAGE_CORE=sysmon does not"
        )


def _least(segment: Segment, slowdown: int) -> Segment:
    lateness = [each.gil_wait for each in segment.samples if (each.gil_wait or 0) > _LATE_NS]
    waited = segment.off_cpu if segment.queued is None else segment.queued  # for a processor, with the GIL kept
    in_c = min(segment.cpu, max(0, sum(filter(None, lateness)) - waited))
    least = in_c + (segment.cpu - in_c) // slowdown
    return segment.less_cpu(segment.cpu - least)

"""CPU while a tracer is on: only what a call in C took is sure."""

import pytest

from pytest_noblock.judge import traced
from pytest_noblock.judge.stalls import stalls
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import LineCost, Sample, Segment
from tests.judge.test_cpu_lines import user

MS = 1_000_000
LIMITS = Limits(50 * MS)
EXCHANGE = Exchange(1, "GET", "/", 0)


def look(rang, came, queued=0):
    """The timer rang, and the look came so much later (ms), after so long a wait for a processor."""
    wait = came - rang - queued
    return Sample((came - queued) * MS, came * MS, came * MS, (user(3),), "unknown", wait * MS)


def observed(*looks, cpu=200, queued=0, lines=(), slowdown=25):
    segment = Segment(1, 0, (cpu + queued) * MS, cpu * MS, 0, queued * MS, 1, 0, 0, 0, samples=looks, lines=lines)
    return Observation("full", (EXCHANGE,), (segment,), slowdown=slowdown)


@pytest.mark.parametrize(
    ("observation", "cpu"),
    [
        (observed(look(15, 20), look(30, 36)), 8),
        (observed(look(15, 115)), 104),
        (observed(look(15, 115, queued=60)), 46),
        (observed(look(15, 115), queued=80), 27),
        (observed(look(15, 115), cpu=60), 60),
        (observed(slowdown=1), 200),
        (observed(lines=(LineCost(user(3), (), 1, 200 * MS, 0, 0),)), 200),
    ],
    ids="python a-call-in-c watchdog-queued loop-queued no-more-than-all no-tracer line-counters".split(),
)
def test_what_is_sure_is_the_wait_of_the_looks(observation, cpu):
    (stall,) = stalls(observation, LIMITS)
    assert (stall.cpu // MS, stall.asleep) == (cpu, 0)


def test_what_may_be_the_tracers_is_told():
    (note,) = traced.notes(observed(look(15, 20)), EXCHANGE, LIMITS)
    assert note.startswith(
        "unsettled: cpu, 200 ms, of which 8.0 ms are sure: a tracer or a profiler is on, as coverage's"
    )
    assert list(traced.notes(observed(look(15, 115)), EXCHANGE, LIMITS)) == []
    assert list(traced.notes(observed(cpu=40), EXCHANGE, LIMITS)) == []
    assert list(traced.notes(observed(slowdown=1), EXCHANGE, LIMITS)) == []

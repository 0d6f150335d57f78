"""What a segment says of the two readings between which it lies."""

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.network.round_trips import RoundTrips
from pytest_noblock.engine.steps.counters import Counters, Span
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.steps.python_threads import PythonThreads
from pytest_noblock.engine.steps.step_calls import StepCalls

MS = 1_000_000
BEGAN = 1_000 * MS


class StillClock(PortableClock):
    """Its counters stand still at the begin of a step."""

    def begin(self):
        return BEGAN, 0, b"", 0, 0


def ended(wall=0, *, cpu=0, others=0):
    """The counters at the end: `wall` later, after so much CPU of this thread and of the others."""
    return BEGAN + wall, cpu, b"", 0, cpu + others


class BusyThreads(PythonThreads):
    """The others burned 3 ms, whenever somebody asks."""

    def burned(self):
        return 3 * MS


class OpenCounters(Counters):
    """Shows what it deducts, as `out`."""


@pytest.fixture
def counters(user):
    clock, trips = StillClock(), RoundTrips(None)
    out = Deductions(clock)
    counters = OpenCounters(clock, trips, StepCalls(user, trips, out, counts_sleeps=False), out)
    assert counters.begin() == BEGAN
    counters.threads = BusyThreads()
    counters.out = out
    return counters


def test_what_is_taken_out_and_what_lies_between_the_steps_is_not_charged(counters):
    counters.out.wall, counters.out.cpu, counters.out.collected, counters.out.imported = 7 * MS, 2 * MS, MS, 6 * MS
    segment = counters.segment(Span(5, BEGAN, 4 * MS, 9), ended(70 * MS, cpu=50 * MS))
    assert (segment.exchange, segment.turn, segment.began) == (5, 9, BEGAN)
    assert segment.ended == BEGAN + 63 * MS
    assert segment.cpu == 43 * MS
    assert (segment.collected, segment.imported, segment.elsewhere) == (MS, 6 * MS, 4 * MS)


def test_no_more_cpu_is_charged_than_the_steps_took(counters):
    """The reading may be older than the first of them."""
    segment = counters.segment(Span(5, BEGAN + 60 * MS, 4 * MS, 9), ended(70 * MS, cpu=50 * MS))
    assert segment.cpu == 6 * MS


def test_what_the_watchdog_burns_is_no_other_threads(counters):
    """It makes no round trips, and is no worker that held the GIL."""

    class Dog:
        cpu = 10 * MS

        def cpu_by(self, _moment):
            return self.cpu

    counters.watchdog = Dog()
    counters.begin()
    counters.watchdog.cpu += 7 * MS
    assert counters.segment(Span(5, BEGAN, 0, 9), ended(70 * MS, others=9 * MS)).others_cpu == 2 * MS


@pytest.mark.parametrize(("cpu", "burned"), [(64 * MS, 3 * MS), (66 * MS, None)])
def test_other_threads_are_asked_where_the_step_may_have_waited_for_the_gil(counters, cpu, burned):
    assert counters.segment(Span(5, BEGAN, 0, 9), ended(70 * MS, cpu=cpu)).threads_cpu == burned

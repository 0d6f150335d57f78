"""What a late tick tells of the loop's thread, on a loop that does not say when it polls. The test turns the clock."""

from types import SimpleNamespace

import pytest

from pytest_noblock.engine.probing import late_ticks
from pytest_noblock.engine.probing.late_ticks import LateTicks

MS = 1_000_000


class HandClock:
    """Reads what the test sets, in ms."""

    def __init__(self):
        self.wall = self.cpu = self.queued = self.switches = self.process = 0

    def end(self):
        return self.wall * MS, self.cpu * MS, f"0 {self.queued * MS} 1".encode(), self.switches, self.process * MS

    def close(self):
        self.wall = None


@pytest.fixture
def clock(monkeypatch):
    clock = HandClock()
    monkeypatch.setattr(late_ticks, "LinuxClock", lambda: clock)
    return clock


def ticked(late, clock, due, wall, **counters):
    """The next tick, due and come at these ms; meanwhile the counters rose by so much."""
    late._ticks.due = due * MS
    clock.wall = wall
    for name, more in counters.items():
        setattr(clock, name, getattr(clock, name) + more)
    late.note()


@pytest.fixture
def late(clock):
    return LateTicks(SimpleNamespace(due=0), 10 * MS, SimpleNamespace(ever=0))


def test_what_the_thread_neither_computed_nor_queued_after_the_tick_was_due_it_slept(clock, late):
    ticked(late, clock, due=5, wall=6)
    ticked(late, clock, due=30, wall=330, cpu=20, queued=50, switches=3, process=120)
    (turn,) = late.turns()
    assert (turn.began, turn.ended, turn.polled) == (6 * MS, 330 * MS, False)
    assert (turn.cpu, turn.queued, turn.asleep, turn.others_cpu) == (20 * MS, 50 * MS, 230 * MS, 100 * MS)
    assert turn.switches == 3


def test_what_no_step_is_charged_for_is_counted_from_tick_to_tick(clock, late):
    late._deductions.ever = 7 * MS
    ticked(late, clock, due=5, wall=105)
    late._deductions.ever = 97 * MS
    ticked(late, clock, due=130, wall=230)
    ticked(late, clock, due=255, wall=355)
    assert [turn.deducted for turn in late.turns()] == [7 * MS, 90 * MS, 0]


def test_a_collection_that_fell_due_meanwhile_is_told_apart(clock, late, monkeypatch):
    collections = {6 * MS: [SimpleNamespace(cpu=70 * MS), SimpleNamespace(cpu=20 * MS)]}
    monkeypatch.setattr(late_ticks.fallen_due, "since", lambda moment: collections.get(moment, []))
    ticked(late, clock, due=5, wall=6)
    ticked(late, clock, due=30, wall=130, cpu=100)
    ticked(late, clock, due=155, wall=255, cpu=100)
    assert [turn.collected for turn in late.turns()] == [90 * MS, 0]


def test_the_ticks_that_fell_due_in_the_same_turn_tell_nothing_more(clock, late):
    ticked(late, clock, due=5, wall=305)
    for due in range(10, 300, 5):
        ticked(late, clock, due=due, wall=clock.wall + 0.1)
    assert [turn.asleep for turn in late.turns()] == [300 * MS]


def test_a_tick_in_time_tells_nothing_and_the_clock_is_closed(clock, late):
    ticked(late, clock, due=5, wall=14)
    late.close()
    assert late.turns() == ()
    assert clock.wall is None

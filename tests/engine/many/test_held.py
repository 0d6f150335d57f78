"""A step has taken the loop for good only where somebody looked at it all the while, and it had a processor."""

from types import SimpleNamespace

import pytest

from pytest_noblock.engine.many import held
from pytest_noblock.engine.many.held import HeldLoop

SECOND = 1_000_000_000


class Clock:
    """What the loop thread does, and what time it is."""

    def __init__(self):
        self.at = 100 * SECOND
        self.queued = 0
        self.steps = SimpleNamespace(runs_since=7, native=1)
        self.owner = "a request"

    @property
    def metering(self):
        return SimpleNamespace(steps=self.steps)

    def holder(self, _seconds):
        return self.owner if self.steps.runs_since else None


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(held, "now", lambda: clock.at)
    monkeypatch.setattr(held, "RunQueue", lambda: SimpleNamespace(read=lambda _natives: clock.queued))
    return clock


def looks(clock, seconds, each=lambda: None):
    """One look a second, at a limit of 3 s."""
    loop = HeldLoop(clock, 3)
    found = []
    for _ in range(seconds):
        found.append(loop.look())
        clock.at += SECOND
        each()
    return found


def test_a_step_that_runs_on_and_on_has_taken_the_loop(clock):
    assert looks(clock, 5) == [False, False, False, True, True]


def test_another_step_begins_anew_and_what_is_no_requests_does_not_count(clock):
    steps = iter([7, 8, 8, 8, 0])
    assert not any(looks(clock, 5, lambda: setattr(clock.steps, "runs_since", next(steps))))
    clock.owner, clock.steps.runs_since = None, 7
    assert not any(looks(clock, 9))


def test_time_in_which_the_thread_waited_for_a_processor_does_not_count(clock):
    def waits():
        clock.queued += 9 * SECOND // 10

    assert not any(looks(clock, 20, waits))


def test_a_pause_in_which_nobody_looked_does_not_count(clock):
    loop = HeldLoop(clock, 3)
    assert not loop.look()
    clock.at += 60 * SECOND
    assert not loop.look()

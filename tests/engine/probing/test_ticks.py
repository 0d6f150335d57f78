"""When ticks are due; with a clock and a loop that the test turns by hand."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing import ticks
from pytest_noblock.engine.probing.ticks import LoopTicks

MS = 1_000_000


class Loop:
    """Has one timer; `turn` goes on to when it is due, or as much later as the loop is held."""

    def __init__(self):
        self.now = 0
        self.timer = None
        self.armed = 0

    def call_later(self, delay, callback):
        assert self.timer is None
        self.timer = (self.now + round(delay * 1e9), callback)
        self.armed += 1
        return SimpleNamespace(cancel=self._cancel)

    def _cancel(self):
        self.timer = None

    def turn(self, held=0):
        (due, callback), self.timer = self.timer, None
        self.now = max(self.now, due) + held
        callback()


@pytest.fixture
def loop(monkeypatch):
    loop = Loop()
    monkeypatch.setattr(ticks, "now", lambda: loop.now)
    monkeypatch.setattr(ticks, "others_so_far", lambda: loop.others)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    loop.others = 0
    return loop


@pytest.fixture
def due():
    """When the ticks so far were due, in ms."""
    return []


@pytest.fixture
def started(loop, due):
    def started(sample=lambda: False):
        return LoopTicks(lambda at: due.append(at / MS), sample)

    return started


def steps(due):
    return [after - before for before, after in zip([0, *due], due, strict=False)]


def test_ticks_come_often_at_first_and_rarely_later_while_the_request_makes_steps(started, loop, due):
    ticking = started()
    for _ in range(25):
        ticking.wake()
        loop.turn()
    assert steps(due) == [5] * 20 + [25] * 5


def test_ticks_stay_frequent_while_something_is_under_way(started, loop, due):
    started(sample=lambda: True)
    for _ in range(40):
        loop.turn()
    assert steps(due) == [5] * 40


def test_ticks_are_rare_where_nothing_can_happen(started, loop, due):
    started()
    for _ in range(30):
        loop.turn()
    assert steps(due)[1] == 5  # the first one: a step may have run before it
    assert steps(due)[-5:] == [100] * 5


def test_a_step_brings_the_next_tick_forward(started, loop, due):
    ticking = started()
    for _ in range(30):
        loop.turn()
    loop.now += 30 * MS
    ticking.wake()
    loop.turn()
    assert steps(due)[-1] == 35


def test_a_step_brings_nothing_forward_that_is_near_anyway(started, loop):
    ticking = started()
    armed = loop.armed
    for _ in range(5):
        ticking.wake()
    assert loop.armed == armed


def test_a_thread_that_burns_keeps_the_ticks_coming(started, loop, due):
    started()
    for _ in range(30):
        loop.others += MS
        loop.turn()
    assert max(steps(due)) == 25


def test_a_new_thread_keeps_the_ticks_coming(started, loop, due):
    over = threading.Event()
    started()
    thread = threading.Thread(target=over.wait)
    thread.start()
    for _ in range(30):
        loop.turn()
    over.set()
    thread.join()
    assert max(steps(due)) == 25


def test_what_fell_due_while_the_loop_was_held_comes_with_its_own_time(started, loop, due):
    started()
    loop.turn(held=22 * MS)
    for _ in range(4):
        loop.turn()
        assert loop.now == 27 * MS
    loop.turn()
    assert due == [5, 10, 15, 20, 25, 30]


def test_what_fell_due_before_the_stop_is_handed_on_and_nothing_later(started, loop, due):
    ticking = started()
    loop.now += 17 * MS
    ticking.stop()
    assert due == [5, 10, 15]
    assert loop.timer is None


def test_a_step_after_the_stop_brings_no_tick(started, loop):
    ticking = started()
    for _ in range(30):
        loop.turn()  # the next one is far off
    ticking.stop()
    ticking.wake()
    assert loop.timer is None


def test_a_sample_that_raises_ends_the_ticks_and_not_the_loop(started, loop, due):
    def fail():
        raise KeyError("it")

    ticking = started(sample=fail)
    loop.turn()
    assert repr(ticking.failure) == "KeyError('it')"
    assert due == [5]
    assert loop.timer is None


def test_on_a_real_loop_a_late_tick_shows_that_the_loop_was_held():
    async def main():
        ticking = LoopTicks(lambda at: ticked.append((at, now())), lambda: True)
        began = now()
        time.sleep(0.05)
        ended = now()
        await asyncio.sleep(0.01)
        ticking.stop()
        return began, ended

    ticked = []
    began, ended = asyncio.run(main())
    held = [(at, came) for at, came in ticked if began <= at < ended]
    assert len(held) >= 9
    assert all(came >= ended for _, came in held)

"""Where the loop thread waited for the GIL, wherever in a turn of the loop, a gap is recorded with who kept it."""

import asyncio
import functools
import re
import threading
import time
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.clocks import best_clock
from pytest_noblock.engine.threads import gap_workers, gil_gaps
from pytest_noblock.engine.threads.gil_gaps import GapSelector, GilGapDetector
from pytest_noblock.engine.usercode import UserCode

MS = 1_000_000

pytestmark = pytest.mark.skipif(not best_clock().splits_waiting, reason="the portable meter sees no gaps")


def backtrack(letters):
    """Keeps the GIL for as long as it runs: one call of C code, twice as long with each letter more."""
    re.match(r"(a+)+$", "a" * letters + "b")


@functools.cache
def enough_letters():
    """So many that `backtrack` burns 100 ms here or more: twice what the tests ask for."""
    for letters in range(18, 60):
        began = time.thread_time_ns()
        backtrack(letters)
        if time.thread_time_ns() - began >= 100 * MS:
            return letters
    raise AssertionError("no machine is so fast")


def keeps_it(over):
    backtrack(enough_letters())
    over.wait()


def worker(target):
    over = threading.Event()
    return threading.Thread(target=target, args=(over,), daemon=True), over


def seen(turn):
    """The gaps of a run with one turn in it that is nobody's."""
    enough_letters()

    async def main():
        detector = GilGapDetector(list, UserCode(__file__.rpartition("/")[0], set()), 10 * MS)
        with detector.detecting(SimpleNamespace(attach_gaps=lambda gaps: None)):
            await asyncio.sleep(0)
            turn(detector)
            await asyncio.sleep(0)
        return detector.gaps()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(GapSelector())) as runner:
        return runner.run(main())


def most_burned(gaps):
    return max((each.cpu for gap in gaps for each in gap.workers), default=0)


@pytest.fixture
def keeping():
    """Begins threads that keep the GIL and then wait, until the test is over."""
    begun = []

    def keeping():
        begun.append(worker(keeps_it))
        begun[-1][0].start()
        time.sleep(0.02)  # gives the GIL away

    yield keeping
    for thread, over in begun:
        over.set()
        thread.join()


def test_a_wait_in_a_turn_that_is_nobodys(keeping):
    assert most_burned(seen(lambda _detector: keeping())) > 50 * MS


def test_a_wait_before_a_mark(keeping):
    def turn(detector):
        keeping()
        detector.reset_marks()

    assert most_burned(seen(turn)) > 50 * MS


def test_a_wait_in_the_reading_itself(keeping, monkeypatch):
    def turn(detector):
        end = detector._clock.end

        def interrupted():
            if not interruptions:
                interruptions.append(keeping())
            return end()

        monkeypatch.setattr(detector._clock, "end", interrupted)
        detector.close_interval()

    interruptions = []
    assert most_burned(seen(turn)) > 50 * MS


def test_who_has_the_gil_first_samples_a_thread_that_ends_before_the_loop_goes_on():
    def turn(detector):
        thread, over = worker(keeps_it)
        thread.start()
        time.sleep(0.02)
        detector._workers.sample_early()
        over.set()
        thread.join()

    gaps = seen(turn)
    assert most_burned(gaps) > 50 * MS
    assert {each.stack[0].function for gap in gaps for each in gap.workers if each.cpu > 50 * MS} & {"keeps_it", "wait"}


def keeps_it_and_ends(begin):
    begin.wait()
    backtrack(enough_letters())


@pytest.fixture
def begin():
    """Lets threads go on; the GIL is given away."""
    begin = threading.Event()

    def give_way():
        begin.set()
        time.sleep(0.02)

    begin.give_way = give_way
    yield begin
    begin.set()


def started(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def end_before_the_samples(monkeypatch):
    """What the loop thread sees where the thread that kept the GIL got it again first."""

    def end(*threads):
        monkeypatch.setattr(
            gil_gaps, "other_stacks", lambda: ([each.join() for each in threads], gap_workers.other_stacks())[1]
        )

    return end


def test_a_thread_that_has_ended_before_the_samples_still_counts(begin, end_before_the_samples):
    def turn(detector):
        thread = started(keeps_it_and_ends, begin)
        detector.reset_marks()
        end_before_the_samples(thread)
        begin.give_way()

    [gap] = seen(turn)
    [worker] = gap.workers
    assert worker.cpu > 50 * MS
    assert worker.stack == ()


def test_what_a_stranger_burned_is_not_put_down_to_a_thread_that_has_ended(begin, end_before_the_samples):
    stranger = started(lambda: (keeps_it_and_ends(begin), over.wait()))
    over = threading.Event()

    def turn(detector):
        thread = started(begin.wait)
        detector.reset_marks()
        end_before_the_samples(thread)
        begin.give_way()

    gaps = seen(turn)
    over.set()
    stranger.join()
    assert gaps
    assert most_burned(gaps) < 10 * MS


def test_several_that_have_ended_are_not_taken_for_one(begin, end_before_the_samples):
    def turn(detector):
        threads = [started(keeps_it_and_ends, begin), started(keeps_it_and_ends, begin)]
        detector.reset_marks()
        end_before_the_samples(*threads)
        begin.give_way()

    gaps = seen(turn)
    assert gaps
    assert most_burned(gaps) == 0

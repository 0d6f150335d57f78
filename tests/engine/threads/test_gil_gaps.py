"""What a loop's thread waited for the interpreter lock is told, wherever in a turn of the loop it was."""

import asyncio
import re
import threading
import time
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.clocks import best_clock
from pytest_noblock.engine.threads.gil_gaps import GapSelector, GilGapDetector
from pytest_noblock.engine.usercode import UserCode

MS = 1_000_000

pytestmark = pytest.mark.skipif(not best_clock().splits_waiting, reason="the portable meter sees no gaps")


def keeps_it(over):
    re.match(r"(a+)+$", "a" * 22 + "b")
    over.wait()


def worker(target):
    over = threading.Event()
    return threading.Thread(target=target, args=(over,), daemon=True), over


def seen(turn):
    """The gaps of a run with one turn in it that is nobody's."""

    async def main():
        watch = GilGapDetector(list, UserCode(__file__.rpartition("/")[0], set()), 10 * MS)
        with watch.watching(SimpleNamespace(gaps=None, watchdog=None)):
            await asyncio.sleep(0)
            turn(watch)
            await asyncio.sleep(0)
        return watch.gaps()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(GapSelector())) as runner:
        return runner.run(main())


def most_burned(gaps):
    return max((each.cpu for gap in gaps for each in gap.workers), default=0)


@pytest.fixture
def keeping():
    """Begins threads that keep the lock and then wait, until the test is over."""
    begun = []

    def keeping():
        begun.append(worker(keeps_it))
        begun[-1][0].start()
        time.sleep(0.02)  # gives the lock away

    yield keeping
    for thread, over in begun:
        over.set()
        thread.join()


def test_a_wait_in_a_turn_that_is_nobodys(keeping):
    assert most_burned(seen(lambda _watch: keeping())) > 50 * MS


def test_a_wait_before_a_mark(keeping):
    def turn(watch):
        keeping()
        watch.reset_marks()

    assert most_burned(seen(turn)) > 50 * MS


def test_a_wait_in_the_reading_itself(keeping, monkeypatch):
    def turn(watch):
        end = watch._clock.end

        def interrupted():
            if not interruptions:
                interruptions.append(keeping())
            return end()

        monkeypatch.setattr(watch._clock, "end", interrupted)
        watch.close_interval()

    interruptions = []
    assert most_burned(seen(turn)) > 50 * MS


def test_who_has_the_lock_first_looks_for_a_thread_that_ends_before_the_loop_goes_on():
    def turn(watch):
        thread, over = worker(keeps_it)
        thread.start()
        time.sleep(0.02)
        watch.sample_early()
        over.set()
        thread.join()

    gaps = seen(turn)
    assert most_burned(gaps) > 50 * MS
    assert {each.stack[0].function for gap in gaps for each in gap.workers if each.cpu > 50 * MS} & {"keeps_it", "wait"}


def keeps_it_and_ends(begin):
    begin.wait()
    re.match(r"(a+)+$", "a" * 22 + "b")


@pytest.fixture
def begin():
    """Lets threads go on; the lock is given away."""
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


def ended_first(thread, watch):
    """What the loop's thread sees where another one had the lock before it."""
    watch._stacks = lambda: (thread.join(), GilGapDetector._stacks())[1]


def test_a_thread_that_has_ended_before_the_look_still_counts(begin):
    def turn(watch):
        thread = started(keeps_it_and_ends, begin)
        watch.reset_marks()
        ended_first(thread, watch)
        begin.give_way()

    [gap] = seen(turn)
    [worker] = gap.workers
    assert worker.cpu > 50 * MS
    assert worker.stack == ()


def test_what_a_stranger_burned_is_not_put_down_to_a_thread_that_has_ended(begin):
    stranger = started(lambda: (keeps_it_and_ends(begin), over.wait()))
    over = threading.Event()

    def turn(watch):
        thread = started(begin.wait)
        watch.reset_marks()
        ended_first(thread, watch)
        begin.give_way()

    gaps = seen(turn)
    over.set()
    stranger.join()
    assert gaps
    assert most_burned(gaps) < 10 * MS


def test_several_that_have_ended_are_not_taken_for_one(begin):
    def turn(watch):
        threads = [started(keeps_it_and_ends, begin), started(keeps_it_and_ends, begin)]
        watch.reset_marks()
        watch._stacks = lambda: ([each.join() for each in threads], GilGapDetector._stacks())[1]
        begin.give_way()

    gaps = seen(turn)
    assert gaps
    assert most_burned(gaps) == 0

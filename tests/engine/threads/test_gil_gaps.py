"""Where the loop thread waited for the GIL, wherever in a turn of the loop, a gap is recorded with who kept it."""

import asyncio
import re
import threading
import time
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.clocks import best_clock
from pytest_noblock.engine.steps import python_threads
from pytest_noblock.engine.threads import gap_workers, gil_gaps
from pytest_noblock.engine.threads.gil_gaps import GapSelector, GilGapDetector
from pytest_noblock.engine.usercode import UserCode
from tests.burning import letters

MS = 1_000_000
LETTERS = letters(100)
"""What keeps the GIL for twice as long as the limit here, at least."""

pytestmark = pytest.mark.skipif(not best_clock().splits_waiting, reason="the portable meter sees no gaps")


class Burned:
    """That a thread has kept the GIL. Who waits by turns, not for an event, waits for the GIL all the while."""

    def __init__(self):
        self._is_true = False

    def keep_the_gil(self):
        re.match(r"(a+)+$", "a" * LETTERS + "b")
        self._is_true = True

    def wait(self):
        while not self._is_true:
            time.sleep(0.001)  # gives the GIL away


def keeps_it(burned, over):
    burned.keep_the_gil()
    over.wait()


def worker():
    burned, over = Burned(), threading.Event()
    return threading.Thread(target=keeps_it, args=(burned, over), daemon=True), burned, over


def seen(turn):
    """The gaps of a run with one turn in it that is nobody's."""

    async def main():
        detector = GilGapDetector(list, UserCode(__file__.rpartition("/")[0], set()), 10 * MS)
        with detector.detecting(SimpleNamespace(attach_gaps=lambda gaps: None, deductions=SimpleNamespace(ever=0))):
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
        begun.append(worker())
        thread, burned, _over = begun[-1]
        thread.start()
        burned.wait()

    yield keeping
    for thread, _burned, over in begun:
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
        kind = type(detector._clock)  # its objects have slots
        end = kind.end

        def interrupted(clock):
            if not interruptions:
                interruptions.append(keeping())
            return end(clock)

        monkeypatch.setattr(kind, "end", interrupted)
        detector.close_interval()

    interruptions = []
    assert most_burned(seen(turn)) > 50 * MS


def test_who_has_the_gil_first_samples_a_thread_that_ends_before_the_loop_goes_on():
    def turn(detector):
        thread, burned, over = worker()
        thread.start()
        burned.wait()
        detector._workers.sample_early()
        over.set()
        thread.join()

    gaps = seen(turn)
    assert most_burned(gaps) > 50 * MS
    assert {each.stack[0].function for gap in gaps for each in gap.workers if each.cpu > 50 * MS} & {"keeps_it", "wait"}


def test_the_look_of_who_loses_the_gil_in_the_midst_of_it_counts(monkeypatch):
    reads, has_gone_on, over = threading.Event(), threading.Event(), threading.Event()
    burned = Burned()

    def elsewhere():
        has_gone_on.set()
        over.wait()

    def keeps_it_and_goes_on():
        burned.keep_the_gil()
        reads.wait()
        elsewhere()

    def turn(detector):
        started(keeps_it_and_goes_on)
        burned.wait()
        clocks, loop_thread = detector._workers._clocks, threading.get_ident()
        read = clocks.burned

        def interrupted(runs_app):
            if threading.get_ident() != loop_thread:
                reads.set()
                over.wait()
            return read(runs_app)

        monkeypatch.setattr(clocks, "burned", interrupted)
        started(detector._workers.sample_early)
        reads.wait()
        has_gone_on.wait()

    try:
        workers = [each for gap in seen(turn) for each in gap.workers if each.cpu > 50 * MS]
    finally:
        over.set()
    assert workers
    for each in workers:
        assert "keeps_it_and_goes_on" in [frame.function for frame in each.stack]
        assert "elsewhere" not in [frame.function for frame in each.stack]


def keeps_it_and_ends(begin):
    begin.wait()
    burned = Burned()
    begin.all_burned.append(burned)
    burned.keep_the_gil()


@pytest.fixture
def begin():
    """Lets threads go on; the GIL is given away until so many have kept it."""
    begin = threading.Event()
    begin.all_burned = []

    def give_way(times=1):
        begin.set()
        while len(begin.all_burned) < times:
            time.sleep(0.001)
        for burned in begin.all_burned:
            burned.wait()

    begin.give_way = give_way
    yield begin
    begin.set()
    while _started:  # one that ends in the next test is one too many there
        _started.pop().join(timeout=10)


_started = []


def started(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    _started.append(thread)
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

    [worker] = [each for gap in seen(turn) for each in gap.workers if each.cpu > 50 * MS]
    assert worker.stack == ()


def test_a_thread_that_began_and_ended_in_one_wait_still_counts(begin, end_before_the_samples, monkeypatch):
    """It is in no marks: what the living did not burn was its, where the app started one. The step that runs is named.

    Nothing else ends the interval: a busy machine may give the new thread its first turn late.
    """

    def turn(detector):
        detector.reset_marks()
        thread = started(keeps_it_and_ends, begin)
        monkeypatch.setattr(python_threads._Starts, "apps", python_threads._Starts.apps + 1)
        end_before_the_samples(thread)
        begin.give_way()
        detector.close_interval()

    [worker] = [each for gap in seen(turn) for each in gap.workers if each.cpu > 50 * MS]
    assert worker.stack == ()
    assert "turn" in [frame.function for frame in worker.awaited]


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
        begin.give_way(times=2)

    gaps = seen(turn)
    assert gaps
    assert most_burned(gaps) < 10 * MS  # they began in a gap of a busy machine, maybe

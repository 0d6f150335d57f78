"""How much of a loop thread's sleep was another thread's wait for a processor: tables of literals, most measured."""

import pytest

from pytest_noblock.engine.steps.queued_others import NOTHING, Begin, Look, Queued, queued_meanwhile
from pytest_noblock.engine.steps.thread_marks import Mark, Marks
from pytest_noblock.model.segment import BesideIt

MS = 1_000_000
LOOP, WORKER, OTHER = 1, 2, 3
LONG_AGO, BEGAN = 100 * MS, 1_000 * MS


def mark(cpu, queued, state="waits", at=BEGAN):
    return Mark(round(cpu * MS), round(queued * MS), state, at)


def look(asleep, waits, *, before=None, watchdog=0, **threads):
    """`w=(cpu, queued)`, and `o=...` likewise, in ms; a thread that is not given has ended, or has not begun."""
    native = {"w": WORKER, "o": OTHER}
    marks = {native[name]: mark(*values) for name, values in threads.items()}
    before = dict.fromkeys(marks, mark(0, 0, at=0)) | (before or {})
    return Look(round(asleep * MS), waits, Marks(BEGAN, marks, before, watchdog * MS))


def found(*looks, began=None):
    """(surely, at most) in ms."""
    cpu = {WORKER: 0, OTHER: 0} if began is None else {native: round(ms * MS) for native, ms in began.items()}
    queued = queued_meanwhile(looks, LOOP, Begin(BEGAN, cpu), 200 * MS)
    return round(queued.surely / MS, 1), round(queued.at_most / MS, 1)


def idle(cpu, queued):
    """Marks of a worker that has had nothing to do since."""
    return {WORKER: mark(cpu, queued, at=LONG_AGO)}


def test_a_worker_that_waited_for_a_processor_all_the_time_explains_all_but_its_work():
    first = look(16.5, True, before=idle(36.5, 298.1), w=(37.9, 310.1, "wants"))
    then = look(85.5, True, w=(43.6, 376.4)), look(119, None, w=(48.6, 404.6))
    surely, at_most = found(first, *then, began={WORKER: 36.5})
    assert (surely, at_most) == (106.5, 106.5)


@pytest.mark.parametrize("state", ["sleeps", "waits"])
def test_a_worker_that_sleeps_explains_nothing_of_the_wait_for_it(state):
    first = look(15, True, before=idle(1, 3), w=(1, 3, state))
    assert found(first, look(120, True, w=(1, 3, state)), look(205, None, w=(1.1, 9)), began={WORKER: 1}) == (6, 6)


def test_a_worker_that_computes_beside_busy_processes_explains_what_it_did_not_compute():
    first = look(20, True, before=idle(0, 0), w=(4, 12))
    surely, at_most = found(first, look(600, None, w=(200, 392)), began={WORKER: 0})
    assert surely == 392
    assert at_most <= 600 - 196


def test_what_works_all_the_time_may_be_what_the_loop_waited_for_or_not():
    first = look(20, True, before={OTHER: mark(10, 5, at=LONG_AGO)}, o=(4_000, 800))
    assert found(first, look(200, None, o=(4_010, 960)), began={OTHER: 3_999})[0] == 0
    assert found(first, look(200, None, o=(4_010, 960)), began={OTHER: 3_999})[1] >= 160


def test_a_thread_that_has_not_run_ended_no_sleep():
    first = look(15, True, before={WORKER: mark(0, 0, at=LONG_AGO)}, w=(0, 0), o=(7, 7))
    last = look(100, None, w=(10, 80), o=(7, 7))
    assert found(first, last, began={WORKER: 0, OTHER: 7})[0] == 80


def test_a_thread_that_ran_only_before_the_last_look_did_not_end_the_sleep():
    """The test client's thread falls asleep when the step has begun."""
    first = look(15, True, before={WORKER: mark(0, 0, at=LONG_AGO)}, w=(0, 0), o=(7.2, 7))
    last = look(100, None, w=(10, 80), o=(7.2, 7))
    assert found(first, last, began={WORKER: 0, OTHER: 7})[0] == 80


def test_a_thread_that_ran_only_before_the_first_look_makes_no_doubt():
    """As above; the worker sleeps."""
    first = look(33, True, before=idle(0.5, 54.8), w=(0.5, 54.8, "sleeps"), o=(7.2, 90))
    last = look(81, None, watchdog=17, w=(0.6, 55.9), o=(7.2, 90))
    assert found(first, last, began={WORKER: 0.5, OTHER: 7}) == (1.1, 1.1)


def test_of_two_threads_that_ran_the_least_delay_is_sure_and_the_greatest_possible():
    first = look(15, True, before={WORKER: mark(0, 0, at=LONG_AGO), OTHER: mark(0, 0, at=LONG_AGO)}, w=(0, 0), o=(0, 0))
    assert found(first, look(100, None, w=(10, 70), o=(1, 12))) == (12, 70)


@pytest.mark.parametrize(("waits", "expected"), [(True, (70, 70)), (None, (0, 70)), (False, (0, 0))])
def test_it_counts_where_the_loop_thread_was_seen_to_wait_for_another(waits, expected):
    """A sleep of its own ends without anybody. Where nobody saw what it waited for, it may be."""
    first = look(15, waits, before={WORKER: mark(0, 0, at=LONG_AGO)}, w=(0, 0))
    assert found(first, look(100, None, w=(30, 70))) == expected


def test_a_delay_that_began_after_the_sleep_does_not_count():
    """The loop thread goes on, and computes; the worker, which slept 60 ms, gets no processor meanwhile."""
    first = look(15, True, before=idle(1, 0), w=(1, 0, "sleeps"))
    then = look(60, True, w=(1, 0, "sleeps")), look(62, None, w=(1.2, 90))
    assert found(first, *then, began={WORKER: 1}) == (2, 2)


def test_a_wait_that_goes_on_at_a_look_is_told_by_a_later_one():
    first = look(15, True, before=idle(0, 0), w=(1, 5, "wants"))
    then = look(55, True, w=(1, 5, "wants")), look(60, None, w=(3, 49, "waits"))
    assert found(first, *then, began={WORKER: 0}) == (49, 49)


@pytest.mark.parametrize(
    ("last", "at_most"),
    [
        (look(100, None, w=(14, 80)), 80),  # what came before the look was the same, at most for its whole life
        (look(100, None), 96),  # it has ended
        (look(100, None, w=(14, 40)), 4),  # of what was read, little was a wait for a processor
        (look(100, None, watchdog=50, w=(14, 40)), 90),  # the watchdog had the GIL, and no processor
    ],
)
def test_what_nobody_read_is_in_doubt_where_the_rest_was_a_wait_for_a_processor(last, at_most):
    assert found(look(40, True, w=(4, 36)), last, began={WORKER: 2}) == (0, at_most)


def test_a_thread_seen_in_a_wait_of_its_own_makes_no_doubt_of_what_nobody_read():
    first = look(15, True, w=(1, 8, "sleeps"))
    assert found(first, look(205, None), began={WORKER: 1}) == (0, 0)


def test_without_another_thread_there_is_nothing_to_explain():
    looks = [look(15, True), look(100, None)]
    assert queued_meanwhile(looks, LOOP, Begin(BEGAN, {}), 100 * MS) == NOTHING == Queued(0, 0)


def test_each_thread_that_ran_is_told_with_its_pace():
    """Of 200 ms."""
    first = look(15, True, before=idle(0, 0), w=(0, 0), o=(7, 7))
    looks = [first, look(100, None, w=(10, 80), o=(7, 7))]
    [told] = queued_meanwhile(looks, LOOP, Begin(BEGAN, {WORKER: 0, OTHER: 7 * MS}), 200 * MS).threads
    assert told == BesideIt(WORKER, 80 * MS, 80 * MS, 0.05)


def test_a_thread_that_began_after_the_last_look_explains_nothing_before():
    """A framework starts a worker when the wait is over: it waited for its first processor."""
    looks = look(15, True, before=idle(0, 0), w=(0, 0)), look(174, True, w=(0, 0))
    surely, at_most = found(*looks, look(183, None, watchdog=7, w=(0.1, 0), o=(0.4, 1.3)), began={WORKER: 0})
    assert surely == 0
    assert at_most < 10

"""Which of many requests under way may have held the loop: by what is recorded, without a clock."""

from typing import Any

import pytest

from pytest_noblock.model.concurrency import Gap, LongTurn, Worker
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, Segment
from pytest_noblock.sweep import suspects

MS = 1_000_000
LIMITS = Limits(50 * MS)


def exchange(number: int, sent: int = 0, returned: int = 1000 * MS) -> Exchange:
    return Exchange(number, "GET", f"/{number}", sent, sent + 1, returned - 1, returned, 200, steps=1)


def segment(
    number: int, *, cpu: int = 0, asleep: int = 0, began: int = 10 * MS, turn: int = 1, doubtful: int = 0
) -> Segment:
    return Segment(
        exchange=number, began=began, ended=began + cpu + asleep, cpu=cpu, collected=0, queued=0, switches=bool(asleep),
        others_cpu=0, round_trips=0, doubtful_trips=doubtful, turn=turn,
    )  # fmt: skip


def observed(*segments: Segment, gaps: tuple[Gap, ...] = (), exchanges: int = 4) -> Observation:
    return Observation("full", tuple(exchange(number) for number in range(1, exchanges + 1)), segments, gaps=gaps)


def seen_as(**found: Any) -> suspects.Seen:
    return suspects.Seen(**{"in_steps": set(), "keepers": set(), "beside": set(), "hidden": {}, **found})


@pytest.mark.parametrize(
    ("one", "suspect"),
    [
        (segment(2, cpu=60 * MS), True),
        (segment(2, asleep=60 * MS), True),
        (segment(2, asleep=2 * MS), True),  # it may have opened and closed a connection
        (segment(2, doubtful=1), True),
        (segment(2, cpu=20 * MS), False),
    ],
)
def test_a_step_has_one_owner(one, suspect):
    seen = observed(segment(1, cpu=5 * MS), one, segment(3))
    assert suspects.of_steps(seen, LIMITS) == ({2} if suspect else set())
    assert suspects.of_run(seen, LIMITS, [], {}) == seen_as(in_steps={2} if suspect else set())


def test_only_what_computed_may_be_what_a_process_does_once():
    assert suspects.computed(observed(segment(1, cpu=60 * MS)), LIMITS)
    assert not suspects.computed(observed(segment(1, asleep=60 * MS)), LIMITS)


STACK = (Frame("app.py", 3, "burns", user=True),)


def gap(whose: int | None, waiting: tuple[int, ...] = (), **more: Any) -> Gap:
    worker = Worker(100 * MS, STACK, exchanges=() if whose is None else (whose,), of_pool=bool(waiting))
    given: dict[str, Any] = {
        "began": 20 * MS, "ended": 130 * MS, "late": 110 * MS, "switches": 22, "asleep": 110 * MS,
        "others_cpu": 100 * MS, "workers": (worker,), "exchange": whose, "waiting": waiting,
    }  # fmt: skip
    return Gap(**{**given, **more})


def test_a_thread_that_keeps_the_gil_is_its_requests_and_where_nobody_knows_all_are_asked_that_wait_for_one():
    known = observed(gaps=(gap(3),))
    assert suspects.of_run(known, LIMITS, [], {}) == seen_as(keepers={3})
    waiting = observed(gaps=(gap(None, (2, 4)),))
    assert suspects.of_run(waiting, LIMITS, [], {}).hidden == {2: 100 * MS, 4: 100 * MS}
    assert suspects.of_run(observed(gaps=(gap(None),)), LIMITS, [], {}).hidden.keys() == {1, 2, 3, 4}


def test_of_a_keeper_that_the_watchdog_saw_a_whole_check_tells_the_line():
    seen = observed(gaps=(gap(3, seen_by="watchdog"),))
    assert suspects.of_run(seen, LIMITS, [], {}) == seen_as(keepers={3}, beside={3})


def test_where_somebody_computed_and_no_thread_is_known_all_are_asked():
    seen = observed(gaps=(gap(None, workers=(), others_cpu=0, shared_cpu=90 * MS, seen_by="watchdog"),))
    assert suspects.of_run(seen, LIMITS, [], {}).hidden == dict.fromkeys((1, 2, 3, 4), 90 * MS)


LATE_TURN = LongTurn(20 * MS, 220 * MS, 0, 0, 190 * MS, 1, 0, 0, polled=False)


def late_turn(*sent: tuple[int, int]) -> suspects.Seen:
    """What is seen of requests that were sent and returned at these ms, where a turn was late from 30 to 220 ms."""
    exchanges = tuple(exchange(at, *(each * MS for each in both)) for at, both in enumerate(sent, 1))
    seen = Observation("full", exchanges, long_turns=(LATE_TURN,))
    return suspects.of_run(seen, LIMITS, [], {}, [(30 * MS, 220 * MS)])


def test_all_that_were_under_way_while_the_loop_came_late_without_a_cause_are_asked_again():
    seen = late_turn((0, 10), (0, 900), (100, 900), (300, 900))
    assert seen.hidden == {2: 0, 3: 0}
    assert seen.unexplained.keys() == {2, 3}
    assert "no cause was found" in seen.unexplained[2]


def test_where_none_was_what_the_last_one_left_behind_may_have_done_it():
    assert late_turn((0, 5), (0, 10), (300, 900)).hidden == {2: 0}


def hidden(*segments: Segment, waits: dict[int, int] | None = None, **of_gap: Any) -> dict[int, int]:
    gaps = (gap(3, **of_gap),) if of_gap else ()
    return suspects.of_run(observed(*segments, gaps=gaps), LIMITS, [], waits or {}).hidden


@pytest.mark.parametrize(
    ("second", "others", "found"),
    [
        (Worker(90 * MS, STACK, exchanges=(1,)), 190, {1: 90 * MS}),  # the gap is laid to request 3 alone
        (Worker(90 * MS, STACK, exchanges=(1, 2)), 190, {1: 90 * MS, 2: 90 * MS}),  # it did two jobs
        (Worker(40 * MS, STACK, exchanges=(1,)), 140, {}),  # no thread kept it for too long
        (Worker(40 * MS, STACK, exchanges=(1,), at_most=80 * MS), 140, {1: 80 * MS}),  # on uvloop: nobody knows
        (Worker(90 * MS, STACK), 190, {1: 90 * MS, 2: 90 * MS, 4: 90 * MS}),  # a client's own thread
        (Worker(90 * MS, STACK, of_pool=True), 190, {2: 90 * MS}),  # only request 2 waits for one of the pool's
        (Worker(0, STACK), 180, {1: 80 * MS, 2: 80 * MS, 4: 80 * MS}),  # nobody knows the thread at all
        (Worker(0, STACK), 140, {}),
    ],
)
def test_what_more_threads_did_in_one_gap_is_not_lost(second, others, found):
    first = Worker(100 * MS, STACK, exchanges=(3,))
    assert hidden(workers=(first, second), others_cpu=others * MS, waiting=(2, 3)) == found


def test_where_the_loop_did_not_ask_for_the_gil_it_is_a_suspicion_and_no_amount():
    assert hidden(switches=0, asleep=110 * MS) == {3: 0}
    assert hidden(switches=0, asleep=110 * MS, late=40 * MS) == {}


@pytest.mark.parametrize(
    ("holder", "at", "found"),
    [
        (segment(2, asleep=60 * MS), 100, {1: 0}),  # what request 1 waits for was over while request 2 slept
        (segment(2, asleep=60 * MS), 5, {}),
        (segment(2, asleep=20 * MS), 100, {}),
        (segment(1, asleep=60 * MS), 100, {}),
    ],
)
def test_a_wait_that_was_over_while_others_held_the_loop_is_asked_again(holder, at, found):
    assert hidden(holder, waits={1: at * MS}) == found


SLEPT = BlockingCall("time.sleep", False, 100 * MS, 108 * MS, STACK, 8 * MS)


@pytest.mark.parametrize(
    ("held", "waited", "found"),
    [
        (60, segment(1, asleep=8 * MS, began=100 * MS), True),
        (60, segment(1, asleep=MS // 2, began=100 * MS), False),
        (
            60,
            segment(1, asleep=8 * MS, began=100 * MS)._replace(calls=(SLEPT,)),
            False,
        ),  # as long as it was asked to
        (60, segment(1, asleep=8 * MS, began=5 * MS), False),  # it had waited before
        (20, segment(1, asleep=8 * MS, began=100 * MS), False),
    ],
)
def test_a_wait_that_others_made_shorter_is_asked_again(held, waited, found):
    seen = suspects.of_run(observed(segment(2, asleep=held * MS), waited), LIMITS, [], {})
    assert seen.hidden == ({1: 0} if found else {})
    assert (1 in seen.in_steps) == (not found and waited.asleep > MS)  # it has its turn after a run without the others


def test_a_wait_that_broke_the_limit_all_the_same_is_no_doubt():
    waited = segment(1, asleep=70 * MS, began=100 * MS)
    seen = suspects.of_run(observed(segment(2, asleep=60 * MS), waited), LIMITS, [], {1: 100 * MS})
    assert (seen.in_steps, seen.hidden) == ({1, 2}, {})


@pytest.mark.parametrize(
    ("late", "found"),
    [
        ([(20, 90)], {1: 0}),  # the loop thread waited for a processor
        ([(20, 40)], {}),
        ([(20, 35), (60, 75)], {1: 0}),
        ([(20, 35), (22, 35)], {}),  # two ticks in one stretch
        ([(120, 190)], {}),  # by then the wait was over
    ],
)
def test_a_wait_that_the_machine_made_shorter_is_asked_again(late, found):
    stretches = [(due * MS, came * MS) for due, came in late]
    assert suspects.of_run(observed(), LIMITS, [], {1: 100 * MS}, stretches).hidden == found
    assert suspects.of_run(observed(), LIMITS, [], {}, stretches).hidden == {}


def test_only_a_wait_for_others_can_have_been_made_shorter():
    computed = Worker(90 * MS, STACK, exchanges=(2,))
    in_c = gap(2, workers=(computed,), others_cpu=90 * MS, switches=0)  # a thread computes, and the loop is late
    seen = suspects.of_run(observed(gaps=(in_c,)), LIMITS, [], {1: 140 * MS})
    assert (seen.hidden, seen.shortened) == ({1: 0, 2: 0}, {1})


def test_what_several_hold_in_one_turn_makes_a_wait_shorter_as_well():
    together = [segment(2, cpu=30 * MS, turn=7), segment(3, cpu=30 * MS, began=40 * MS, turn=7)]
    assert hidden(*together, waits={1: 100 * MS}) == {1: 0}
    assert hidden(*together, waits={2: 100 * MS}) == {}  # without its own part it is too little
    assert hidden(*(each._replace(turn=0) for each in together), waits={1: 100 * MS}) == {}


def test_a_step_of_the_apps_own_is_laid_to_those_that_ran_right_before_it():
    seen = observed(segment(99, asleep=80 * MS, turn=10))
    steps = [(2, 1), (6, 4), (8, 2), (10, 3), (11, 4)]
    assert suspects.of_run(seen, LIMITS, steps, {}) == seen_as(beside={2, 3})


def test_each_request_gets_what_is_its_own():
    seen = observed(segment(1), segment(2), segment(99), gaps=(gap(2), gap(None)))
    shared = suspects.of_each(seen, {1: 7, 2: 8, 3: 8})
    assert [each.number for each in shared[8].exchanges] == [2, 3]
    assert [each.exchange for each in shared[8].segments] == [2]
    assert [each.exchange for each in shared[8].gaps] == [2]
    assert shared[7].gaps == ()
    assert suspects.of_each(seen._replace(long_turns=(LATE_TURN,)), {1: 7})[7].long_turns == ()


def test_what_a_first_request_may_have_done_beside_a_second_one_is_in_doubt():
    exchanges = (exchange(1, 0, 100 * MS), exchange(2, 50 * MS, 300 * MS), exchange(3, 150 * MS, 400 * MS))
    seen = suspects.Seen(in_steps=set(), keepers=set(), beside={1, 2}, hidden={3: 0})
    found = Observation("full", exchanges)
    assert suspects.beside_first(seen, found, {1}) == {1, 2}
    assert suspects.beside_first(seen._replace(keepers={2}), found, {1}) == {1}
    assert suspects.beside_first(seen, found, set()) == set()


@pytest.mark.parametrize(
    ("one", "waited"),
    [
        (segment(1, cpu=60 * MS), False),
        (segment(1, asleep=60 * MS), True),
        (segment(1, asleep=MS // 2), False),
        (segment(1, doubtful=1), True),
    ],
)
def test_what_slept_or_may_have_used_a_connection_is_known_at_once(one, waited):
    assert suspects.waited([segment(1), one]) is waited


@pytest.mark.parametrize(
    ("one", "found"),
    [(segment(1, asleep=60 * MS), True), (segment(1, asleep=20 * MS), False), (segment(1, cpu=60 * MS), False)],
)
def test_what_slept_too_long(one, found):
    assert suspects.slept_too_long(observed(one, gaps=(gap(1),)), LIMITS) is found


def test_what_runs_after_the_counters_have_given_up_is_not_counted():
    hot = segment(2, cpu=90 * MS, began=100 * MS)
    seen = [
        segment(1, cpu=60 * MS),
        hot,
        segment(1, cpu=MS, began=200 * MS),
        segment(3, asleep=60 * MS, began=300 * MS),
    ]
    assert suspects.uncounted(observed(*seen)) == set()
    assert suspects.uncounted(observed(*[each._replace(counted=each is not hot) for each in seen])) == {1, 3}


def test_a_long_wait_for_the_gil_may_hide_a_sleep():
    waits = segment(1, asleep=300 * MS)._replace(switches=60, others_cpu=290 * MS)
    assert suspects.of_steps(observed(waits), LIMITS) == set()
    assert suspects.in_doubt(observed(waits, segment(2, asleep=10 * MS), segment(3)), LIMITS) == {1}
    assert suspects.in_doubt(observed(waits._replace(ended=waits.began + MS)), LIMITS) == {1}  # taken off already
    assert suspects.in_doubt(observed(segment(1, asleep=60 * MS)), LIMITS) == set()
    asked = BlockingCall("time.sleep", False, waits.began, waits.ended, STACK, 60 * MS)
    assert suspects.in_doubt(observed(waits._replace(calls=(asked,))), LIMITS) == set()  # it slept, whoever computed

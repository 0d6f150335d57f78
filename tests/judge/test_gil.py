"""Whether another thread kept the GIL from the loop thread: tables of literals; no loop, no thread."""

from dataclasses import replace

import pytest

from pytest_noblock.judge import gil
from pytest_noblock.judge.gil_waits import FEWEST_SWITCHES, NS_PER_SWITCH
from pytest_noblock.judge.where import where
from pytest_noblock.model.concurrency import Gap, Worker
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Observation, Phase
from pytest_noblock.model.rules import Readings
from pytest_noblock.model.units import SWITCH_INTERVAL_NS

MS = 1_000_000
LINE = (Frame("/app/main.py", 7, "report", "json.dumps", user=True),)
LIBRARY = (Frame("/lib/json.py", 1, "dumps"),)
EXCHANGE = Exchange(1, "GET", "/report", sent=0, returned=10**12, endpoint="app.report", steps=1)


def seen(*gaps, exchange=EXCHANGE):
    return Observation("full", (exchange,), gaps=gaps)


def gap(late, switches, others, *workers, asleep=None):
    slept = late if asleep is None else asleep
    return Gap(0, late * MS, late * MS, switches, slept * MS, others * MS, workers)


BURNS = Worker(99 * MS, LINE)
FREE = (Frame("/app/main.py", 9, "sign", "hashlib.pbkdf2_hmac", user=True),)


@pytest.mark.parametrize(
    ("what", "held"),
    [
        (gap(99, 21, 99, BURNS), [99]),
        (gap(383, 40, 81, BURNS), [81]),  # beside hogs it is later, and no dearer
        (gap(99, 1, 99, BURNS), []),  # it slept, or had no processor
        (gap(99, 4, 99, BURNS), []),
        (gap(99, 21, 99, Worker(99 * MS, FREE)), []),  # that one works outside the lock
        (gap(717, 142, 202, Worker(202 * MS, LINE)), [202]),
        (gap(155, 72, 155, Worker(99 * MS, LINE), asleep=118), []),  # it had the lock, again and again
        (gap(95, 33, 95, Worker(90 * MS, LINE, sleeps=19)), []),  # it handed the lock over, again and again
        (gap(95, 33, 95, Worker(90 * MS, LINE, sleeps=3)), [90]),  # a second thread waited as well
        (gap(95, 33, 95, Worker(90 * MS, (), LINE, ended=True)), []),  # it has ended, and nobody knows
        (gap(95, 20, 95, Worker(90 * MS, (), LINE, ended=True)), [90]),  # the loop thread woke once in 5 ms: one wait
        (gap(99, 21, 99, Worker(40 * MS, LINE), Worker(39 * MS, LINE)), [40]),  # they handed it to each other
        (gap(99, 21, 99), []),  # threads that are nobody's
        (gap(99, 21, 99, Worker(99 * MS, LIBRARY, LINE)), [99]),  # named by the line that awaits it
    ],
)
def test_the_gil_was_kept_by_a_thread_that_burned_while_the_loop_woke_in_vain(what, held):
    found = list(gil.kept(seen(what)))
    assert [stall.blocked_ns // MS for stall in found] == held
    assert {(stall.kind, stall.place.frame.line) for stall in found} <= {("gil", 7)}


def test_what_an_operator_may_have_computed_in_the_thread_is_no_calls():
    for may_be, call in ((True, None), (False, "json.dumps")):
        line = (LINE[0]._replace(may_be_operator=may_be),)
        (stall,) = gil.kept(seen(gap(99, 21, 99, Worker(99 * MS, line))))
        assert stall.place.frame.call == call


@pytest.mark.parametrize(("others", "sure"), [(99, True), (198, True), (708, False)])
def test_beside_others_that_burned_as_much_nobody_is_sure_to_have_kept_it(others, sure):
    (stall,) = gil.kept(seen(gap(708, 139, others, BURNS)))
    assert stall.sure == sure


def test_a_gap_after_the_request_is_nobodys_unless_the_thread_works_for_it():
    ended = EXCHANGE._replace(sent=-9, returned=-5)
    later = gap(99, 21, 99, BURNS)
    assert list(gil.kept(seen(later, exchange=ended))) == []
    (stall,) = gil.kept(seen(replace(later, exchange=ended.number), exchange=ended))
    assert stall.exchange.phase_at(stall.began) is Phase.DETACHED


def test_a_thread_that_pickles_for_a_process_is_told_though_it_has_no_line_of_the_users():
    feeder = (Frame("/lib/reduction.py", 51, "dumps", module="multiprocessing.reduction"),)
    (stall,) = gil.kept(seen(gap(99, 21, 99, Worker(99 * MS, feeder))))
    assert where(stall).pickles
    (stall,) = gil.kept(seen(gap(99, 21, 99, Worker(99 * MS, LIBRARY))))
    assert not where(stall).pickles


def test_it_says_which_rule_decided_and_what_it_read():
    (stall,) = gil.kept(seen(gap(383, 40, 90, BURNS, Worker(5 * MS, LIBRARY), asleep=380)))
    assert stall.rule.id == "gil-gap"
    assert stall.readings == Readings(
        wall=383 * MS, cpu=99 * MS, asleep=380 * MS, switches=40, others_cpu=90 * MS, samples=2
    )


def test_the_words_of_the_rule_give_its_thresholds():
    (stall,) = gil.kept(seen(gap(99, 21, 99, BURNS)))
    assert f"{FEWEST_SWITCHES} times" in stall.rule.text
    assert f"once in {NS_PER_SWITCH // MS} ms" in stall.rule.text
    assert NS_PER_SWITCH > SWITCH_INTERVAL_NS


SEEN_BY_WATCHDOG = Gap(
    15 * MS, 149 * MS, 134 * MS, 28, 132 * MS, 131 * MS, (Worker(131 * MS, LINE),), exchange=2, seen_by="watchdog"
)
"""A worker in `sum(range(...))` of 134 ms, in a quiet watched test; beside busy processes: 360 ms, 37 switches."""


def test_in_a_watched_test_the_watchdog_waited_and_the_request_is_the_one_that_waits_for_the_thread():
    lifespan, request = EXCHANGE._replace(method="LIFESPAN", returned=None), EXCHANGE._replace(number=2)
    (stall,) = gil.kept(Observation("full", (lifespan, request), gaps=(SEEN_BY_WATCHDOG,)))
    assert (stall.exchange, stall.blocked_ns, stall.sure, stall.rule.id) == (request, 131 * MS, True, "gil-watchdog")
    assert "the loop was 134 ms late" in stall.proof


def test_the_watchdogs_wait_is_one_however_often_it_wakes_and_the_loop_threads_may_be_many():
    """It shares the lock of the GIL with others that wait: three switches for each interval."""
    often = replace(SEEN_BY_WATCHDOG, switches=81)
    of_loop = replace(often, seen_by="loop thread")
    judged = [list(gil.kept(Observation("full", (EXCHANGE,), gaps=(each,)))) for each in (often, of_loop)]
    assert [[stall.blocked_ns for stall in found] for found in judged] == [[131 * MS], []]


@pytest.mark.parametrize(
    ("switches", "keeper", "sure"),
    [
        (37, {"sleeps": 28}, None),  # it handed the lock over, and others than the watchdog got it
        (37, {"sleeps": 4}, True),  # one more thread waited for the lock as well
        (37, {"sleeps": None}, False),  # nobody counted: told, and not counted
        (37, {"ended": True}, None),
        (20, {"sleeps": 28}, True),  # one wait: these sleeps were before it
        (20, {"sleeps": None}, True),
        (20, {"ended": True}, True),
    ],
)
def test_in_a_wait_of_the_watchdog_others_may_have_had_the_lock_in_between(switches, keeper, sure):
    """Two threads of 20 us each 0.3 ms beside one that computes in Python: 73 ms, 37 switches, 28 sleeps."""
    wait = replace(SEEN_BY_WATCHDOG, asleep=100 * MS, switches=switches, workers=(Worker(95 * MS, LINE, **keeper),))
    assert [stall.sure for stall in gil.kept(seen(wait))] == ([] if sure is None else [sure])


def test_where_nobody_looked_the_first_request_under_way_has_it():
    unknown = replace(SEEN_BY_WATCHDOG, exchange=None)
    (stall,) = gil.kept(Observation("full", (EXCHANGE,), gaps=(unknown,)))
    assert stall.exchange == EXCHANGE


def test_a_thread_that_nobody_saw_is_named_by_its_endpoint_and_never_by_the_test_that_awaits_it() -> None:
    tests = Frame("/app/test_it.py", 33, "main", "c.get", user=True)
    entrance = Frame("/x/boundary.py", 1, "called", module="pytest_noblock.engine.asgi.boundary")
    defined = Frame("/app/main.py", 20, "power", user=True)
    unseen = Worker(99 * MS, LIBRARY, (LIBRARY[0], entrance, tests))
    (stall,) = gil.kept(seen(gap(99, 21, 99, unseen), exchange=EXCHANGE._replace(defined=defined)))
    assert (stall.place.frame.function, stall.place.evidence) == ("power", "endpoint")
    (awaited,) = gil.kept(seen(gap(99, 21, 99, replace(unseen, awaited=(*LINE, entrance, tests)))))
    assert (awaited.place.frame.line, awaited.place.evidence) == (7, "await")

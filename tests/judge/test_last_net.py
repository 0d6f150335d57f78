"""A probe that waited twice the limit has a cause, or nothing can be said of the request."""

from dataclasses import replace

import pytest

from pytest_noblock.judge import last_net
from pytest_noblock.judge.first_use import taken_off
from pytest_noblock.judge.stalls import stalls
from pytest_noblock.model.concurrency import Gap, LongTurn
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import LOOP, Exchange, Observation, Probe
from pytest_noblock.model.segment import Segment

MS = 1_000_000
LIMITS = Limits(50 * MS)
EXCHANGE = Exchange(1, "GET", "/report", sent=0, returned=10**12)


def turn(wall=297, cpu=2, queued=3, asleep=292, switches=1, collected=0, deducted=0):
    times = (each * MS for each in (0, wall, cpu, queued, asleep))
    began, ended, cpu, queued, asleep = times
    return LongTurn(began, ended, cpu, queued, asleep, switches, collected * MS, deducted * MS)


def step(asleep=0, cpu=0):
    ended = (asleep + cpu) * MS
    return Segment(1, 0, ended, cpu * MS, 0, 0, 1 if asleep else 0, 0, 0, 0)


def told(turn, *steps, waited=297, copies=1):
    exchanges = (EXCHANGE,) * copies
    probe = Probe(LOOP, 5 * MS, (5 + waited) * MS)
    observation = Observation("full", exchanges, steps, (probe,), long_turns=(turn,))
    return last_net.unexplained(observation, stalls(observation, LIMITS), LIMITS)


def test_a_sleep_in_no_step_is_told_with_what_was_measured():
    assert told(turn()) == (
        "a probe of the event loop waited 297 ms, and no cause was found: in one turn of the loop its thread slept "
        "292 ms (in 1 goes), computed 2.0 ms and waited 3.0 ms for a processor, 294 ms of it in no step of a request"
    )


@pytest.mark.parametrize(
    ("turn", "steps", "how"),
    [
        (turn(), (step(asleep=290),), {}),  # the rules of steps have judged it
        (turn(asleep=0, cpu=290), (step(cpu=280),), {}),
        (turn(asleep=0, cpu=290, collected=285), (), {}),  # a collection that fell due
        (turn(asleep=4, queued=290), (), {}),  # it had no processor
        (turn(switches=60), (), {}),  # it waited for the GIL, as for a watchdog that had no processor
        (turn(deducted=290), (), {}),  # a new thread that had no processor
        (turn(asleep=0, cpu=290), (), {"copies": 40}),  # a little for each of forty
        (turn(), (), {"waited": 99}),  # under twice the limit
    ],
    ids="in-a-step computed-in-a-step collected queued gil deducted many short".split(),
)
def test_what_the_machine_or_a_known_step_explains_is_not_told(turn, steps, how):
    assert told(turn, *steps, **how) is None


def test_what_a_process_does_once_is_no_missing_cause():
    first = step(cpu=280)._replace(first_use=270 * MS)
    observation = Observation(
        "full", (EXCHANGE,), (first,), (Probe(LOOP, 5 * MS, 302 * MS),), long_turns=(turn(asleep=0, cpu=280),)
    )
    found = stalls(taken_off(observation), LIMITS)
    assert last_net.unexplained(observation, found, LIMITS) is None
    several = observation._replace(segments=tuple(step(cpu=45)._replace(exchange=each) for each in range(2, 8)))
    assert last_net.unexplained(several, (), LIMITS).endswith("270 ms of it in steps that were each under the limit")


def test_what_one_request_computes_in_no_step_is_told():
    assert told(turn(asleep=0, switches=0, cpu=290))


def test_from_tick_to_tick_what_it_slept_and_computed_is_told_as_well():
    sentence = told(replace(turn(), polled=False))
    assert "no cause was found: meanwhile its thread slept 292 ms" in sentence
    assert "computed 290 ms" in told(replace(turn(asleep=0, switches=0, cpu=290), polled=False))


def test_a_turn_that_was_over_before_the_probe_was_due_is_not_its_cause():
    assert told(turn(wall=4)) is None


def crowd(*cpu, waited=297, copies=40):
    """The note on turns of so many ms of CPU that follow each other."""
    spans = zip(starts(cpu), cpu, strict=True)
    turns = tuple(LongTurn(at * MS, (at + each) * MS, each * MS, 0, 0, 0, 0, 0) for at, each in spans)
    probe = Probe(LOOP, 5 * MS, (5 + waited) * MS)
    return last_net.crowd(Observation("full", (EXCHANGE,) * copies, (), (probe,), long_turns=turns), (), LIMITS)


def starts(lengths):
    return [sum(lengths[:number]) for number in range(len(lengths))]


def test_many_short_steps_are_told_also_where_a_probe_waits_for_several_turns():
    told = "unsettled: a probe of the event loop waited 297 ms: the loop computed {}, in many short steps of the "
    assert crowd(290).startswith(told.format("290 ms in one turn"))
    assert crowd(49, 49, 49).startswith(told.format("147 ms in 3 turns"))


@pytest.mark.parametrize(
    ("cpu", "how"),
    [((49, 49), {}), ((49, 49, 49), {"waited": 99}), ((49, 49, 49), {"copies": 1})],
    ids="too-little waited-less one-request".split(),
)
def test_else_no_crowd_is_told(cpu, how):
    assert crowd(*cpu, **how) is None


def said(*probes, loop="trio"):
    observation = Observation("full", (EXCHANGE,), probes=probes, loop=loop)
    return list(last_net.waits_on_trio(observation, Limits(50 * MS)))


WAITED = Probe("/wants", 0, 120 * MS, status=200)


def test_on_trio_the_longest_wait_of_a_probe_while_the_loop_turned_is_said():
    assert said(WAITED, WAITED._replace(answered=297 * MS), Probe(LOOP, 10 * MS, 20 * MS)) == [
        (
            "unsettled: a probe of GET /wants waited 287 ms while the loop was free; on trio it is not seen for what, "
            "as for a lock or a thread of the pool; not counted"
        )
    ]


def test_a_loop_that_is_late_for_a_part_of_the_wait_does_not_hide_it():
    long, late = WAITED._replace(answered=300 * MS), Probe(LOOP, 10 * MS, 90 * MS)
    (note,) = said(long, late, Probe(LOOP, 20 * MS, 95 * MS), Probe(LOOP, 280 * MS, 500 * MS))
    assert "waited 195 ms while the loop was free" in note
    assert said(long, late, Probe(LOOP, 170 * MS, 300 * MS)) == []


@pytest.mark.parametrize(
    ("probes", "loop"),
    [
        ((WAITED,), "asyncio"),  # there the cause is judged
        ((WAITED._replace(answered=99 * MS),), "trio"),  # under twice the limit
        ((WAITED, Probe(LOOP, 10 * MS, 70 * MS)), "trio"),  # the loop did not turn
        ((WAITED, Probe(LOOP, 10 * MS, 22 * MS), Probe(LOOP, 15 * MS, 32 * MS)), "trio"),  # nor here
        ((Probe(LOOP, 0, 200 * MS),), "trio"),  # no probe of the user's
    ],
    ids="asyncio short held held-twice loop".split(),
)
def test_a_wait_that_has_a_cause_or_none_is_needed_for_is_not_said(probes, loop):
    assert said(*probes, loop=loop) == []


def late_ones(*turns, steps=(), gaps=(), waits=((5, 302),), limits=LIMITS):
    """What is told of many requests, by the ticks that came late: when they were due and when they came, in ms."""
    ticks = tuple(Probe(LOOP, due * MS, came * MS) for due, came in waits)
    exchanges = (EXCHANGE, EXCHANGE._replace(number=2))
    observation = Observation("full", exchanges, steps, ticks, long_turns=turns, gaps=gaps)
    return list(last_net.of_many(observation, limits))


def test_among_many_requests_a_turn_is_told_once_by_the_tick_that_waited_longest():
    (found,) = late_ones(turn(), waits=((5, 302), (10, 302), (15, 302)))
    assert found.turn == turn()
    assert found.sentence.startswith("a probe of the event loop waited 297 ms, and no cause was found")


def test_one_limit_is_enough_as_nobody_else_looks_again():
    late = turn(wall=60, asleep=55)
    assert late_ones(late, waits=((5, 60),))
    assert not late_ones(late, waits=((15, 60),))


@pytest.mark.parametrize("computed", [turn(asleep=0, cpu=290), turn(asleep=45, cpu=200)])
def test_what_many_compute_in_short_steps_is_nobodys(computed):
    assert not late_ones(computed)


def gil_wait(**more):
    """A turn, between two ticks, in which the loop waited for the GIL for 280 ms."""
    return replace(turn(asleep=280, switches=56), **{"others_cpu": 270 * MS, "polled": False, **more})


def gap(others_cpu):
    return Gap(10 * MS, 290 * MS, 280 * MS, 56, 280 * MS, others_cpu * MS, seen_by="watchdog")


def test_a_wait_for_the_gil_that_no_gap_shows_is_told():
    (found,) = late_ones(gil_wait())
    assert "while other threads computed 270 ms" in found.sentence
    assert late_ones(gil_wait(), gaps=(gap(0),))  # nobody is known to have computed in it


@pytest.mark.parametrize(
    ("turn", "steps", "gaps"),
    [
        (gil_wait(), (), (gap(270),)),
        (gil_wait(polled=True), (), ()),  # there the loop's selector looks for gaps
        (gil_wait(others_cpu=20 * MS), (), ()),  # who had it had no processor
        (gil_wait(), (step(asleep=275),), ()),  # in a step, of which the rules of steps tell
    ],
    ids="a-gap polled no-processor in-a-step".split(),
)
def test_one_that_something_else_tells_of_is_not(turn, steps, gaps):
    assert not late_ones(turn, steps=steps, gaps=gaps)


def test_a_gil_that_a_thread_keeps_asleep_is_told():
    """As an extension in C may: it is no thread's CPU, and no step's sleep."""
    kept = gil_wait(polled=True, others_cpu=4 * MS)
    (found,) = late_ones(kept, gaps=(gap(4),))
    assert "while it waited for the GIL and no thread computed" in found.sentence


@pytest.mark.parametrize(
    ("turn", "steps"),
    [
        (gil_wait(polled=True, others_cpu=20 * MS), ()),
        (gil_wait(polled=True, others_cpu=4 * MS), (step(asleep=275),)),
        (gil_wait(polled=True, others_cpu=MS, asleep=98 * MS, switches=20), ()),
    ],
    ids="no-processor in-a-step less-than-twice-the-limit".split(),
)
def test_a_gil_that_is_kept_for_another_reason_is_not(turn, steps):
    assert not late_ones(turn, steps=steps, gaps=(gap(4),))

"""Waits of many short sleeps: which are in doubt, and how several runs settle it. Tables of literals."""

import pytest

from pytest_noblock.judge import grouping, naps, not_findings
from pytest_noblock.judge.stalls import breaking, stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, Segment

MS = 1_000_000
LIMITS = Limits(50 * MS)
LINE = Frame("/app/main.py", 12, "slow", "time.sleep", user=True)
OTHER = Frame("/app/main.py", 14, "slow", "time.sleep", user=True)


def sleeps(times, every, *, asked=1.0, frame=LINE, began=0.0, name="time.sleep"):
    """Calls that began `every` ms, each over when the next one began: the thread waits for a processor in each."""
    starts = [round((began + number * every) * MS) for number in range(times)]
    return tuple(BlockingCall(name, False, at, at + round(every * MS), (frame,), round(asked * MS)) for at in starts)


def step(calls, *, cpu=1, wall=None, queued=None, **more):
    """A step whose thread slept for what the calls asked for, and else had no processor."""
    ended = round(wall * MS) if wall is not None else calls[-1].ended
    slept = sum(call.asked for call in calls)
    queue = max(0, ended - slept - cpu * MS) if queued is None else queued
    return Segment(1, 0, ended, cpu * MS, 0, queue, len(calls), 0, 0, 0, calls=calls, **more)


def observed(*segments):
    exchange = Exchange(1, "GET", "/", sent=0, completed=500 * MS, steps=1)
    return Observation("full", (exchange,), segments)


def found(*segments, limits=LIMITS):
    return stalls(observed(*segments), limits)


@pytest.mark.parametrize(
    ("segment", "doubts"),
    [
        (step(sleeps(30, 5)), [30]),
        (step(sleeps(10, 6)), [10]),
        (step(sleeps(10, 4.9)), []),
        (step(sleeps(2, 40, asked=20)), [2]),
        (step(sleeps(1, 80, asked=20)), []),
        (step(sleeps(49, 1.06)), []),
        (step(sleeps(30, 2), cpu=21), []),
        (step(sleeps(30, 5, asked=0)), [30]),
        (step(sleeps(30, 5, name="queue.Queue.get")), []),
        (step((*sleeps(1, 40), *sleeps(1, 40, frame=OTHER, began=40))), []),
        (step((*sleeps(3, 5), *sleeps(10, 10, frame=OTHER, began=15))), [10]),
        (step(sleeps(100, 0.4, asked=0.1), wall=150), [100]),
        (step(sleeps(90, 0.4, asked=0.1), wall=150), []),
        (step(sleeps(10, 15), imported=120 * MS), []),
    ],
    ids="polls few short long-naps one-sleep idle charged-enough of-no-time no-nap two-lines longest-line "
    "more-than-are-kept a-wait-after-them an-import".split(),
)
def test_sleeps_that_span_the_limit_by_the_clock_are_in_doubt(segment, doubts):
    assert [each.naps.times for each in found(segment) if each.naps] == doubts


def test_what_is_in_doubt_is_no_proof_and_stands_for_what_is_charged():
    (stall,) = found(step(sleeps(30, 5)))
    assert (stall.kind, stall.asleep // MS, stall.in_doubt // MS, stall.sure) == ("sync-io", 150, 119, False)
    assert stall.place.frame == LINE


def test_what_breaks_the_limit_by_the_meter_is_no_doubt():
    (stall,) = found(step(sleeps(60, 2)))
    assert (stall.asleep // MS, stall.sure, stall.naps) == (60, True, None)


def test_beside_a_computation_of_the_same_step_the_sleeps_are_told_as_well():
    kinds = [(each.kind, each.blocked_ns // MS) for each in found(step(sleeps(10, 10), cpu=30))]
    assert kinds == [("cpu", 40), ("sync-io", 100)]


def test_each_step_of_a_turn_is_asked_alone():
    """Six tasks that each sleep once wait for nobody, though they sleep at one line in one turn."""
    one = [
        step(sleeps(1, 20, began=at), turn=7)._replace(began=at * MS, ended=(at + 20) * MS) for at in range(0, 120, 20)
    ]
    assert [each for each in found(*one) if each.naps] == []


def test_the_note_says_what_both_sorts_of_wait_would_have_slept():
    told = grouping.findings(found(step(sleeps(30, 5))), lambda file: file.removeprefix("/"))
    (note,) = not_findings.notes([], told, [], LIMITS)
    assert note == (
        "unsettled: sync-io, 150 ms at app/main.py:12: 30 sleeps, 30 ms in all, the rest without a processor or the "
        "GIL: a wait that ends by the clock, or when somebody else is done, would have slept 150 ms, one that counts "
        "its sleeps would not; not counted"
    )


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(30, 5), (20, 7.5), (15, 10)], "red"),
        ([(30, 5), (20, 7.5)], "open"),
        ([(30, 5), (20, 5), (15, 5)], "open"),
        ([(30, 5), (29, 5.2), (28, 5.4)], "open"),
        ([(20, 5), (20, 8), (20, 12)], "under"),
        ([(20, 5), (20, 8)], "open"),
        ([(20, 5), (20, 5), (20, 5)], "open"),
        ([(20, 5), (20, 1), (20, 1.1)], "under"),
        ([(30, 5), (2, 1), (2, 1)], "open"),
    ],
    ids="by-the-clock two-runs others-end-it hardly-fewer counted two-counted as-long idle-later less-to-do".split(),
)
def test_several_runs_tell_how_the_wait_ends(runs, expected):
    first, *later = (observed(step(sleeps(*run))) for run in runs)
    (stall,) = (each for each in stalls(first, LIMITS) if each.naps)
    settled = naps.settled(stall, later)
    said = "open" if settled.naps else "red" if settled.breaks(LIMITS) and settled.sure else "under"
    assert said == expected


def test_a_wait_that_ends_by_the_clock_is_as_long_as_all_runs_show():
    (stall,) = found(step(sleeps(30, 5)))
    settled = naps.settled(stall, [observed(step(sleeps(*run))) for run in [(20, 7.5), (15, 10)]])
    assert (settled.asleep // MS, settled.in_doubt) == (145, 0)
    assert settled.proof == (
        "it ends by the clock: 3 runs slept 30, 20 and 15 times there, and each until 145 ms had passed"
    )


def test_a_stall_without_a_doubt_stays_as_it_is():
    (stall,) = breaking(found(step(sleeps(60, 2))), LIMITS)
    assert naps.settled(stall, []) is stall

"""What of a sleep is the app's own, and what is the machine's: tables of literals, some of them measured."""

import pytest

from pytest_noblock.judge import gil_waits, own_sleeps
from pytest_noblock.judge.sleeps import slept
from pytest_noblock.judge.stalls import stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, Sample, Segment, Standstill
from pytest_noblock.model.stall import BlamedLine

MS = 1_000_000
FRAME = Frame("/app/main.py", 7, "report", user=True)
LIMITS = Limits(50 * MS)


def step(wall, cpu=0, queued=0, switches=2, **more):
    """One step in ms."""
    return Segment(
        exchange=1,
        began=0,
        ended=round(wall * MS),
        cpu=round(cpu * MS),
        collected=0,
        queued=round(queued * MS),
        switches=switches,
        others_cpu=0,
        round_trips=0,
        doubtful_trips=0,
        **more,
    )


def look(at, syscall="clock_nanosleep", gil_wait=0.1):
    waited = None if gil_wait is None else round(gil_wait * MS)
    return Sample(round(at * MS), round(at * MS), round(at * MS), (FRAME,), syscall, waited)


def call(began, ended):
    return BlockingCall("open", False, began * MS, ended * MS, (FRAME,))


def stood(since, began, ended, ns=None):
    return Standstill(since * MS, began * MS, ended * MS, round((ended - began if ns is None else ns) * MS))


@pytest.mark.parametrize(
    ("calls", "looks", "standstills", "shown"),
    [
        ([], [], [], 0),
        ([call(20, 50)], [], [], 30),
        ([call(20, 50), call(40, 70)], [], [], 50),
        ([call(20, 50)._replace(asked=12 * MS)], [], [], 12),
        ([call(20, 50)._replace(asked=70 * MS)], [], [], 30),
        ([], [look(12), look(24), look(44)], [], 100),
        ([], [look(12, "running"), look(24), look(44)], [], 82),
        ([], [look(12), look(24, "running")], [], 17),
        ([], [look(12, "futex"), look(24, "unknown")], [], 0),
        ([], [look(26.8, gil_wait=11.8), look(42.8, "running", gil_wait=5)], [], 5),  # until 26.8 somebody had the GIL
        ([], [look(12, gil_wait=None)], [], 100),
        ([call(10, 30)], [look(20), look(60, "running")], [], 20),  # the call tells its own time
        ([call(20, 50)], [], [stood(0, 15, 40)], 10),
        ([call(10, 50)], [], [stood(0, 15, 40)], 40),  # whatever stood still, the call waited
        ([], [look(12), look(24), look(95, "running")], [stood(24, 44, 95)], 24),
        ([], [look(12), look(24), look(95)], [stood(24, 44, 95)], 100),
        ([], [look(12), look(24)], [stood(24, 60, 170, ns=24)], 60),  # measured beside 4 busy processes
    ],
)
def test_calls_and_looks_show_a_sleep_where_the_machine_did_not_stand_still(calls, looks, standstills, shown):
    seen = step(100, calls=tuple(calls), samples=tuple(looks), standstills=tuple(standstills))
    assert own_sleeps.shown(seen) // MS == shown


def test_where_the_machine_stood_still_the_run_queue_is_no_sleep_either():
    """Measured, of a request that slept for 10 ms; it was stopped, and waited for a processor."""
    looks = (look(88, "running", gil_wait=62.1), look(115.2))
    queued = step(148.5, cpu=24, queued=43.6, samples=looks)
    assert own_sleeps.shown(queued) // MS == 46
    assert own_sleeps.shown(queued._replace(standstills=(stood(-50, 15, 88, ns=42),))) == 0


def test_what_a_call_asked_for_is_slept_whatever_stood_still():
    asking = step(100, calls=(call(0, 100)._replace(asked=60 * MS),), standstills=(stood(-20, -5, 200, ns=200),))
    assert slept(asking) == 60 * MS
    assert slept(asking._replace(calls=())) == 0


@pytest.mark.parametrize(
    ("looks", "standstill", "ns"),
    [
        ([], stood(0, 15, 85), 70),
        ([], stood(0, 15, 85, ns=60), 60),  # the rest was run-queue delay
        ([], stood(-50, -20, 30), 30),
        ([], stood(60, 80, 130), 20),
        ([look(12), look(85, "running")], stood(12, 24, 84), 60),
        ([look(12, "running"), look(85)], stood(12, 24, 84), 60),  # it began to sleep after that
        ([look(12), look(85)], stood(12, 24, 84), 0),
    ],
)
def test_a_standstill_is_no_sleep_where_the_loop_thread_may_have_computed(looks, standstill, ns):
    assert own_sleeps.stood_still(step(100, samples=tuple(looks), standstills=(standstill,))) == ns * MS


@pytest.mark.parametrize(("others_cpu", "shown"), [(0, 86), (90, 173)])
def test_a_look_that_waited_for_another_thread_does_not_say_when_the_loop_thread_fell_asleep(others_cpu, shown):
    late = (look(87, gil_wait=81.5),)
    assert own_sleeps.shown(step(173, samples=late)._replace(others_cpu=others_cpu * MS)) // MS == shown


def told(segment):
    """Kind, sleep in ms, and whether it would be red in one run."""
    observation = Observation("full", (Exchange(1, "GET", "/", sent=0, steps=1),), (segment,))
    return [
        (each.kind, each.asleep // MS, each.sure)
        for each in stalls(observation, LIMITS)
        if each.breaks(LIMITS) and each.kind == "sync-io"
    ]


RUNNING = (look(122.5, "running", gil_wait=0), look(289.2, "running", gil_wait=0))


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (step(646, cpu=110.3, queued=469, switches=20, samples=RUNNING), [("sync-io", 66, False)]),
        (
            step(
                121.4,
                cpu=21.5,
                queued=16.7,
                samples=(look(86.9, gil_wait=71.75), look(98.5)),
                calls=(call(86, 101),),
                standstills=(stood(-50, 15, 87, ns=67),),
            ),
            [],
        ),
        (
            step(
                127.4,
                cpu=23.7,
                queued=23.7,
                samples=(look(26.8, gil_wait=11.81), look(42.8, "running", gil_wait=5.23)),
                standstills=(stood(43, 63, 126, ns=45),),
            ),
            [("sync-io", 35, False)],
        ),
    ],
    ids="looks-that-met-it-running stopped-before-a-call stopped-after-a-sleep".split(),
)
def test_a_request_that_was_stopped_or_waited_for_the_gil_is_not_told_to_have_slept(segment, expected):
    """Each was red: one that only computed, beside 2 busy processes; two in a process that was stopped for 70 ms.

    These two computed for 20 ms and slept for 10 to 15.
    """
    assert told(segment) == expected


def test_a_look_that_meets_the_loop_thread_running_tells_of_no_sleep_though_the_gil_is_free():
    """As where a call in C computes without it."""
    asleep, running = (
        step(100, cpu=20, samples=(look(12, syscall), look(24, syscall), look(44, "running")))
        for syscall in ("futex", "running")
    )
    place = BlamedLine(FRAME)
    assert gil_waits.gil_was_free(asleep)
    assert gil_waits.gil_was_free(running)
    assert gil_waits.slept_by_itself(asleep, place, needed=30 * MS)
    assert not gil_waits.slept_by_itself(asleep, place, needed=50 * MS)  # the looks show 34 ms
    assert not gil_waits.slept_by_itself(running, place, needed=30 * MS)

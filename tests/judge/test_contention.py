"""Whether a probe waited for what the request held: tables of literals; no loop, no thread."""

from dataclasses import replace

import pytest

from pytest_noblock.judge import contention
from pytest_noblock.model.concurrency import HolderSighting, PoolReading, Wait
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import THREADS, Exchange, Observation
from pytest_noblock.model.rules import Readings

MS = 1_000_000
LINE = (Frame("/app/main.py", 7, "report", "json.dumps", user=True),)
LIBRARY = (Frame("/lib/json.py", 1, "dumps"),)
EXCHANGE = Exchange(1, "GET", "/report", sent=0, returned=10**12, endpoint="app.report", steps=1)


def seen(*waits, **more):
    return Observation("full", (EXCHANGE,), waits=waits, **more)


WAIT = Wait("/fast", 0, 100 * MS, 90 * MS, LINE, "asyncio.Lock", 1, True, False, (HolderSighting(1, 9, LINE),))


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({}, [90]),
        ({"by": 99}, []),  # another probe's step ended it
        ({"by": None}, []),  # a timer or a thread did, and they share nothing
        ({"by": None, "shared": True}, [90]),
        ({"by": None, "shared": True, "let_go": False}, []),  # the request sat there still
        ({"stack": LIBRARY}, []),  # no line of the user's waits
        ({"sightings": ()}, []),
    ],
)
def test_who_ended_the_wait_had_kept_it(changes, held):
    found = list(contention.kept_waiting(seen(replace(WAIT, **changes))))
    assert [stall.blocked_ns // MS for stall in found] == held
    assert {(stall.kind, stall.waiter.frame.line) for stall in found} <= {("contention", 7)}


def test_what_the_probe_takes_alone_is_taken_off():
    (stall,) = contention.kept_waiting(seen(WAIT, alone={"/fast": 30 * MS}))
    assert stall.blocked_ns == 60 * MS


@pytest.mark.parametrize(("at", "held"), [(50, []), (150, [90])])
def test_a_wait_for_a_thread_is_the_pools(at, held):
    full = PoolReading(at * MS, 1, THREADS, total=2, waiting=1, holders=(1, 1), at_work=2, queued=0)
    assert [stall.blocked_ns // MS for stall in contention.kept_waiting(seen(WAIT, pools=(full,)))] == held


@pytest.mark.parametrize(
    ("changes", "rule", "sure"),
    [
        ({}, "wait-ended-by-request", True),
        ({"by": None, "shared": True}, "wait-ended-after-request", False),
    ],
)
def test_it_says_which_rule_decided_and_what_it_read(changes, rule, sure):
    sightings = (*WAIT.sightings, HolderSighting(1, 2, LIBRARY))
    (stall,) = contention.kept_waiting(seen(replace(WAIT, sightings=sightings, **changes)))
    assert (stall.rule.id, stall.sure) == (rule, sure)
    assert stall.readings == Readings(wall=100 * MS, samples=11)

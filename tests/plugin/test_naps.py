"""Waits of many short sleeps on a busy machine: what one run cannot tell is said, and several runs settle it.

How long the thread waited for a processor between its sleeps is written into what the meter measured.
"""

import sys

import pytest

from tests.plugin import busy_machine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel must tell the run-queue delay")

API = """
import time
from fastapi import FastAPI

app = FastAPI()

@app.get("/until")
async def until():
    for _ in range(2):
        time.sleep(0.001)  # until

@app.get("/so-often")
async def so_often():
    for _ in range(2):
        time.sleep(0.001)  # so often

@app.get("/once")
async def once():
    time.sleep(0.001)
"""
BUSY = """
import itertools
import pytest
from api import app
from pytest_noblock.engine.steps.counters import Counters

MS = 1_000_000
RUNS = {  # how often the line slept, and how many ms lie between two sleeps
    "until": itertools.cycle([(30, 5), (25, 6), (15, 10)]),
    "so_often": itertools.cycle([(20, 5), (20, 8), (20, 12)]),
    "once": itertools.cycle([(1, 100)]),
}
measured = Counters.segment

def segment(self, span, end):
    one = measured(self, span, end)
    sleeps = [each for each in one.calls if each.asked]
    if not sleeps:
        return one
    times, every = next(RUNS[sleeps[0].stack[0].function])
    starts = [one.began + at * every * MS for at in range(times)]
    calls = tuple(sleeps[0]._replace(began=at, ended=at + every * MS) for at in starts)
    queued = times * (every - 1) * MS - 1
    return one._replace(calls=calls, ended=calls[-1].ended, cpu=0, queued=queued, switches=times, others_queued=0)

def pytest_configure():
    Counters.segment = segment

def pytest_unconfigure():
    Counters.segment = measured
"""


@pytest.fixture
def suite(pytester):
    return busy_machine.suite(pytester, API, BUSY, ["until", "so-often", "once"])


def test_a_watched_test_says_that_one_run_cannot_tell_how_the_wait_ends(suite):
    result = suite.runpytest("--noblock", "-p", "no:randomly", "-k", "client")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "  unsettled  sync-io, 100 ms at api.py:14: 20 sleeps, 20 ms in all, *",
            "  unsettled  sync-io, 150 ms at api.py:9: 30 sleeps, 30 ms in all, *would have slept 150 ms,*not counted",
        ]
    )
    result.stdout.no_fnmatch_line("*unsettled*api.py:18*")


def test_the_fixture_sends_it_again_and_tells_a_wait_by_the_clock_from_a_count_of_sleeps(suite):
    result = suite.runpytest("--noblock", "-p", "no:randomly", "-k", "fixture")
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        [
            "GET /until blocked the event loop 14? ms (limit 50 ms)",
            "*time.sleep(0.001)  # until",
            "  why     *it ends by the clock: 3 runs slept 25, 15 and 30 times there, and each until 14*",
        ]
    )
    result.stdout.no_fnmatch_line("*unsettled*")


def test_a_sweep_tells_the_two_apart_as_well(suite):
    result = suite.runpytest("--noblock-sweep=api:app", "-p", "no:randomly")
    result.stdout.fnmatch_lines(["GET /until blocked the event loop 14? ms (limit 50 ms)"])
    result.stdout.no_fnmatch_line("*/so-often blocked*")
    result.stdout.no_fnmatch_line("*unsettled*")

"""Loops that wait, on a busy machine: what one run cannot tell is said, and several runs settle it.

That most of the time the thread waited for a processor is written into what the meter measured.
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
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass  # until

@app.get("/guarded")
async def guarded():
    end = time.monotonic() + 0.2
    rows = [[1]]
    while rows[0] and time.monotonic() < end:
        sum(rows[0])

@app.get("/work")
async def work():
    for _ in iter(lambda end=time.perf_counter() + 0.2: time.perf_counter() < end, False):
        sum([1])
"""
BUSY = """
import itertools
import pytest
from api import app
from pytest_noblock.engine.steps.counters import Counters
from pytest_noblock.judge import last_net

MS = 1_000_000
cpu = itertools.cycle([15 * MS, 25 * MS, 35 * MS])
measured = Counters.segment

def segment(self, span, end):
    one = measured(self, span, end)
    if one.wall < 100 * MS:
        return one
    had = next(cpu)
    list(self._looks(span, end))  # which are read where a step was off the processor for 5 ms
    return one._replace(cpu=had, collected=0, queued=one.wall - had, switches=0, others_cpu=0)

unexplained = last_net.unexplained

def pytest_configure():
    Counters.segment = segment
    last_net.unexplained = lambda *_: None  # it compares the steps with the turns, which say what was so

def pytest_unconfigure():
    Counters.segment = measured
    last_net.unexplained = unexplained
"""


@pytest.fixture
def suite(pytester):
    return busy_machine.suite(pytester, API, BUSY, ["until", "guarded", "work"])


def test_a_watched_test_says_that_one_run_cannot_tell_how_the_loop_ends(suite):
    result = suite.runpytest("--noblock", "-p", "no:randomly", "-k", "client")
    result.assert_outcomes(passed=3)
    result.stdout.re_match_lines_random(
        [
            r"  unsettled  cpu, \d+ ms at api.py:(9|10): a loop that waits, CPU and sleep \d\d ms, .*; not counted",
            r"  unsettled  cpu, \d+ ms at api.py:1[67]: a loop that waits, CPU and sleep \d\d ms, .*; not counted",
        ]
    )
    result.stdout.no_re_match_line(r".*unsettled.*api.py:2\d.*")


def test_the_fixture_sends_it_again_and_tells_a_loop_that_only_the_clock_ends(suite):
    result = suite.runpytest("--noblock", "-p", "no:randomly", "-k", "fixture")
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.re_match_lines_random(
        [
            r"GET /until blocked the event loop \d+ ms \(limit 50 ms\)",
            r"  by      api.py:(9|10) in until",
            r"  why     .*the loop waits until a moment and does nothing else: \d runs were in it for .*",
            r"  unsettled  cpu, \d+ ms at api.py:1[67]: .*",
        ]
    )


def test_a_sweep_tells_it_as_well(suite):
    result = suite.runpytest("--noblock-sweep=api:app", "-p", "no:randomly")
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        [
            "GET /until blocked the event loop * ms (limit 50 ms)",
            "  GET /guarded  passed *",
            "  unsettled  GET /guarded: cpu, * ms at api.py:1?: a loop that waits, *; not counted",
        ]
    )
    result.stdout.no_fnmatch_line("*unsettled*/work*")

"""Many processes and repeated tests: each finding once, in one report, whatever becomes of a worker."""

import json

import pytest

SUITE = """
import os
import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
client = TestClient(app)

@app.get("/blocks")
async def blocks():
    time.sleep(0.08)

@app.get("/awaits")
async def awaits():
    return {}

@pytest.mark.parametrize("number", range(4))
def test_blocks(number):
    client.get("/blocks")

@pytest.mark.parametrize("number", range(4))
def test_awaits(number):
    client.get("/awaits")
"""
CRASH = """
def test_crashes():
    client.get("/blocks")
    os._exit(3)
"""


def outcomes(pytester: pytest.Pytester) -> dict[str, list[str]]:
    """Of the report's checks, by test."""
    report = json.loads((pytester.path / "report.json").read_text())
    found: dict[str, list[str]] = {}
    for check in report["checks"]:
        found.setdefault(check["id"].partition("::")[2], []).append(check["outcome"])
    return found


EXPECTED = {
    **{f"test_blocks[{number}]": ["failed"] for number in range(4)},
    **{f"test_awaits[{number}]": ["passed"] for number in range(4)},
}
LINE = SUITE.strip().splitlines().index("    time.sleep(0.08)") + 1


def test_the_findings_of_all_workers_are_one_report(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(test_suite=SUITE)
    result = pytester.runpytest("-n2", "--noblock", "--noblock-report=report.json")
    result.assert_outcomes(passed=4, failed=4)
    assert outcomes(pytester) == EXPECTED
    result.stdout.fnmatch_lines(["8 requests watched in 8 tests", f"  test_suite.py:{LINE}  sync-io  * ms  time.sleep"])
    assert result.stdout.str().count("requests watched in") == 1
    assert [each.name for each in pytester.path.glob("*.json")] == ["report.json"]


@pytest.mark.one_python
def test_a_worker_that_crashes_loses_only_its_own_test(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(test_suite=SUITE + CRASH)
    result = pytester.runpytest("-n2", "--noblock", "--noblock-report=report.json")
    result.stdout.fnmatch_lines(["*worker 'gw?' crashed while running 'test_suite.py::test_crashes'*"])
    result.assert_outcomes(passed=4, failed=5)
    assert outcomes(pytester) == EXPECTED
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.one_python
def test_workers_that_watch_nothing_are_not_green(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest("-n2", "--noblock")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["no request was watched: --noblock asserted nothing"])


RERUN = """
import time

from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
runs = []

@app.get("/")
async def index():
    runs.append(1)
    if len(runs) <= {times}:
        time.sleep(0.08)

def test_it():
    TestClient(app).get("/")
"""


@pytest.mark.one_python
@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "xdist"])
@pytest.mark.parametrize(("times", "outcome"), [(1, "passed"), (9, "failed")])
def test_a_test_that_is_run_again_counts_once(pytester, times, outcome, workers):
    """As the last run has it."""
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(test_it=RERUN.format(times=times))
    options = ("-p", "rerunfailures", "--reruns=2", *workers)
    result = pytester.runpytest("--noblock", "--noblock-report=report.json", *options)
    result.stdout.fnmatch_lines(["1 request watched in 1 test"])
    assert outcomes(pytester) == {"test_it": [outcome]}


@pytest.mark.one_python
def test_in_any_order(pytester):
    pytest.importorskip("pytest_randomly")
    pytester.makepyfile(test_suite=SUITE)
    result = pytester.runpytest("-p", "randomly", "--noblock", "--noblock-report=report.json")
    result.assert_outcomes(passed=4, failed=4)
    assert outcomes(pytester) == EXPECTED

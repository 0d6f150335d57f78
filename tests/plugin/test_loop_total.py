"""`max_total`: what one request costs its worker in all, in watched tests, the fixture and a sweep."""

import json

import pytest

pytest.importorskip("fastapi")
pytestmark = pytest.mark.one_python

APP = """
import asyncio, time
from fastapi import FastAPI

app = FastAPI()

def load():
    time.sleep(0.013)

@app.get("/adds-up")
async def adds_up():
    for _ in range(12):
        load()
        await asyncio.sleep(0.001)
    return {}

@app.get("/waits")
async def waits():
    for _ in range(12):
        await asyncio.sleep(0.01)
    return {}
"""
TESTS = """
import pytest
from fastapi.testclient import TestClient
from total import app

@pytest.mark.parametrize("path", ["/adds-up", "/waits"])
def test_watched(path):
    TestClient(app).get(path)

@pytest.mark.parametrize("path", ["/adds-up", "/waits"])
def test_fixture(path, noblock):
    noblock.get(path)

@pytest.mark.noblock(max_total="10 s")
def test_marked():
    TestClient(app).get("/adds-up")

def test_capacity(noblock):
    check = noblock.check("GET", "/adds-up", max_total="10 s")
    assert check.loop_ms >= 120
    assert check.capacity.startswith("1 event loop / 0.1"), check.capacity
    assert float(check.capacity.split()[7]) == pytest.approx(1000 / check.loop_ms, rel=0.1)
"""


def test_many_short_stretches_are_red_by_their_sum_in_every_mode(pytester):
    pytester.makepyfile(total=APP, test_total=TESTS)
    options = ("--noblock", "--noblock-app=total:app", "--noblock-sweep=total:app", "--noblock-report=all.json")
    pytester.runpytest("test_total.py", *options, "-p", "no:randomly").assert_outcomes(passed=8)

    result = pytester.runpytest("test_total.py", *options, "--noblock-max-total=100ms", "-p", "no:randomly")
    result.assert_outcomes(passed=5, failed=3)
    result.stdout.fnmatch_lines(
        [
            "GET /adds-up held the event loop 1* ms in all (limit 100 ms)",
            "",
            "  by      total.py:10 in adds_up",
            "              async def adds_up():",
            "  why     * stretches, none of them over the limit of 50 ms: asleep 1* ms, CPU * ms",
            "  part    1* ms by total.py:7 in load",
            "  harm    one worker can serve * such requests per second, no more",
            "  instead fewer or smaller pieces on the loop: await what waits, and let *",
            '  accept  @pytest.mark.noblock_allow("reason", kinds=["loop-total"])',
        ]
    )
    result.stdout.fnmatch_lines(["GET /adds-up held *, loop-total by total.py:10 in adds_up, as in *"])
    result.stdout.fnmatch_lines(["  GET /adds-up  failed *", "  GET /waits *passed *"])
    report = json.loads(pytester.path.joinpath("all.json").read_text(encoding="utf-8"))
    kinds = {(each["id"], finding["kind"]) for each in report["checks"] for finding in each["findings"]}
    assert kinds == {
        ("test_total.py::test_watched[/adds-up]", "loop-total"),
        ("test_total.py::test_fixture[/adds-up]", "loop-total"),
        ("noblock::GET /adds-up", "loop-total"),
    }
    assert {each["path"]: each["worst_ms"] for each in report["routes"]} == {"/adds-up": 0.0, "/waits": 0.0}
    assert all(each["loop_ms"] > 100 for each in report["checks"] if each["request"] == "GET /adds-up")

"""One loop for several tests: what a request of an earlier test left behind is not laid to a request of a later one."""

import json

import pytest

SUITE = """
import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI

app = FastAPI()
loop = asyncio.new_event_loop()

async def later():
    await app.state.gate.wait()
    {step}  # here

@app.get("/leaves")
async def leaves():
    app.state.gate = asyncio.Event()
    app.state.task = asyncio.create_task(later())

@app.get("/opens")
async def opens():
    app.state.gate.set()
    await asyncio.sleep(0.01)

def send(*paths):
    async def sends():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            for path in paths:
                await client.get(path)
    loop.run_until_complete(sends())

{tests}
"""
TWO = """
def test_1(): send("/leaves")
def test_2(): send("/opens")
"""
ONE = """
def test_1(): send("/leaves", "/opens")
"""


@pytest.fixture
def checks_of(pytester):
    def checks_of(step, tests, **outcomes):
        pytester.makepyfile(test_it=SUITE.format(step=step, tests=tests))
        result = pytester.runpytest_subprocess("--noblock", "--noblock-report=r.json", "-p", "no:randomly")
        result.assert_outcomes(**outcomes)
        checks = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))["checks"]
        return {check["request"]: check for check in checks}

    return checks_of


def test_what_an_earlier_test_left_behind_is_told_with_its_line_and_its_request(checks_of):
    checks = checks_of("time.sleep(0.08)", TWO, passed=2)
    (note,) = checks["GET /opens"]["notes"]
    assert note.startswith("unsettled: sync-io, ")
    told = "while GET /opens was under way: GET /leaves of test_it.py::test_1 left it behind; not counted"
    assert note.endswith(f" ms at test_it.py:13 in later, {told}")


def test_in_the_test_that_left_it_behind_it_is_red(checks_of):
    checks = checks_of("time.sleep(0.08)", ONE, failed=1)
    (finding,) = checks["GET /leaves"]["findings"]
    assert (finding["phase"], finding["line"]) == ("detached", 13)
    assert checks["GET /opens"]["outcome"] == "passed"


@pytest.mark.parametrize(("tests", "passed"), [(ONE, 1), (TWO, 2)])
def test_of_work_that_lets_go_nothing_is_told(checks_of, tests, passed):
    checks = checks_of("await asyncio.sleep(0.08)", tests, passed=passed)
    assert not any("GET /opens was under way" in note for note in checks["GET /opens"]["notes"])

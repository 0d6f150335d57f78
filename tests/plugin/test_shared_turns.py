"""Several requests at once: what they hold the loop for together, in one turn, is red; what is small is told."""

from tests.plugin.three_clients import lines, watch

APP = """
import asyncio
import time

from fastapi import FastAPI

app = FastAPI()

def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until: pass  # burns

@app.get("/burn")
async def burns():
    burn(0.02)

@app.get("/sleep")
async def sleeps():
    time.sleep(0.02)  # sleeps

@app.get("/other")
async def other():
    burn(0.02)

@app.get("/repaired")
async def repaired():
    await asyncio.sleep(0.02)
"""
TESTS = """
import asyncio
import httpx
import pytest
from shop import app

PATHS = pytest.mark.parametrize("path", ["/burn", "/sleep", "/repaired"])

@pytest.fixture
def noblock_app():
    return app

async def send(*paths):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await asyncio.gather(*map(client.get, paths))

@PATHS
def test_fixture(noblock, path):
    noblock.get(path, concurrency=8)

@PATHS
@pytest.mark.asyncio
async def test_async(path):
    await send(*[path] * 8)

@pytest.mark.asyncio
async def test_two_endpoints():
    await send("/burn", "/burn", "/other", "/other")
"""


def test_what_copies_hold_the_loop_for_in_one_turn_is_red_and_named(pytester):
    pytester.makepyfile(shop=APP, test_it=TESTS)
    result, checks = watch(pytester)
    result.assert_outcomes(failed=4, passed=3)
    red = [each for each in checks if each["outcome"] == "failed"]
    (burns,), (sleeps,) = lines(APP, "burns"), lines(APP, "sleeps")
    found = {(each["request"], finding["kind"], finding["line"]) for each in red for finding in each["findings"]}
    assert found == {("GET /burn", "cpu", burns), ("GET /sleep", "sync-io", sleeps)}
    assert all(each["loop_ms"] < 50 for each in red), "one request alone holds it for its own step"
    by_line = [f"  by      shop.py:{sleeps} in sleeps", "*", "  why     * requests' steps in one turn of the loop, *"]
    result.stdout.fnmatch_lines(by_line)
    result.stdout.fnmatch_lines(
        ["*unsettled: the event loop stood still for * in one turn: steps of 4 requests of 2 endpoints, *"]
    )

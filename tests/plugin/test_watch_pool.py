"""A watched test whose own requests fill the thread pool: those that wait have no thread."""

APP = """
import asyncio
import time

from fastapi import FastAPI

app = FastAPI()

@app.get("/slow")
def slow():
    time.sleep(0.8)  # slow

@app.get("/quick")
def quick():
    time.sleep(0.001)

@app.get("/async")
async def repaired():
    await asyncio.sleep(0.15)
"""
TESTS = """
import asyncio

import httpx
import pytest

from pools import app

@pytest.mark.parametrize("path, copies", [("/slow", 45), ("/slow", 39), ("/quick", 45), ("/async", 45)])
@pytest.mark.anyio
async def test_many(path, copies):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await asyncio.gather(*(client.get(path) for _ in range(copies)))
"""


def test_more_slow_requests_than_threads_are_red_at_the_line_of_the_workers(pytester):
    pytester.makepyfile(pools=APP, test_it=TESTS)
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    result = pytester.runpytest("--noblock", "-p", "no:randomly", "-o", "noblock_max_block=100ms")
    result.assert_outcomes(failed=1, passed=3)
    (line,) = [n for n, text in enumerate(APP.strip().splitlines(), 1) if text.endswith("# slow")]
    result.stdout.fnmatch_lines(
        [
            "GET /slow used up the thread pool for * ms*",
            f"  by      pools.py:{line} in slow",
            "*40 of 40 tokens of the thread pool taken*40 workers at this line*",
        ]
    )

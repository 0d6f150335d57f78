"""What only several requests show; and what a confirming run must not add: the cost of its own counters."""

import pytest

LOCK = """
import asyncio
import threading

from fastapi import FastAPI

def make():
    app = FastAPI()
    lock, async_lock = threading.Lock(), asyncio.Lock()

    @app.get("/thread-lock")
    async def thread_lock():
        if lock.acquire(timeout=0.2):  # acquire
            try:
                await asyncio.sleep(0.04)
            finally:
                lock.release()

    @app.get("/async-lock")
    async def repaired():
        async with async_lock:
            await asyncio.sleep(0.04)

    return app
"""
TESTS = """
import asyncio
import httpx
import pytest
from lock import make

PATHS = pytest.mark.parametrize("path", ["/thread-lock", "/async-lock"])

@PATHS
def test_two(noblock, path):
    noblock.get(path, concurrency=2)

@PATHS
def test_probe(noblock, path):
    noblock.get(path, probe=path)

@PATHS
def test_alone(noblock, path):
    noblock.get(path)

@PATHS
@pytest.mark.anyio
async def test_gather(path):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(make()), base_url="http://test") as client:
        await asyncio.gather(client.get(path), client.get(path))
"""


def test_a_lock_of_threads_held_across_an_await_is_red_wherever_two_requests_meet(pytester):
    pytester.makepyfile(lock=LOCK, test_it=TESTS)
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    (line,) = [n for n, text in enumerate(LOCK.strip().splitlines(), 1) if text.endswith("# acquire")]
    result = pytester.runpytest("--noblock", "--noblock-app=lock:make", "-p", "no:randomly", "-rfp", "-v")
    result.assert_outcomes(failed=3, passed=5)
    told = ["GET /thread-lock blocked the event loop * ms (limit 50 ms)", "", f"  by *:{line} in thread_lock"]
    result.stdout.fnmatch_lines(told * 3)
    result.stdout.fnmatch_lines(
        ["FAILED *test_two*thread-lock*", "FAILED *test_probe*thread-lock*", "PASSED *test_alone*thread-lock*"]
    )


NAPS = """
import time
from fastapi import FastAPI

app = FastAPI()

@app.get("/nap/{milliseconds}")
async def nap(milliseconds: int):
    time.sleep(milliseconds / 1000)  # nap
"""


@pytest.mark.parametrize(
    ("length", "red"), [pytest.param(39, False, marks=pytest.mark.one_python), (47, False), (60, True)]
)
def test_a_sleep_under_the_limit_is_green_also_where_counters_make_it_longer(pytester, length, red):
    pytester.makepyfile(
        naps=NAPS,
        test_it=f"""
            def test_it(noblock):
                check = noblock.check("GET", "/nap/{length}", max_block="50 ms")
                assert check.outcome == ("failed" if {red} else "passed"), check
                assert check.findings or "under the limit of 50 ms" in str(check.notes), check
                assert all(each.blocked_ns >= 50_000_000 for each in check.findings), check
        """,
    )
    pytester.runpytest("--noblock-app=naps:app").assert_outcomes(passed=1)


CACHED = """
import time
from fastapi import FastAPI

app = FastAPI()
calls = []

@app.get("/twice")
async def twice():
    calls.append(1)
    if len(calls) <= {times}:
        time.sleep(0.08)  # twice
"""


@pytest.mark.parametrize(("times", "outcome"), [pytest.param(1, "passed", marks=pytest.mark.one_python), (2, "failed")])
def test_what_the_warm_up_and_the_judged_run_show_is_confirmed(pytester, times, outcome):
    """A cache that fills at the second call, a limiter that counts: the runs after them show nothing."""
    pytester.makepyfile(
        cached=CACHED.format(times=times),
        test_it=f"""
            def test_it(noblock):
                check = noblock.check("GET", "/twice")
                assert check.outcome == {outcome!r}, check
                assert [(each.kind, each.code) for each in check.findings] == (
                    [("sync-io", "time.sleep(0.08)  # twice")] if {times} == 2 else []
                )
        """,
    )
    pytester.runpytest("--noblock-app=cached:app").assert_outcomes(passed=1)

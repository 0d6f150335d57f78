"""A thread that keeps the GIL stops the loop of a watched test, too: the watchdog waits for it as the loop does."""

import sys

import pytest

from tests.burning import letters, rows

pytestmark = pytest.mark.every_python

APP = """
import asyncio
import ctypes
import hashlib
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI

app = FastAPI()
LETTERS = int(os.environ["LETTERS"])
BIG = [list(range(1000))] * int(os.environ["ROWS"])
pool = ThreadPoolExecutor(1)

def keep():
    re.match(r"(a+)+$", "a" * LETTERS + "b")  # keep

@app.get("/def")
def plain():
    keep()

@app.get("/later")
def later():
    time.sleep(0.1)
    keep()

@app.get("/to-thread")
async def to_thread():
    await asyncio.to_thread(json.dumps, BIG)  # to-thread

@app.get("/own-pool")
async def own_pool():
    await asyncio.get_running_loop().run_in_executor(pool, sum, range(20_000_000))  # own-pool

@app.get("/python")
def python():
    until = time.thread_time() + 0.2
    while time.thread_time() < until:
        pass

@app.get("/pbkdf2")
def pbkdf2():
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 300_000)

@app.get("/sleep")
def sleep():
    time.sleep(0.2)

@app.get("/sleeps-with-it")
def sleeps_with_it():
    ctypes.PyDLL(None).usleep(300_000)

@app.get("/sleeps-without-it")
def sleeps_without_it():
    ctypes.CDLL(None).usleep(300_000)

@app.get("/awaits")
async def awaits():
    await asyncio.sleep(0.3)
"""
TESTS = """
import asyncio
import re
import threading

import httpx
import sys

import pytest
from fastapi.testclient import TestClient

from keeping import LETTERS, app

def client_of(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

BAD = ["/def", "/later", "/to-thread", "/own-pool"]
GOOD = ["/python", "/pbkdf2", "/sleep", "/awaits", "/sleeps-with-it", "/sleeps-without-it"]
PATHS = pytest.mark.parametrize("path", BAD + GOOD)
# a busy machine may end the test before the watchdog gets the GIL, or wake it too seldom while it waits
TIMES = dict.fromkeys(BAD, 2) | {"/sleeps-with-it": 3}

@PATHS
def test_client(path):
    for _ in range(TIMES.get(path, 1)):
        assert TestClient(app).get(path).status_code == 200

@PATHS
@pytest.mark.anyio
async def test_async(path):
    async with client_of(app) as client:
        for _ in range(TIMES.get(path, 1)):
            await client.get(path)

def keeps_it():
    re.match(r"(a+)+$", "a" * LETTERS + "b")

@pytest.mark.anyio
async def test_own_coroutine():
    async with client_of(app) as client:
        sending = asyncio.create_task(client.get("/awaits"))
        await asyncio.sleep(0.05)
        keeps_it()
        await sending

def test_own_thread():
    sending = threading.Thread(target=lambda: TestClient(app).get("/awaits"))
    sending.start()
    keeps_it()
    sending.join()
"""


def line_of(name: str) -> int:
    (line,) = [n for n, text in enumerate(APP.strip().splitlines(), 1) if text.endswith(f"# {name}")]
    return line


def test_it_is_red_at_its_line_and_what_lets_go_of_the_gil_is_green(pytester, monkeypatch):
    monkeypatch.setenv("LETTERS", str(letters(200)))
    monkeypatch.setenv("ROWS", str(rows(200)))
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    pytester.makepyfile(keeping=APP, test_it=TESTS)
    result = pytester.runpytest("--noblock", "-p", "no:randomly", "-rf", "-v")
    result.assert_outcomes(failed=8, passed=14)
    for path, line in [("def", "keep"), ("later", "keep"), ("to-thread", "to-thread"), ("own-pool", "own-pool")]:
        told = [f"GET /{path} held the GIL * ms (limit 50 ms)", "", f"  by      keeping.py:{line_of(line)} in *"]
        result.stdout.fnmatch_lines([*told, "  why     a thread computed *: the loop was *"])
        for client in ("client", "async"):
            result.stdout.fnmatch_lines([f"FAILED test_it.py::test_{client}[[]/{path}[]] - *GET /{path} held*"])
    asleep = result.stdout.str().partition("  unsettled  the event loop waited ")[2].partition("notes on ")[0]
    assert " ms for the GIL, and no thread computed meanwhile: one kept it asleep" in asleep
    assert "/sleeps-with-it]" in asleep
    assert "/sleeps-without-it]" not in result.stdout.str().partition("= noblock =")[2].partition("routes of")[0]


LONG = """
import asyncio, sys, time
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
sys.setswitchinterval(0.3)

def compute(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass

@app.get("/long")
async def long():
    await asyncio.to_thread(compute, 0.6)

@app.get("/short")
async def short():
    await asyncio.to_thread(compute, 0.01)

def test_long():
    TestClient(app).get("/long")

def test_short():
    TestClient(app).get("/short")

def test_fixture(noblock):
    noblock.check("GET", "/long")
"""


@pytest.fixture
def switch_interval():
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_that_the_app_lets_threads_keep_it_is_said_where_they_do(pytester, switch_interval):
    """Between two of its wakes, each of 0.3 s, a thread that waits for the GIL looks as if it slept."""
    pytester.makepyfile(test_long=LONG)
    result = pytester.runpytest("--noblock", "--noblock-app=test_long:app", "-p", "no:randomly")
    assert result.ret == 0
    lines = result.stdout.lines
    said = next(place for place, line in enumerate(lines) if "sys.setswitchinterval(0.3) lets each of them" in line)
    assert "unsettled" in lines[said]
    text = "\n".join(lines[said:])
    assert "test_long.py::test_long" in text
    assert "test_long.py::test_fixture" in text
    assert "test_long.py::test_short" not in text

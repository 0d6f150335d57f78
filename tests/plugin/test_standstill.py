"""A process that is stopped in the midst of a request, as by `docker pause`, or by a host that runs other machines."""

import sys

import pytest

pytestmark = [
    pytest.mark.every_python,
    pytest.mark.skipif(sys.platform != "linux", reason="the portable rules count known calls alone"),
]

API = """
import ctypes, os, signal, subprocess, sys, time
from fastapi import FastAPI

STOPPER = '''
import os, signal, sys, time
parent = os.getppid()
print("ready", flush=True)
for line in sys.stdin:
    after, stops = map(float, line.split())
    time.sleep(after)
    os.kill(parent, signal.SIGSTOP)
    time.sleep(stops)
    os.kill(parent, signal.SIGCONT)
'''
stopper = subprocess.Popen([sys.executable, "-c", STOPPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
stopper.stdout.readline()
libc = ctypes.CDLL(None)
app = FastAPI()

def stop(after, stops):
    os.write(stopper.stdin.fileno(), b"%f %f\\n" % (after, stops))

def burn(least, most):
    "Computes until it was stopped, but for `least` ms at least, and `most` ms at most."
    began, last, stopped, burned = time.thread_time(), time.perf_counter(), False, 0
    while burned < least / 1000 or (burned < most / 1000 and not stopped):
        now = time.perf_counter()
        last, stopped = now, stopped or now - last > 0.05
        burned = time.thread_time() - began

@app.get("/computes")
async def computes():
    stop(0.005, 0.15)
    burn(20, 35)

@app.get("/hardly_computes")
async def hardly_computes():
    stop(0, 0.15)
    burn(1, 2.5)

@app.get("/sleeps_a_little")
async def sleeps_a_little():
    time.sleep(0.012)
    stop(0.002, 0.15)
    burn(20, 30)

@app.get("/sleeps")
async def sleeps():
    stop(0.005, 0.15)
    time.sleep(0.12)  # sleeps

@app.get("/sleeps_in_c")
async def sleeps_in_c():
    stop(0.03, 0.06)
    libc.usleep(300_000)  # sleeps in C
"""

TESTS = """
import httpx, pytest
from fastapi.testclient import TestClient
from api import app

paths = pytest.mark.parametrize("path", ["computes", "hardly_computes", "sleeps_a_little", "sleeps", "sleeps_in_c"])

@paths
def test_client(path):
    TestClient(app).get(path)

@paths
@pytest.mark.asyncio
async def test_async(path):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        await client.get(path)
"""


def test_the_time_in_which_the_process_was_stopped_is_no_sleep_of_the_requests(pytester):
    pytester.makepyfile(api=API, test_api=TESTS)
    result = pytester.runpytest_subprocess("--noblock", "-p", "no:randomly", "-v")
    result.assert_outcomes(passed=6, failed=4)
    for client in ("client", "async"):
        for path, outcome in {
            "computes": "PASS",
            "sleeps_a_little": "PASS",
            "sleeps": "FAIL",
            "sleeps_in_c": "FAIL",
        }.items():
            result.stdout.fnmatch_lines([f"test_api.py::test_{client}?{path}? {outcome}ED*"])
    for mark in ("sleeps", "sleeps in C"):
        line = next(number for number, text in enumerate(API.strip().splitlines(), 1) if text.endswith(f"# {mark}"))
        assert result.stdout.str().count(f"api.py:{line} in ") >= 2

"""C code on the loop that computes on threads of its own: it lets go of the GIL, and no Python thread has it."""

import pytest

pytest.importorskip("argon2")

APP = """
import asyncio
import threading
import time

import argon2
from fastapi import FastAPI

app = FastAPI()
hasher = argon2.PasswordHasher(parallelism=4, time_cost=6)

@app.get("/login")
async def login():
    hasher.hash("secret")  # login

@app.get("/threaded")
async def threaded():
    await asyncio.to_thread(hasher.hash, "secret")

@app.get("/python")
async def python():
    await asyncio.gather(asyncio.to_thread(burn), little())

def burn():
    until = time.thread_time() + 0.2
    while time.thread_time() < until:
        pass

async def little():
    for _ in range(50):
        sum(range(1000))
        await asyncio.sleep(0)

def work():
    while True:
        sum(range(500))
        time.sleep(0.0003)

threading.Thread(target=work, daemon=True).start()
"""
TESTS = """
import httpx
import pytest
from fastapi.testclient import TestClient

from native import app

PATHS = pytest.mark.parametrize("path", ["/login", "/threaded", "/python"])

@PATHS
def test_fixture(noblock, path):
    noblock.get(path)

@PATHS
def test_client(path):
    TestClient(app).get(path)

@PATHS
@pytest.mark.anyio
async def test_async(path):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await client.get(path)
"""


def test_a_hash_on_four_threads_is_red_in_each_mode_beside_a_small_thread(pytester):
    pytester.makepyfile(native=APP, test_it=TESTS)
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    (line,) = [n for n, text in enumerate(APP.strip().splitlines(), 1) if text.endswith("# login")]
    result = pytester.runpytest_subprocess("--noblock", "--noblock-app=native:app", "-p", "no:randomly")
    result.assert_outcomes(failed=3, passed=6)
    result.stdout.fnmatch_lines(
        ["GET /login blocked the event loop * ms (limit 50 ms)", "", f"  by *:{line} in login"] * 3
    )

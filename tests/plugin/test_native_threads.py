"""C code on the loop that computes on threads of its own: it lets go of the GIL, and no Python thread has it."""

import pytest

from tests.plugin import three_clients

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


def test_a_hash_on_four_threads_is_red_in_each_mode_beside_a_small_thread(pytester):
    pytester.makepyfile(native=APP)
    (line,) = three_clients.lines(APP, "login")
    result, _checks = three_clients.ask(pytester, ["/login", "/threaded", "/python"], module="native")
    result.assert_outcomes(failed=3, passed=6)
    result.stdout.fnmatch_lines(
        ["GET /login blocked the event loop * ms (limit 50 ms)", "", f"  by *:{line} in login"] * 3
    )

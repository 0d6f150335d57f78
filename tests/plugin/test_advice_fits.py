"""Advice that was once given for another thing than what blocked; each bad route has the twin that it asks for."""

import json

import pytest

pytest.importorskip("fastapi")

APP = """
import asyncio
import socket
import subprocess
import sys
import threading
import time
import weakref

from fastapi import FastAPI

app = FastAPI()
SERVER = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
SERVER.bind(("127.0.0.1", 0))
ADDRESS = SERVER.getsockname()
CHILD = [sys.executable, "-c", "import time; time.sleep(0.15); print(1)"]
POWER = 1_500_000


def answer():
    while True:
        question, whose = SERVER.recvfrom(10)
        time.sleep(0.1)
        SERVER.sendto(question, whose)


threading.Thread(target=answer, daemon=True).start()


@app.get("/bad/udp")
async def asks():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(b"x", ADDRESS)
        return len(asking.recv(10))  # udp


class Asking(asyncio.DatagramProtocol):
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        self.answer.set_result(data)


@app.get("/good/udp")
async def awaits_answer():
    made = asyncio.get_running_loop().create_datagram_endpoint(Asking, remote_addr=ADDRESS)
    transport, asking = await made
    transport.sendto(b"x")
    answer = await asking.answer
    transport.close()
    return len(answer)


@app.get("/bad/pipe")
async def reads_pipe():
    with subprocess.Popen(CHILD, stdout=subprocess.PIPE) as child:
        rows = 0
        for row in child.stdout:  # pipe
            rows += 1
    return rows


@app.get("/good/pipe")
async def awaits_pipe():
    child = await asyncio.create_subprocess_exec(*CHILD, stdout=subprocess.PIPE)
    return len([row async for row in child.stdout])


class Connection:
    async def aclose(self):
        await asyncio.sleep(0.1)


def close_late():
    time.sleep(0.1)  # finalize


@app.get("/bad/finalize")
async def lets_go():
    connection = Connection()
    weakref.finalize(connection, close_late)
    await asyncio.sleep(0)
    return 1


@app.get("/good/finalize")
async def closes():
    connection = Connection()
    await connection.aclose()
    return 1
"""
TESTS = """
import pytest
from api import app
from fastapi.testclient import TestClient

@pytest.fixture
def noblock_app():
    return app

paths = pytest.mark.parametrize("path", {paths})

@paths
def test_fixture(noblock, path):
    noblock.get(path)

@paths
def test_client(path):
    TestClient(app).get(path)
"""
IN_A_GREENLET = """

from sqlalchemy.ext.asyncio import create_async_engine

ENGINE = create_async_engine("sqlite+aiosqlite://")


def in_greenlet(connection):
    time.sleep(0.1)  # greenlet


def nothing(connection):
    return None


@app.get("/bad/greenlet")
async def runs():
    async with ENGINE.connect() as connection:
        await connection.run_sync(in_greenlet)


@app.get("/good/greenlet")
async def awaits_beside():
    async with ENGINE.connect() as connection:
        await asyncio.sleep(0.1)
        await connection.run_sync(nothing)
"""


def checks_of(pytester, app, *names):
    """Requests of the bad routes and of their twins; the checks by path, twice each."""
    pytester.makepyfile(api=app)
    paths = [f"/{how}/{name}" for name in names for how in ("bad", "good")]
    pytester.makepyfile(test_api=TESTS.format(paths=paths))
    result = pytester.runpytest_subprocess("--noblock", "--noblock-report=out.json", "-p", "no:randomly")
    result.assert_outcomes(failed=2 * len(names), passed=2 * len(names))
    checks = json.loads(pytester.path.joinpath("out.json").read_text(encoding="utf-8"))["checks"]
    return [(each["route"], finding) for each in checks for finding in each["findings"]]


def line_of(app, mark):
    return next(number for number, text in enumerate(app.strip("\n").splitlines(), 1) if text.endswith(f"# {mark}"))


ADVICE = {
    "udp": "create_datagram_endpoint",
    "pipe": "await asyncio.create_subprocess_exec(...), or ",
    "finalize": "an async def aclose with await asyncio.sleep(...) in the place of `close_late`",
    "greenlet": "take it out of `in_greenlet`, which a greenlet runs",
}


def test_the_advice_fits_what_blocked_and_its_twin_is_green(pytester):
    found = checks_of(pytester, APP, "udp", "pipe", "finalize")
    assert len(found) == 6
    for route, finding in found:
        name = route.rpartition("/")[2]
        assert finding["line"] == line_of(APP, name)
        assert ADVICE[name] in finding["replacement"]
        assert "weakref awaits" not in finding["replacement"]
        assert "aiofiles" not in finding["replacement"]


def test_what_a_greenlet_runs_is_no_callback_of_the_loop(pytester):
    pytest.importorskip("sqlalchemy.ext.asyncio")
    pytest.importorskip("aiosqlite")
    pytest.importorskip("greenlet")
    app = APP + IN_A_GREENLET
    found = checks_of(pytester, app, "greenlet")
    assert len(found) == 2
    for _route, finding in found:
        assert finding["line"] == line_of(app, "greenlet")
        assert ADVICE["greenlet"] in finding["replacement"]
        assert "nobody waits for" not in finding["replacement"]


COMPUTING = """
from fastapi import FastAPI

app = FastAPI()
POWER = 1_500_000


@app.get("/bad/in-thread")
def in_thread():
    return (7 ** POWER).bit_length()  # in-thread


@app.get("/bad/on-loop")
async def on_loop():
    return (7 ** POWER).bit_length()  # on-loop


@app.get("/good/in-thread")
def small_in_thread():
    return (7 ** 99).bit_length()


@app.get("/good/on-loop")
async def small_on_loop():
    return (7 ** 99).bit_length()
"""


def test_no_call_is_named_for_what_an_operator_computed(pytester):
    found = checks_of(pytester, COMPUTING, "in-thread", "on-loop")
    assert len(found) == 4
    for route, finding in found:
        assert finding["line"] == line_of(COMPUTING, route.rpartition("/")[2])
        assert finding["call"] is None

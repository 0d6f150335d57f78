"""A callback of the loop awaits nothing: its remedy is one that can be typed into it. The twins have it typed in."""

import pytest

pytest.importorskip("fastapi")

APP = """
import asyncio
import threading
import time

from fastapi import FastAPI

app = FastAPI()


def after():
    pass


class Slow(asyncio.Protocol):
    def data_received(self, data):
        time.sleep(0.15)


class Mended(asyncio.Protocol):
    def data_received(self, data):
        asyncio.get_running_loop().call_later(0.15, after)


class Greeting(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(b"x")


async def greeted(protocol):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Greeting, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(protocol, *server.sockets[0].getsockname())
    await asyncio.sleep(0.05)
    transport.close()
    server.close()


async def called(give, *given):
    give(*given)
    await asyncio.sleep(0.05)


def from_a_thread(*given):
    loop = asyncio.get_running_loop()
    threading.Thread(target=loop.call_soon_threadsafe, args=given).start()


def done(function):
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: function())
    future.set_result(1)


def later(*given):
    asyncio.get_running_loop().call_later(0.01, *given)


def mended():
    asyncio.get_running_loop().call_later(0.15, after)


@app.get("/bad/threadsafe")
async def bad_threadsafe():
    await called(from_a_thread, time.sleep, 0.15)


@app.get("/good/threadsafe")
async def good_threadsafe():
    await called(from_a_thread, mended)


@app.get("/bad/later")
async def bad_later():
    await called(later, time.sleep, 0.15)


@app.get("/good/later")
async def good_later():
    await called(later, mended)


@app.get("/bad/done")
async def bad_done():
    await called(done, lambda: time.sleep(0.15))


@app.get("/good/done")
async def good_done():
    await called(done, mended)


@app.get("/bad/protocol")
async def bad_protocol():
    await greeted(Slow)


@app.get("/good/protocol")
async def good_protocol():
    await greeted(Mended)
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
    with TestClient(app) as client:
        client.get(path)
"""
LATER = "asyncio.get_running_loop().call_later(seconds, f), with what comes after the sleep in f"
TASK = "asyncio.create_task(...) of an async def with await asyncio.sleep(...)"
NAMES = ("threadsafe", "later", "done", "protocol")


def run(pytester, *options, how="bad", names=NAMES):
    pytester.makepyfile(api=APP, test_api=TESTS.replace("{paths}", str([f"/{how}/{name}" for name in names])))
    return pytester.runpytest_subprocess("-p", "no:randomly", "-v", *options)


def told(result, row="instead"):
    return [line[10:] for line in result.stdout.lines if line.startswith(f"  {row:<7} ")]


def test_a_callback_is_not_told_to_await(pytester):
    result = run(pytester)
    result.assert_outcomes(failed=len(NAMES), passed=len(NAMES))  # without --noblock the clients are not watched
    assert told(result) == [f"{LATER}, or {TASK}"] * len(NAMES)


def test_a_callback_of_a_watched_test_is_not_told_to_await(pytester):
    names = NAMES[1:]  # whose step the first is, the test's or the app's, nobody knows there: it is unsettled
    result = run(pytester, "--noblock", "-k", "test_client", names=names)
    result.assert_outcomes(failed=len(names))
    assert told(result) == [f"{LATER}, or {TASK}"] * len(names)


def test_the_remedy_typed_in_is_green(pytester):
    run(pytester, "--noblock", how="good").assert_outcomes(passed=2 * len(NAMES))


def test_a_sweep_tells_the_same_and_its_twins_are_green(pytester):
    result = run(pytester, "--noblock-sweep=api:app")
    result.assert_outcomes(failed=len(NAMES), passed=len(NAMES))
    assert told(result) == [f"{LATER}, or {TASK}"] * len(NAMES)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_where_no_line_is_known_the_words_to_search_for_are_told(pytester, loop):
    pytest.importorskip(loop)
    result = run(pytester, "-k", "fixture", "-o", f"noblock_loop={loop}", names=["threadsafe"])
    assert told(result) == [f"{LATER}, or {TASK}"]
    (by,) = told(result, "by")
    assert by == (
        "time.sleep in the app itself; its line is not known: the loop called it, so search for time.sleep given to"
        " call_soon, call_soon_threadsafe, call_later, call_at or add_done_callback"
    )

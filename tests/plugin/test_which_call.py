"""Of the calls of a line the one that was seen to block is named, also where only the running frame knows it."""

import json

import pytest

pytest.importorskip("fastapi")

API = """
    import contextlib
    import queue
    import threading
    import time

    from fastapi import FastAPI


    def make():
        app = FastAPI()
        app.state.tokens = queue.Queue()
        event = threading.Event()
        tokens = app.state.tokens

        @app.get("/two-calls")
        async def two_calls():
            time.sleep(0.001), event.wait(0.08)

        @app.get("/closure")
        async def closure():
            try:
                return tokens.get(timeout=0.08)
            except queue.Empty:
                return None

        lock = threading.Lock()
        lock.acquire()

        @app.get("/lock")
        async def taken():
            return lock.acquire(timeout=0.08)

        @app.get("/state")
        async def state():
            try:
                return app.state.tokens.get(timeout=0.08)
            except queue.Empty:
                return None

        @app.get("/stack")
        async def stack():
            with contextlib.ExitStack() as stack:  # time.sleep(
                stack.callback(time.sleep, 0.08)

        @app.get("/async-stack")
        async def async_stack():
            async with contextlib.AsyncExitStack() as stack:  # time.sleep(
                stack.callback(time.sleep, 0.08)

        return app
"""
SUITE = """
    import api
    import pytest
    from fastapi.testclient import TestClient

    app = api.make()

    @pytest.fixture
    def noblock_app():
        return app

    both = pytest.mark.parametrize("path", ["two-calls", "closure", "state", "lock", "stack", "async-stack"])

    @both
    def test_fixture(noblock, path):
        noblock.get("/" + path)

    @both
    def test_client(path):
        TestClient(app).get("/" + path)
"""
CALLS = {
    "two-calls": "threading.Event.wait",
    "closure": "queue.Queue.get",
    "state": "queue.Queue.get",
    "lock": "threading.Lock.acquire",
    "stack": "time.sleep",
    "async-stack": "time.sleep",
}


def test_the_call_that_was_seen_to_block_is_named(pytester):
    pytester.makepyfile(api=API, test_api=SUITE)
    result = pytester.runpytest_subprocess("--noblock", "--noblock-report=out.json", "-p", "no:randomly")
    result.assert_outcomes(failed=2 * len(CALLS))
    checks = json.loads(pytester.path.joinpath("out.json").read_text(encoding="utf-8"))["checks"]
    for check in checks:
        (finding,) = check["findings"]
        assert finding["call"].replace("()", "") == CALLS[check["route"].strip("/")], check["id"]
        assert f"{finding['call'].rpartition('.')[2]}(" in finding["code"]
    result.stdout.fnmatch_lines(
        ["  why     waiting in threading.Event.wait: *", "  why     waiting in queue.Queue.get: *"]
    )

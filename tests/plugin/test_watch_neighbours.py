"""Existing tests beside other plugins, tracers and clocks: the twins are told apart, and nothing stands still."""

import sys
import threading

import pytest

TWINS = """
import sys
import time

import pytest
from fastapi.testclient import TestClient
from shop import app

def test_blocks():
    TestClient(app).get("/blocks")

def test_awaits():
    TestClient(app).get("/awaits")
"""


@pytest.fixture
def told_apart(shop):
    def told_apart(tests: str, *options: str) -> pytest.RunResult:
        shop.makepyfile(test_suite=tests)
        result = shop.runpytest("--noblock", *options)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["GET /blocks blocked the event loop * ms (limit 50 ms)"])
        result.stdout.fnmatch_lines(["*by      shop.py:17 in blocks", "2 requests watched in 2 tests"])
        result.stdout.no_fnmatch_line("*INTERNALERROR*")
        return result

    return told_apart


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_beside_pytest_timeout(told_apart, method):
    pytest.importorskip("pytest_timeout")
    told_apart(TWINS, "--timeout=60", f"--timeout-method={method}")


def test_a_test_that_times_out_is_red_for_that(shop):
    pytest.importorskip("pytest_timeout")
    shop.makepyfile(test_suite=TWINS + "\ndef test_hangs():\n    TestClient(app).get('/awaits')\n    time.sleep(30)\n")
    result = shop.runpytest("--noblock", "--timeout=2", "--timeout-method=signal")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["3 requests watched in 3 tests"])


@pytest.fixture
def kept_tracer():
    """The inner run's coverage takes the place of the one that this run may be under."""
    before = sys.gettrace(), threading.gettrace()
    yield
    sys.settrace(before[0])
    threading.settrace(before[1])


@pytest.mark.every_python
@pytest.mark.parametrize("core", ["ctrace", "pytrace", "sysmon"])
def test_beside_coverage_with_branches(told_apart, monkeypatch, kept_tracer, core):
    pytest.importorskip("pytest_cov")
    if core == "sysmon" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring is from 3.12 on")
    monkeypatch.setenv("COVERAGE_CORE", core)
    branch = () if core == "sysmon" and sys.version_info < (3, 14) else ("--cov-branch",)
    result = told_apart(TWINS, "--cov=shop", *branch, "--cov-report=term-missing")
    (line,) = [line for line in result.outlines if line.startswith("shop.py")]
    missing = line.split("%")[1].replace(",", " ").split()
    assert not {"16", "17", "18"} & set(missing), line


DEBUGGER = TWINS.replace(
    "def test_blocks():",
    """@pytest.fixture(autouse=True)
def debugger():
    def tracer(frame, event, argument):
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    yield
    kept = sys.gettrace()
    sys.settrace(before)
    assert kept is tracer

def test_blocks():""",
)


@pytest.mark.every_python
def test_under_a_debugger(told_apart):
    told_apart(DEBUGGER)


CLOCKS = {
    "freezegun": "freezegun.freeze_time('2020-01-01')",
    "time_machine": "time_machine.travel(0, tick=False)",
}


@pytest.mark.parametrize("module", CLOCKS)
@pytest.mark.parametrize("how", ["with", pytest.param("fixture", marks=pytest.mark.one_python)])
def test_while_the_clock_stands_still(told_apart, module, how):
    """The repaired twin awaits a worker thread: an event loop whose clock is frozen has no timers."""
    pytest.importorskip(module)
    head = f"import {module}\nimport asyncio\n"
    app = "\n@app.get('/works')\nasync def works():\n    await asyncio.to_thread(sorted, [])\n"
    if how == "with":
        tests = TWINS.replace("    TestClient", f"    with {CLOCKS[module]}:\n        TestClient")
    else:
        tests = TWINS + f"\n@pytest.fixture(autouse=True)\ndef frozen():\n    with {CLOCKS[module]}:\n        yield\n"
    told_apart(head + tests.replace("/awaits", "/works") + app, "--timeout=60")


@pytest.mark.one_python
@pytest.mark.parametrize("clock", ["monotonic", "perf_counter", "perf_counter_ns", "time", "thread_time_ns"])
def test_a_clock_that_the_test_replaces(told_apart, clock):
    stopped = f"\n@pytest.fixture(autouse=True)\ndef stopped(monkeypatch):\n    monkeypatch.setattr(time, '{clock}', lambda: 0)\n"  # noqa: E501
    app = "\n@app.get('/works')\nasync def works():\n    import asyncio\n    await asyncio.to_thread(sorted, [])\n"
    told_apart(TWINS.replace("/awaits", "/works") + stopped + app)


def test_a_clock_that_jumps_makes_no_finding(shop):
    pytest.importorskip("time_machine")
    pytest.importorskip("freezegun")
    shop.makepyfile(
        test_suite="""
        import time

        import freezegun, time_machine
        from fastapi import FastAPI
        from fastapi.testclient import TestClient

        app = FastAPI()

        @app.get("/travels")
        async def travels():
            with time_machine.travel(0) as traveller:
                traveller.shift(3600)

        @app.get("/freezes")
        async def freezes():
            with freezegun.freeze_time("2020-01-01") as frozen:
                frozen.tick(3600)

        def test_travels():
            TestClient(app).get("/travels")
            TestClient(app).get("/travels")

        def test_freezes():
            TestClient(app).get("/freezes")
            TestClient(app).get("/freezes")
        """
    )
    shop.runpytest("--noblock", "--noblock-max-block=2s").assert_outcomes(passed=2)


def test_without_the_plugin(shop):
    shop.makepyfile(test_suite=TWINS)
    shop.runpytest("-p", "no:noblock").assert_outcomes(passed=2)
    assert shop.runpytest("-p", "no:noblock", "--noblock").ret == pytest.ExitCode.USAGE_ERROR


PROFILED = """
import asyncio
import cProfile
import time

import httpx
from fastapi import FastAPI

app = FastAPI()

def step(x):
    return x + 1

@app.get("/python")
async def python():
    x, end = 0, time.thread_time() + 0.2  # some 40 ms without the profiler
    while time.thread_time() < end:
        x = step(x)

@app.get("/sleeps")
async def sleeps():
    time.sleep(0.08)

async def get(path):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await client.get(path)

def profiled(path):
    with cProfile.Profile():  # of this thread alone, on 3.11
        asyncio.run(get(path))

def test_python():
    profiled("/python")

def test_sleeps():
    profiled("/sleeps")
"""


@pytest.mark.every_python
def test_what_a_profiler_slows_down_is_a_note_and_what_it_does_not_is_red(shop):
    shop.makepyfile(test_suite=PROFILED)
    result = shop.runpytest("--noblock", "-p", "no:cov")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["GET /sleeps blocked *", "*by      test_suite.py:21 in sleeps"])
    result.stdout.fnmatch_lines(["*unsettled  cpu, *a tracer or a profiler is on, as coverage's, *not counted*"])


def test_what_is_patched_is_mocked_as_ever(shop):
    """`mock.patch` makes an AsyncMock of a coroutine function; what it makes of any other nobody can await."""
    shop.makepyfile("""
        import asyncio
        from unittest import mock

        import httpx
        import pytest
        from fastapi.testclient import TestClient
        from shop import app

        async def asked():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                return (await client.get("/awaits")).json()

        @pytest.mark.parametrize("name", ["AsyncClient.send", "ASGITransport.handle_async_request"])
        def test_it(name):
            TestClient(app).get("/awaits")
            with mock.patch(f"httpx.{name}", return_value=httpx.Response(200, json="mocked")):
                assert asyncio.run(asked()) == "mocked"
            assert isinstance(mock.create_autospec(httpx.AsyncClient).send, mock.AsyncMock)
    """)
    shop.runpytest("--noblock").assert_outcomes(passed=2)

"""A request that holds what a probe needs: red with the lines of both, green where there is enough of it."""

import pytest

from tests.burning import slowed

HOLDERS = """
import asyncio
import os
import time
from contextlib import asynccontextmanager

import aiosqlite
import anyio
import httpx
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

N = int(os.environ.get("HOLDERS_N", "1"))
HOLD_S = float(os.environ["HOLD_S"])
there = {}

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            await asyncio.sleep(HOLD_S if b"/slow" in head else 0)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

@asynccontextmanager
async def lifespan(app):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    there["url"] = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    limits = httpx.Limits(max_connections=N)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as there["client"]:
        connections = asyncio.Queue()
        for _ in range(N):
            connections.put_nowait(await aiosqlite.connect(":memory:"))
        there["connections"] = connections
        there["connection"] = await aiosqlite.connect(":memory:")
        await there["connection"].create_function("pause", 1, time.sleep)
        yield
        await there["connection"].close()
        while not connections.empty():
            await connections.get_nowait().close()
    server.close()

app = FastAPI(lifespan=lifespan)

@asynccontextmanager
async def lock_of_one():
    async with lock:
        yield

lock = asyncio.Lock()
semaphore = asyncio.Semaphore(N)
limiter = anyio.CapacityLimiter(N)
anyio_lock = anyio.Lock()
ready = asyncio.Event()
ready.set()

@app.get("/lock/{how}")
async def with_lock(how):
    async with lock:  # waits lock
        if how == "slow":
            await asyncio.sleep(HOLD_S)  # holds lock

@app.get("/semaphore/{how}")
async def with_semaphore(how):
    async with semaphore:  # waits semaphore
        if how == "slow":
            await asyncio.sleep(HOLD_S)  # holds semaphore

@app.get("/limiter/{how}")
async def with_limiter(how):
    async with limiter:  # waits limiter
        if how == "slow":
            await asyncio.sleep(HOLD_S)  # holds limiter

@app.get("/anyio/{how}")
async def with_anyio_lock(how):
    async with anyio_lock:  # waits anyio
        if how == "slow":
            await asyncio.sleep(HOLD_S)  # holds anyio

@app.get("/event/{how}")
async def with_event(how):
    if how == "slow":
        ready.clear()
        await asyncio.sleep(HOLD_S)  # holds event
        ready.set()
    await ready.wait()  # waits event

@app.get("/pool/{how}")
async def with_pool(how):
    connection = await there["connections"].get()  # waits pool
    await connection.execute("select 1")
    if how == "slow":
        await asyncio.sleep(HOLD_S)  # holds pool
    there["connections"].put_nowait(connection)

@app.get("/sqlite/{how}")
async def with_sqlite(how):
    query = f"select pause({HOLD_S})" if how == "slow" else "select 1"
    await there["connection"].execute(query)  # holds sqlite  # waits sqlite

@app.get("/httpx/{how}")
async def with_client(how):
    await there["client"].get(f"{there['url']}/{how}")  # holds httpx  # waits httpx

@app.get("/wait-for/{how}")
async def with_timeout(how):
    await asyncio.wait_for(lock.acquire(), 60)  # waits wait-for
    if how == "slow":
        await asyncio.sleep(HOLD_S)  # holds wait-for
    lock.release()

@app.get("/gives-up-soon/{how}")
async def gives_up_soon(how):
    async with asyncio.timeout(0.01):
        await lock.acquire()
    if how == "slow":
        await asyncio.sleep(HOLD_S)
    lock.release()

@app.get("/gather/{how}")
async def with_gather(how):
    await asyncio.gather(lock.acquire(), asyncio.sleep(0))  # waits gather
    if how == "slow":
        await asyncio.sleep(HOLD_S)  # holds gather
    lock.release()

@app.get("/wait/{how}")
async def with_wait(how):
    await asyncio.wait([asyncio.create_task(lock.acquire())])  # waits wait
    if how == "slow":
        await asyncio.sleep(HOLD_S)  # holds wait
    lock.release()

@app.get("/group/{how}")
async def with_group(how):
    async with asyncio.TaskGroup() as group:  # waits group
        group.create_task(lock.acquire())
    if how == "slow":
        await asyncio.sleep(HOLD_S)  # holds group
    lock.release()

@app.get("/anyio-group/{how}")
async def with_anyio_group(how):
    async with anyio.create_task_group() as group:  # waits anyio-group
        group.start_soon(lock.acquire)
    if how == "slow":
        await asyncio.sleep(HOLD_S)  # holds anyio-group
    lock.release()

@app.get("/nothing/{how}")
async def nothing(how):
    await asyncio.sleep(HOLD_S if how == "slow" else 0.06)

@app.get("/short/{how}")
async def short(how):
    async with lock:
        await asyncio.sleep(0.02 if how == "slow" else 0)

@app.get("/away/{how}")
async def away(how):
    async with lock:
        pass
    await asyncio.sleep(HOLD_S if how == "slow" else 0)
"""
BEHIND = """
async def passing(request, call_next):
    return await call_next(request)

app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
"""
KINDS = {
    "lock": "asyncio.Lock",
    "semaphore": "asyncio.Semaphore",
    "limiter": "anyio.CapacityLimiter",
    "anyio": "anyio.Lock",
    "event": "asyncio.Event",
    "pool": "asyncio.Queue",
    "sqlite": "aiosqlite.Connection",
    "httpx": "httpcore.AsyncConnectionPool",
    "wait-for": "asyncio.Lock",
    "gather": "asyncio.Lock",
    "wait": "asyncio.Lock",
    "group": "asyncio.Lock",
    "anyio-group": "asyncio.Lock",
}
BOTH = """
def test_it(noblock):
    check = noblock.check("GET", "/{name}/slow", probe="/{name}/fast")
    (found,) = check.findings
    assert check.outcome == "failed"
    assert (found.kind, found.file, found.line) == ("contention", "holders.py", {holds})
    assert (found.waiter.file, found.waiter.line) == ("holders.py", {waits})
    assert " for {what}, " in found.reason
    assert {{each.path: each.waited for each in check.probes}}["the event loop"] == 0
"""


def line_of(what: str) -> int:
    (line,) = [n for n, text in enumerate(HOLDERS.strip().splitlines(), 1) if f"# {what} " in f"{text} "]
    return line


@pytest.fixture
def run_holders(pytester, monkeypatch):
    def run_holders(test: str, *options: str, n: int = 1, more: str = "") -> pytest.RunResult:
        monkeypatch.setenv("HOLDERS_N", str(n))
        monkeypatch.setenv("HOLD_S", str(slowed(0.25)))  # what the machine itself keeps waiting is not counted
        pytester.makepyfile(holders=HOLDERS + more, test_it=test)
        return pytester.runpytest("--noblock-app=holders:app", *options)

    return run_holders


ASYNCIOS = [name for name, what in KINDS.items() if what.startswith("asyncio.")]  # CPython's own: on each Python


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ASYNCIOS else pytest.mark.one_python) for name in KINDS]
)
def test_both_lines_and_what_was_held_are_named(run_holders, name):
    lines = {"holds": line_of(f"holds {name}"), "waits": line_of(f"waits {name}")}
    run_holders(BOTH.format(name=name, what=KINDS[name], **lines)).assert_outcomes(passed=1)


@pytest.mark.one_python
def test_behind_a_middleware_that_runs_the_app_in_a_task_of_its_own(run_holders):
    lines = {"holds": line_of("holds lock"), "waits": line_of("waits lock")}
    test = BOTH.format(name="lock", what="asyncio.Lock", **lines)
    run_holders(test, more=BEHIND).assert_outcomes(passed=1)


@pytest.mark.one_python
@pytest.mark.parametrize("name", ["semaphore", "limiter", "pool", "httpx"])
def test_with_ten_of_it_nobody_waits(run_holders, name):
    test = f"def test_it(noblock):\n    noblock.get('/{name}/slow', probe='/{name}/fast')"
    run_holders(test, n=10).assert_outcomes(passed=1)


@pytest.mark.one_python
@pytest.mark.parametrize("name", ["nothing", "short", "away"])
def test_who_holds_nothing_or_not_for_long_is_green(run_holders, name):
    test = f"def test_it(noblock):\n    noblock.get('/{name}/slow', probe='/{name}/fast')"
    run_holders(test).assert_outcomes(passed=1)


@pytest.mark.one_python
def test_a_probe_of_something_else_feels_nothing(run_holders):
    run_holders("def test_it(noblock):\n    noblock.get('/lock/slow', probe='/semaphore/fast')").assert_outcomes(
        passed=1
    )


@pytest.mark.one_python
def test_a_probe_that_gives_up_before_it_has_waited_for_long_is_red_as_well(run_holders):
    result = run_holders("def test_it(noblock):\n    noblock.get('/gives-up-soon/slow', probe='/gives-up-soon/fast')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the probe GET /gives-up-soon/fast answered 500: *"])


def test_the_failure_says_who_held_what_and_who_waited(run_holders):
    result = run_holders("def test_it(noblock):\n    noblock.get('/lock/slow', probe='/lock/fast')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "GET /lock/slow kept others waiting * ms (limit 50 ms)",
            f"  by      holders.py:{line_of('holds lock')} in with_lock",
            "              await asyncio.sleep(HOLD_S)  # holds lock",
            f"  waiter  holders.py:{line_of('waits lock')} in with_lock",
            "              async with lock:  # waits lock",
            "  why     GET /lock/fast waited * ms for asyncio.Lock, until the request let go of it; *",
            "  harm    * of * probes of GET /lock/fast waited, worst * ms (alone * ms)",
            "  harm    the event loop itself went on: * turns meanwhile, the latest * ms late",
            "  instead move this await out of the block that holds the Lock, before or behind it, or one for *",
        ]
    )


@pytest.mark.one_python
def test_the_report_carries_both_lines(run_holders, pytester):
    import json

    run_holders("def test_it(noblock):\n    noblock.get('/lock/slow', probe='/lock/fast')", "--noblock-report=r.json")
    checks = json.loads((pytester.path / "r.json").read_text())["checks"]
    (check,) = [each for each in checks if each["request"] != "LIFESPAN"]
    (found,) = check["findings"]
    assert (found["kind"], found["line"]) == ("contention", line_of("holds lock"))
    assert found["waiter"] == {
        "file": "holders.py",
        "line": line_of("waits lock"),
        "function": "with_lock",
        "code": "async with lock:  # waits lock",
    }


def test_nothing_of_ours_stays_on_the_loop(run_holders):
    run_holders(
        """
        def test_it(noblock):
            noblock.check("GET", "/lock/slow", probe="/lock/fast")
            loop = noblock._checker._app.call(running, timeout_s=5)
            assert "call_soon" not in vars(loop)
            assert loop._selector.detector is None

        async def running():
            import asyncio
            return asyncio.get_running_loop()
        """
    ).assert_outcomes(passed=1)

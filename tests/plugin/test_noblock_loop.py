"""`noblock_loop`: the fixture and the sweep run the app on the loop of production."""

import json
import re

import pytest

API = """
import asyncio, contextlib, re, sys, time
import anyio
from fastapi import BackgroundTasks, FastAPI, Request
from starlette.responses import StreamingResponse

@contextlib.asynccontextmanager
async def lifespan(app):
    async with anyio.create_task_group() as group:
        yield {"group": group}
        group.cancel_scope.cancel()

app = FastAPI(lifespan=lifespan)

@app.get("/runs-on")
async def runs_on():
    try:
        loop = type(asyncio.get_running_loop()).__mro__
    except RuntimeError:
        return "trio" if sys.modules["trio"].lowlevel.current_task() else ""
    return "uvloop" if any("uvloop" in each.__module__ for each in loop) else "asyncio"

@app.get("/endpoint/{bad}")
async def endpoint(bad: bool):
    await anyio.sleep(0.01)
    if bad:
        time.sleep(0.08)  # endpoint
    await anyio.sleep(0.01)

@app.get("/stream/{bad}")
async def stream(bad: bool):
    async def parts():
        yield "a"
        await anyio.sleep(0.01)
        if bad:
            time.sleep(0.08)  # stream
        yield "b"
    return StreamingResponse(parts())

async def late(bad):
    await anyio.sleep(0.05)
    if bad:
        time.sleep(0.08)  # late

@app.get("/background/{bad}")
async def background(tasks: BackgroundTasks, bad: bool):
    tasks.add_task(late, bad)

@app.get("/left/{bad}")
async def left(request: Request, bad: bool):
    request.state.group.start_soon(late, bad)

def keep(bad):
    if bad:
        re.match("(a+)+$", "a" * 23 + "b")  # keep
    else:
        time.sleep(0.1)

@app.get("/gil/{bad}")
async def gil(bad: bool):
    await anyio.to_thread.run_sync(keep, bad)

def work(bad):
    if bad:
        time.sleep(0.08)  # work

@app.get("/later/{bad}")
async def later(bad: bool):
    asyncio.get_running_loop().call_later(0.02, work, bad)

@app.get("/soon/{bad}")
async def soon(bad: bool):
    asyncio.get_running_loop().call_soon(work, bad)

@app.get("/done/{bad}")
async def done(bad: bool):
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: work(bad))
    future.set_result(None)

locks = {}

@app.get("/holds/{bad}")
async def holds(bad: bool):
    async with locks.setdefault(bad, asyncio.Lock()):
        for _ in range(80):  # turns of the loop, in which it is free, however late a busy machine makes each of them
            await anyio.sleep(0.005)  # holds

@app.get("/wants")
async def wants():
    async with locks.setdefault(True, asyncio.Lock()):
        return None

@app.get("/forever")
async def forever():
    await anyio.sleep(60)  # forever
"""
TESTS = """
import pytest

@pytest.mark.parametrize("kind", {kinds})
@pytest.mark.parametrize("bad", [True, False])
def test_twins(noblock, kind, bad):
    noblock.get(f"/{{kind}}/{{bad}}")

def test_loop(noblock):
    assert noblock.get("/runs-on").json() == {loop!r}

def test_stuck(noblock):
    noblock.get("/forever", timeout=0.5)
"""
EVERYWHERE = {"endpoint": "endpoint", "stream": "parts", "late": "late"}
"""The marks of the lines, and their functions."""
KINDS = ["endpoint", "stream", "background", "left"]
BARE = ["later", "soon", "done"]
HEADS = {
    "uvloop": "noblock: the fixture runs apps on uvloop (not seen on it: what a protocol with `__slots__` does; the "
    "steps of one turn are not added up)",
    "trio": "noblock: the fixture runs apps on trio, as a guest of asyncio's loop (not seen on it: `pool-starved`, "
    "`contention`)",
}


def line_of(mark):
    return next(number for number, text in enumerate(API.strip().splitlines(), 1) if text.endswith(f"# {mark}"))


@pytest.fixture
def on(pytester):
    """Run tests of the app on a loop; returns the result and the report."""
    pytester.makepyfile(api=API)

    def run(loop, *options, **tests):
        pytest.importorskip(loop)
        pytester.makeini(f"[pytest]\nnoblock_loop = {loop}\nnoblock_app = api:app\nnoblock_scope = module\n")
        pytester.makepyfile(**tests)
        result = pytester.runpytest("--noblock-report=r.json", "-p", "no:randomly", *options)
        return result, json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))

    return run


@pytest.mark.every_python
@pytest.mark.parametrize(("loop", "kinds"), [("uvloop", KINDS + BARE), ("trio", KINDS)], ids=["uvloop", "trio"])
def test_the_twins_are_told_apart_and_the_loop_is_named(on, loop, kinds):
    result, report = on(loop, test_it=TESTS.format(kinds=kinds, loop=loop))
    result.assert_outcomes(passed=len(kinds) + 1, failed=len(kinds) + 1)
    result.stdout.fnmatch_lines([HEADS[loop].replace("[", "[[]")])
    assert report["environment"]["loop"] == loop
    found = {
        (check["request"], each["kind"], each["file"], each["line"], each["function"], each["phase"])
        for check in report["checks"]
        for each in check["findings"]
    }
    marks = {"endpoint": "endpoint", "stream": "stream", "background": "late", "left": "late"}
    functions = {"endpoint": "endpoint", "stream": "parts", "late": "late", "work": "work"}
    phases = {"background": "background", "endpoint": "handler", "stream": "handler"}
    expected = set()
    for kind in kinds:
        mark = marks.get(kind, "work")
        phase = phases.get(kind, "detached")
        expected.add((f"GET /{kind}/True", "sync-io", "api.py", line_of(mark), functions[mark], phase))
    assert found == expected
    result.stdout.fnmatch_lines(
        [f"GET /forever did not answer within 0.5 s (timeout=0.5), it sits at api.py:{line_of('forever')} in forever*"]
    )


GIL = """
import pytest

@pytest.mark.parametrize("bad", [True, False])
def test_gil(noblock, bad):
    noblock.get(f"/gil/{bad}")

@pytest.mark.parametrize("bad", [True, False])
def test_lock(noblock, bad):
    noblock.get(f"/holds/{bad}", probe="/wants")
"""


def test_on_uvloop_a_thread_that_keeps_the_gil_is_seen_and_a_lock(on):
    result, report = on("uvloop", test_it=GIL)
    result.assert_outcomes(passed=2, failed=2)
    found = {(each["kind"], each["line"]) for check in report["checks"] for each in check["findings"]}
    assert found == {("gil", line_of("keep")), ("contention", line_of("holds"))}


def test_on_trio_a_wait_that_is_not_seen_is_said(on):
    trio_locks = API.replace("asyncio.Lock()", "anyio.Lock()")
    result, report = on("trio", "-k", "not gil", api=trio_locks, test_it=GIL)
    result.assert_outcomes(passed=2)
    notes = {check["id"].rpartition("[")[2]: "".join(map(str, check["notes"])) for check in report["checks"]}
    assert re.search(
        r"a probe of GET /wants waited \d+ ms while the loop was free; on trio it is not seen", notes["True]"]
    )
    assert "on trio" not in notes["False]"]


def test_the_sweep_runs_the_app_on_it_as_well(pytester):
    pytest.importorskip("trio")
    pytester.makepyfile(api=API)
    options = ("--noblock-param=bad=true", "--noblock-include=/endpoint/*", "--noblock-report=r.json")
    result = pytester.runpytest("--noblock-sweep=api:app", *options, "-onoblock_loop=trio")
    report = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))
    result.stdout.fnmatch_lines([f"*by      api.py:{line_of('endpoint')} in endpoint"])
    assert report["environment"]["loop"] == "trio"


@pytest.mark.one_python
def test_a_loop_that_is_not_installed_is_a_usage_error(pytester, refused, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    pytester.makeini("[pytest]\nnoblock_loop = trio\n")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    refused(result, "noblock_loop = trio, but trio is not installed: pip install trio")


@pytest.mark.one_python
def test_an_app_that_cannot_be_stopped_on_trio_is_told_with_its_line(pytester, monkeypatch):
    pytest.importorskip("trio")
    from pytest_noblock.engine.asgi import closing

    monkeypatch.setattr(closing, "CLOSE_S", 0.2)
    pytester.makeini("[pytest]\nnoblock_loop = trio\n")
    pytester.makepyfile(
        """
        import anyio, pytest

        async def app(scope, receive, send):
            if scope["type"] == "http":
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(5)  # sits

        @pytest.fixture
        def noblock_app():
            return app

        def test_it(noblock):
            noblock.get("/", timeout=0.3)
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["the app cannot be stopped: a task of it did not end within 0.2 s *, it sits at test_*.py:6 in app"]
    )

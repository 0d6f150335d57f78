"""Steps that add up within a turn of the loop, that a request leaves behind, that no request owns: in every mode.

Each route has a bad and a good twin. Each is asked for by the fixture, by TestClient and by AsyncClient.
"""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.burning import rows

pytestmark = pytest.mark.every_python

API = """
import asyncio
import contextvars
import json
import threading
import time
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

BURN = [list(range(1000))] * {rows}

async def take(queue):
    while True:
        bad, answer = await queue.get()
        if bad:
            time.sleep(0.12)  # worker
        else:
            await asyncio.sleep(0.06)
        if answer is not None:
            answer.set_result(None)

@asynccontextmanager
async def lifespan(app):
    app.state.queue = asyncio.Queue()
    worker = asyncio.create_task(take(app.state.queue))
    yield
    worker.cancel()

app = FastAPI(lifespan=lifespan)

async def piece(bad):
    if not bad:
        await asyncio.sleep(0)
    time.sleep(0.02)  # piece

@app.get("/gather/{how}")
async def gather(how: str):
    if how == "bad":
        await asyncio.gather(*(piece(True) for _ in range(5)))
    else:
        for _ in range(5):
            await piece(False)

async def shorter():
    time.sleep(0.04)  # shorter

async def longer():
    time.sleep(0.06)  # longer

@app.get("/mixed/{how}")
async def mixed(how: str):
    if how == "bad":
        await asyncio.gather(shorter(), longer())

@app.get("/callbacks/{how}")
async def callbacks(how: str):
    done = asyncio.Event()
    left = [250 if how == "bad" else 25]
    def burn():
        json.dumps(BURN)  # burns
        left[0] -= 1
        if not left[0]:
            done.set()
    for _ in range(left[0]):
        asyncio.get_running_loop().call_soon(burn)
    await done.wait()

@app.get("/chunks/{how}")
async def chunks(how: str):
    async def parts():
        for _ in range(5):
            time.sleep(0.02)  # chunk
            yield b"x"
            if how == "good":
                await asyncio.sleep(0)
    return StreamingResponse(parts())

@app.get("/fire/{how}")
async def fire(how: str):
    async def forgotten():
        await asyncio.sleep(0.02)
        if how == "bad":
            time.sleep(0.12)  # forgotten
    app.state.forgotten = asyncio.create_task(forgotten())

@app.get("/later/{how}")
async def later(how: str):
    def tick():
        if how == "bad":
            time.sleep(0.12)  # tick
    asyncio.get_running_loop().call_later(0.005, tick)

@app.get("/far")
async def far():
    def tick():
        pass
    async def forgotten():
        await asyncio.sleep(30)  # far
    asyncio.get_running_loop().call_later(30, tick)
    app.state.forgotten = asyncio.create_task(forgotten())

@app.get("/queue/{how}")
async def queue(how: str):
    answer = asyncio.get_running_loop().create_future()
    await app.state.queue.put((how == "bad", answer))
    await answer

@app.get("/feed/{how}")
async def feed(how: str):
    app.state.queue.put_nowait((how == "bad", None))

@app.get("/thread/{how}")
async def thread(how: str):
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    def called():
        if how == "bad":
            time.sleep(0.3)  # called
        answer.set_result(None)
    threading.Thread(target=loop.call_soon_threadsafe, args=(called,)).start()
    await answer

@app.get("/context/{how}")
async def context(how: str):
    async def alone():
        if how == "bad":
            time.sleep(0.3)  # alone
    await asyncio.get_running_loop().create_task(alone(), context=contextvars.Context())

@app.get("/timer/{how}")
async def timer(how: str):
    pause = 0.3 if how == "bad" else 0.001
    asyncio.get_running_loop().call_later(0.01, time.sleep, pause, context=contextvars.Context())
    await asyncio.sleep(0.05)

class Bye:
    def __init__(self, how):
        self.how = how
    def __del__(self):
        if self.how == "bad":
            time.sleep(0.3)  # __del__

@app.get("/result/{how}")
async def result(how: str):
    await asyncio.to_thread(Bye, how)
"""

TESTS = """
import asyncio
import httpx, pytest, pytest_asyncio
from asgi_lifespan import LifespanManager
from fastapi.testclient import TestClient
from api import app

def both(*names):
    return pytest.mark.parametrize("path", [f"/{name}/{how}" for name in names for how in ("bad", "good")])

EVERYWHERE = ["gather", "mixed", "callbacks", "chunks", "queue"]

@pytest.fixture(scope="module")
def noblock_app():
    return app

@both(*EVERYWHERE, "fire", "later", "feed", "thread", "context", "timer", "result")
def test_fixture(noblock, path):
    noblock.get(path)

def test_fixture_far(noblock):
    noblock.get("/far", warmup=False)

def test_client_far():
    TestClient(app).get("/far")

@pytest.mark.asyncio
async def test_async_far():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        await client.get("/far")

@both(*EVERYWHERE, "thread", "context", "timer", "result")
def test_client(path):
    if "queue" in path:
        with TestClient(app) as client:
            client.get(path)
    else:
        TestClient(app).get(path)

@both(*EVERYWHERE, "thread", "context", "timer", "result")
@pytest.mark.asyncio
async def test_async(path):
    transport = httpx.ASGITransport(app)
    async with LifespanManager(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        await client.get(path)

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared():
    transport = httpx.ASGITransport(app)
    async with LifespanManager(app), httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        yield client

@pytest.mark.asyncio(loop_scope="module")
async def test_starter(shared):
    await shared.get("/feed/bad")
    await asyncio.sleep(0.02)

@pytest.mark.asyncio(loop_scope="module")
async def test_second(shared):
    await shared.get("/feed/bad")
    await asyncio.sleep(0.02)

@pytest.mark.asyncio(loop_scope="module")
async def test_third(shared):
    await shared.get("/feed/good")
    await asyncio.sleep(0.08)

def test_nobody():
    with TestClient(app) as client:
        client.portal.call(app.state.queue.put, (True, None))
        client.portal.call(asyncio.sleep, 0.01)
"""

OPTIONS = ("--noblock", "--noblock-report=report.json", "-v", "-p", "no:cacheprovider", "-p", "no:randomly")
CLIENTS = ("fixture", "client", "async")


class Ran:
    """One run of all the tests above, in a process of its own."""

    def __init__(self, folder):
        folder.joinpath("api.py").write_text(API.replace("{rows}", str(rows(100) // 250 + 1)), encoding="utf-8")
        folder.joinpath("test_api.py").write_text(TESTS, encoding="utf-8")
        folder.joinpath("pytest.ini").write_text("[pytest]\nnoblock_scope = module\n", encoding="utf-8")
        command = [sys.executable, "-m", "pytest", *OPTIONS]
        env = os.environ | {"PYTEST_ADDOPTS": ""}  # CI's are for the suite around it: workers
        self.text = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=env).stdout
        report = folder.joinpath("report.json").read_text(encoding="utf-8")
        self.checks = {self._key(check): check for check in json.loads(report)["checks"]}

    def _key(self, check):
        """Client and path of a check."""
        client = check["id"].partition("::test_")[2].partition("[")[0].removesuffix("_far")
        return client, check["request"].rpartition(" ")[2]

    def found(self, client, path):
        """Phase and comment of the line of each finding."""
        lines = API.splitlines()
        findings = self.checks[client, path]["findings"]
        return [(each["phase"], lines[each["line"] - 1].rpartition("# ")[2]) for each in findings]

    def outcome(self, client, path):
        return self.checks[client, path]["outcome"]

    def notes(self, client, path):
        return "\n".join(self.checks[client, path]["notes"])


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return Ran(tmp_path_factory.mktemp("whose"))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ["gather", "callbacks", "chunks"])
def test_what_one_request_runs_in_one_turn_adds_up(ran, client, name):
    marks = {"gather": "piece", "callbacks": "burns", "chunks": "chunk"}
    assert ran.found(client, f"/{name}/bad") == [("handler", marks[name])], ran.text
    assert ran.outcome(client, f"/{name}/good") == "passed", ran.text


@pytest.mark.parametrize("client", CLIENTS)
def test_of_several_lines_the_one_with_the_greatest_part_is_named_and_v_tells_all(ran, client):
    assert ran.found(client, "/mixed/bad") == [("handler", "longer")], ran.text
    failure = re.split(r"____ test_|= noblock =", ran.text.partition(f"test_{client}[/mixed/bad] ___")[2])[0]
    lines = [number for number, text in enumerate(API.splitlines(), 1) if text.endswith(("# shorter", "# longer"))]
    parts = re.findall(r"part +\d+ ms by api.py:(\d+) in (\w+)", failure)
    assert parts == [(str(lines[1]), "longer"), (str(lines[0]), "shorter")], failure


@pytest.mark.parametrize(("name", "mark"), [("fire", "forgotten"), ("later", "tick")])
def test_the_fixture_waits_for_what_a_request_leaves_behind(ran, name, mark):
    assert ran.found("fixture", f"/{name}/bad") == [("detached", mark)], ran.text
    assert ran.outcome("fixture", f"/{name}/good") == "passed", ran.text
    assert f"GET /{name}/bad blocked the event loop" in ran.text
    assert "in detached work (limit 50 ms)" in ran.text
    assert "left" not in ran.notes("fixture", f"/{name}/good")


@pytest.mark.parametrize(
    ("client", "ending"),
    [
        ("fixture", "still ran 1000 ms after the request (noblock_linger)"),
        ("client", "the closing loop of the test's client cancelled"),
        ("async", "still ran when the test ended"),
    ],
)
def test_what_goes_on_is_noted_with_its_line(ran, client, ending):
    line = next(number for number, text in enumerate(API.splitlines(), 1) if text.endswith("# far"))
    notes = ran.notes(client, "/far")
    assert f"GET /far left work behind, at api.py:{line} in forgotten, which {ending}" in notes
    assert f"GET /far left a timer behind, for the function at api.py:{line - 3} in tick, which was not due" in notes
    assert ran.outcome(client, "/far") == "passed"


@pytest.mark.parametrize(
    ("client", "name", "mark"),
    [
        *((client, "queue", "worker") for client in CLIENTS),
        ("fixture", "thread", "called"),
        ("fixture", "context", "alone"),
    ],
)
def test_what_no_request_owns_is_told_of_the_request_that_was_under_way(ran, client, name, mark):
    assert ran.found(client, f"/{name}/bad") == [("app", mark)], ran.text
    assert ran.outcome(client, f"/{name}/good") == "passed", ran.text
    assert f"GET /{name}/bad: the app itself blocked the event loop" in ran.text
    assert f"no step of the request's: the app ran it while GET /{name}/bad was under way" in ran.text


def test_a_worker_that_a_request_wakes_and_does_not_wait_for_is_told_of_that_request(ran):
    assert ran.found("fixture", "/feed/bad") == [("app", "worker")], ran.text
    assert ran.outcome("fixture", "/feed/good") == "passed", ran.text
    assert "no step of the request's: the app ran it right after GET /feed/bad" in ran.text


@pytest.mark.parametrize(("name", "mark"), [("thread", "called"), ("context", "alone"), ("result", "__del__")])
@pytest.mark.parametrize("client", ["client", "async"])
def test_what_no_request_owns_is_said_aloud_in_a_watched_test(ran, client, name, mark):
    """Whose it is nobody knows there: the test may have made the step."""
    line = next(number for number, text in enumerate(API.splitlines(), 1) if text.endswith(f"# {mark}"))
    held = f"api.py:{line} in {mark} held the event loop for more than 50 ms"
    note = f"while GET /{name}/bad was under way, or right after, {held}"
    assert ran.outcome(client, f"/{name}/bad") == "passed"
    assert f"unsettled: {note}, in a step that no request owns" in ran.notes(client, f"/{name}/bad"), ran.text
    assert "held the event loop" not in ran.notes(client, f"/{name}/good")
    assert f"unsettled  {note}" in ran.text


@pytest.mark.parametrize("client", ["client", "async"])
def test_so_is_a_callback_without_a_frame(ran, client):
    held = "a callback written in C held the event loop for more than 50 ms, in a step that no request owns"
    assert held in ran.notes(client, "/timer/bad"), ran.text
    assert "held the event loop" not in ran.notes(client, "/timer/good")
    assert ran.outcome("fixture", "/timer/bad") == "failed", ran.text
    assert ran.outcome("fixture", "/timer/good") == "passed", ran.text


@pytest.mark.parametrize("test", ["starter", "second"])
def test_a_worker_that_an_earlier_test_started_is_told_in_each_test(ran, test):
    assert "the app ran it while no request was under way" in ran.notes(test, "LIFESPAN"), ran.text
    assert ran.outcome(test, "/feed/bad") == "passed"
    assert ("third", "LIFESPAN") not in ran.checks


def test_what_the_app_runs_while_nobody_waits_is_a_note(ran):
    assert ran.outcome("nobody", "LIFESPAN") == "passed", ran.text
    assert "in detached" not in ran.notes("nobody", "LIFESPAN")
    assert "the app ran it while no request was under way" in ran.notes("nobody", "LIFESPAN")


EAGER = """
    import asyncio, time
    from contextlib import asynccontextmanager
    import httpx, pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    @asynccontextmanager
    async def lifespan(app):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/first")
    async def first():
        time.sleep(0.08)
        await asyncio.sleep(0.01)

    @app.get("/free")
    async def free():
        await asyncio.sleep(0.01)

    @pytest.fixture
    def noblock_app():
        return app

    paths = pytest.mark.parametrize("path", ["/first", "/free"])

    @paths
    def test_fixture(noblock, path):
        noblock.get(path)

    @paths
    def test_client(path):
        with TestClient(app) as client:
            client.get(path)

    @paths
    @pytest.mark.asyncio
    async def test_async(path):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
            sending = asyncio.create_task(client.get(path))
            time.sleep(0.08)  # the test's own, between the app's two steps
            await sending
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_what_an_eager_task_runs_before_its_first_await_is_the_requests(pytester):
    pytester.makepyfile(EAGER)
    result = pytester.runpytest("--noblock", "-p", "no:randomly")
    result.assert_outcomes(passed=3, failed=3)
    assert result.stdout.str().count("in first") == 3
    result.stdout.no_fnmatch_line("*in test_async*")

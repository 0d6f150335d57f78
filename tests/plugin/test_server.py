"""The `noblock_server` fixture: a real server, any client, judged as a watched test."""

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")

APP = """
import asyncio, time
from contextlib import asynccontextmanager
from fastapi import BackgroundTasks, FastAPI, WebSocket

started = []

@asynccontextmanager
async def lifespan(app):
    started.append("start")
    yield {"ready": True}
    started.append("stop")

app = FastAPI(lifespan=lifespan)

@app.get("/blocks")
async def blocks():
    time.sleep(0.1)

@app.get("/waits")
async def waits():
    await asyncio.sleep(0.1)

async def task(sleep):
    sleep(0.1) if sleep is time.sleep else await sleep(0.1)

@app.get("/task/blocks")
async def task_blocks(tasks: BackgroundTasks):
    tasks.add_task(task, time.sleep)

@app.get("/task/waits")
async def task_waits(tasks: BackgroundTasks):
    tasks.add_task(task, asyncio.sleep)

@app.get("/none")
async def none():
    return {}

@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    time.sleep(0.1)
    await socket.send_text("late")
    await socket.close()
"""


def test_any_client_is_watched_through_a_real_server(pytester):
    """`urllib` and a socket of the standard library: no client of ours, and none that we patch."""
    pytester.makepyfile(
        served=APP,
        test_it="""
import urllib.request
import pytest
from websockets.sync.client import connect

def get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.status

@pytest.mark.parametrize("path", ["/blocks", "/waits", "/task/blocks", "/task/waits"])
def test_get(noblock_server, path):
    assert get(noblock_server.url + path) == 200

@pytest.mark.noblock_background("task")
def test_background(noblock_server):
    get(noblock_server.url + "/task/waits")

def test_websocket(noblock_server):
    with connect(noblock_server.url.replace("http", "ws") + "/ws") as socket:
        assert socket.recv() == "late"

def test_nothing(noblock_server):
    assert noblock_server.port
""",
    )
    result = pytester.runpytest("--noblock-app=served:app", "-p", "no:randomly", "-o", "noblock_scope=module")
    result.assert_outcomes(failed=4, passed=3)
    result.stdout.fnmatch_lines(
        [
            "GET /blocks blocked the event loop 1?? ms (limit 50 ms)",
            "  by      served.py:17 in blocks",
            "GET /task/blocks blocked the event loop 1?? ms in the background (limit 50 ms)",
            "  by      served.py:24 in task",
            "WEBSOCKET /ws blocked the event loop 1?? ms (limit 50 ms)",
            "  by      served.py:41 in ws",
            "test_nothing has the noblock_server fixture, and no request reached the app: nothing was measured",
            "  send one to noblock_server.url, or take the fixture off the test",
        ]
    )


def test_the_scope_says_how_long_one_server_is_kept(pytester):
    pytester.makepyfile(
        served=APP,
        test_it="""
import urllib.request
import served

def test_one(noblock_server):
    urllib.request.urlopen(noblock_server.url + "/none").read()
    assert served.started == ["start"]

def test_two(noblock_server):
    urllib.request.urlopen(noblock_server.url + "/none").read()
    assert served.started == ["start", "stop", "start"]
    assert repr(noblock_server) == f"<noblock_server at http://127.0.0.1:{noblock_server.port}>"
""",
    )
    result = pytester.runpytest("--noblock-app=served:app", "-p", "no:randomly")
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("stage", ["start", "stop"])
def test_an_app_that_fails_its_lifespan_is_one_sentence(pytester, stage):
    pytester.makepyfile(
        f"""
import urllib.request
from contextlib import asynccontextmanager
import pytest
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    if {stage == "start"}:
        raise LookupError("no database")
    yield
    raise LookupError("no database")

@pytest.fixture
def app():
    app = FastAPI(lifespan=lifespan)
    @app.get("/none")
    async def none(): ...
    return app

def test_it(noblock_server):
    urllib.request.urlopen(noblock_server.url + "/none").read()
"""
    )
    result = pytester.runpytest()
    result.stdout.fnmatch_lines([f"the app did not {stage} under uvicorn: LookupError: no database"])
    result.assert_outcomes(**({"errors": 1} if stage == "start" else {"passed": 1, "errors": 1}))
    assert "noblock failed" not in result.stdout.str()


def test_without_uvicorn_it_says_what_to_install(pytester):
    pytester.makepyfile(
        """
import sys
import pytest

@pytest.fixture
def app(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    async def app(scope, receive, send): ...
    return app

def test_it(noblock_server): ...
"""
    )
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["noblock_server needs uvicorn (*): pip install 'pytest-noblock[[]server]'"])

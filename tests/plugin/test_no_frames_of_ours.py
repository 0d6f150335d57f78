"""What an endpoint raises is shown as without us, whatever wrapper of ours it passes: no frame of ours is in it."""

import pytest

API = """
import gc, socket, sqlite3, subprocess, time
import anyio, jinja2
from fastapi import BackgroundTasks, FastAPI

app = FastAPI(openapi_url=None)

def fails():
    raise ZeroDivisionError

@app.get("/import")
async def imports():
    import not_there

@app.get("/collect")
async def collects():
    gc.collect(7)

@app.get("/template")
async def renders():
    jinja2.Environment(loader=jinja2.DictLoader({})).get_template("none.html")

@app.get("/connect")
async def connects():
    socket.create_connection(("127.0.0.1", 1))

@app.get("/sleep")
async def sleeps():
    time.sleep("long")

@app.get("/child")
async def starts():
    subprocess.run(["/not/there"])

@app.get("/query")
async def queries():
    sqlite3.connect(":memory:").execute("select nothing")

@app.get("/thread")
async def in_thread():
    await anyio.to_thread.run_sync(fails)

@app.get("/background")
async def in_background(tasks: BackgroundTasks):
    tasks.add_task(fails)
"""
TESTS = """
import pytest
from api import app
from starlette.testclient import TestClient

ROUTES = [route.path for route in app.routes]
LOOPS = {
    "asyncio": {},
    "uvloop": {"backend_options": {"use_uvloop": True}},
    "trio": {"backend": "trio"},
}

@pytest.mark.parametrize("route", ROUTES)
def test_fails(route):
    with TestClient(app, **LOOPS["THIS"]) as client:
        client.get(route)
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "trio"])
def test_what_an_endpoint_raises_shows_no_frame_of_ours(pytester, loop):
    pytest.importorskip(loop)
    pytester.makepyfile(api=API, test_it=TESTS.replace("THIS", loop))
    result = pytester.runpytest("--noblock", "--tb=long")
    result.assert_outcomes(failed=API.count("@app.get"))
    assert "pytest_noblock/" not in result.stdout.str()

"""Watched tests that talk to a server in a thread of the test's process: the answer comes before the app is done."""

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")

SERVED = """
import asyncio, socket, threading, time
import httpx, pytest, uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()

async def blocks():
    time.sleep(0.1)

async def waits(seconds):
    await asyncio.sleep(seconds)

@app.get("/task/blocks")
async def task_blocks(tasks: BackgroundTasks):
    tasks.add_task(blocks)

@app.get("/task/waits")
async def task_waits(tasks: BackgroundTasks):
    tasks.add_task(waits, 0.1)

@app.get("/task/long")
async def task_long(tasks: BackgroundTasks):
    tasks.add_task(waits, 1.2)

entered = threading.Event()

@app.get("/slow/blocks")
async def slow_blocks():
    entered.set()
    time.sleep(0.3)

@app.get("/slow/waits")
async def slow_waits():
    entered.set()
    await asyncio.sleep(1.5)

@pytest.fixture(scope="module")
def url():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", loop="asyncio"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        httpx.get(f"http://127.0.0.1:{listening.getsockname()[1]}/openapi.json")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()
"""


def test_what_goes_on_after_the_answer_is_measured_or_said(pytester):
    pytester.makepyfile(
        SERVED
        + """
@pytest.mark.parametrize("path", ["/task/blocks", "/task/waits", "/task/long"])
def test_answered(url, path):
    assert httpx.get(url + path).status_code == 200

@pytest.mark.parametrize("path", ["/slow/blocks", "/slow/waits"])
def test_given_up(url, path):
    entered.clear()
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(url + path, timeout=0.15)
    assert entered.wait(20)
"""
    )
    result = pytester.runpytest("--noblock", "-p", "no:randomly", "-o", "noblock_linger=600ms")
    result.assert_outcomes(failed=2, passed=3)
    result.stdout.fnmatch_lines(
        [
            "GET /task/blocks blocked the event loop 1?? ms in the background (limit 50 ms)",
            "  by      *.py:9 in blocks",
            "GET /slow/blocks blocked the event loop 3?? ms (limit 50 ms)",
            "  by      *.py:31 in slow_blocks",
        ]
    )
    told = [line for line in result.outlines if "was under way when the test ended" in line]
    assert [line.split()[1:3] for line in told] == [["GET", "/task/long"], ["GET", "/slow/waits"]]

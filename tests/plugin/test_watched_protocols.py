"""What the method of a protocol does to uvloop in a watched test: no step of a request, and the watchdog sees it."""

import pytest

pytest.importorskip("uvloop")

APP = """
import asyncio, socket, time
from fastapi import FastAPI

app = FastAPI()

class Reads(asyncio.Protocol):
    def data_received(self, data):
        time.sleep(float(data))  # sleeps

@app.get("/wire/{seconds}")
async def wire(seconds: str):
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(Reads, sock=near)
    far.sendall(seconds.encode())
    await asyncio.sleep(0.02)
    transport.close()
    far.close()
"""
TESTS = """
import httpx, pytest, uvloop
from app import app
from starlette.testclient import TestClient

@pytest.mark.parametrize("seconds", [{seconds}])
def test_client(seconds):
    with TestClient(app, backend_options={{"use_uvloop": True}}) as client:
        assert client.get(f"/wire/{{seconds}}").status_code == 200

@pytest.mark.parametrize("seconds", [{seconds}])
def test_async_client(seconds):
    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(f"/wire/{{seconds}}")
    assert uvloop.run(main()).status_code == 200
"""


@pytest.mark.parametrize("seconds", ["0.3", "0.001"])
@pytest.mark.parametrize("client", ["test_client", "test_async_client"])
def test_one_that_sleeps_is_said_with_its_line_and_not_counted(pytester, seconds, client):
    pytester.makepyfile(app=APP, test_it=TESTS.format(seconds=seconds))
    result = pytester.runpytest("--noblock", "-k", client)
    result.assert_outcomes(passed=1, deselected=1)
    line = next(number for number, text in enumerate(APP.strip().splitlines(), 1) if "# sleeps" in text)
    told = f"app.py:{line} in data_received held the event loop for more than 50 ms" in result.stdout.str()
    assert told is (seconds == "0.3")

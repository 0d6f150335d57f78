"""What the method of a protocol does to uvloop in a watched test.

It is a step of whoever made the connection. Where the protocol takes no attributes, the watchdog sees that it sleeps.
"""

import json

import pytest

pytest.importorskip("uvloop")

APP = """
import asyncio, socket, time
from fastapi import FastAPI

app = FastAPI()

class Unseen(asyncio.Protocol):
    __slots__ = ("__weakref__",)

    def data_received(self, data):
        time.sleep(float(data))  # sleeps unseen

class Sleeps(asyncio.Protocol):
    def data_received(self, data):
        time.sleep(float(data))  # sleeps

class Computes(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        end = time.thread_time() + float(data)
        while time.thread_time() < end: sum(range(1000))  # computes

    def eof_received(self):
        return True

@app.get("/{kind}/{seconds}")
async def wire(kind: str, seconds: str):
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, protocol = await asyncio.get_running_loop().create_connection(
        protocol_factory=globals()[kind], sock=near
    )
    assert type(protocol) is globals()[kind]
    far.sendall(seconds.encode())
    await asyncio.sleep(0.02)
    transport.close()
    far.close()
"""
TESTS = """
import httpx, pytest, uvloop
from app import app
from starlette.testclient import TestClient

def test_client():
    with TestClient(app, backend_options={{"use_uvloop": True}}) as client:
        assert client.get("/{kind}/{seconds}").status_code == 200

def test_async_client():
    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/{kind}/{seconds}")
    assert uvloop.run(main()).status_code == 200
"""


CLIENTS = pytest.mark.parametrize("client", ["test_client", "test_async_client"])


def line_of(mark):
    return next(number for number, text in enumerate(APP.strip().splitlines(), 1) if text.endswith(f"# {mark}"))


@CLIENTS
@pytest.mark.parametrize(
    ("kind", "mark", "finding"), [("Sleeps", "sleeps", "sync-io"), ("Computes", "computes", "cpu")]
)
@pytest.mark.parametrize("seconds", ["0.3", "0.001"])
def test_a_method_is_a_step_of_the_request(pytester, kind, mark, finding, seconds, client):
    pytester.makepyfile(app=APP, test_it=TESTS.format(kind=kind, seconds=seconds))
    pytester.runpytest("--noblock", "--noblock-report=r.json", "-k", client)
    checks = json.loads((pytester.path / "r.json").read_text())["checks"]
    [check] = [each for each in checks if each["route"] == "/{kind}/{seconds}"]
    bad = [(finding, line_of(mark))] if seconds == "0.3" else []
    assert [(each["kind"], each["line"]) for each in check["findings"]] == bad
    assert check["outcome"] == ("failed" if bad else "passed")


@CLIENTS
@pytest.mark.parametrize("seconds", ["0.3", "0.001"])
def test_one_that_sleeps_unseen_is_said_with_its_line_and_not_counted(pytester, seconds, client):
    pytester.makepyfile(app=APP, test_it=TESTS.format(kind="Unseen", seconds=seconds))
    result = pytester.runpytest("--noblock", "-k", client)
    result.assert_outcomes(passed=1, deselected=1)
    place = f"app.py:{line_of('sleeps unseen')} in data_received"
    told = f"{place} held the event loop for more than 50 ms" in result.stdout.str()
    assert told is (seconds == "0.3")

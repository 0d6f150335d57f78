"""A bare ASGI app that notes what it was asked, and the apps that run for a test."""

import asyncio
import time

import pytest

from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine.frameworks.http_client import httpx


async def _lifespan(receive, send, moments):
    while True:
        message = await receive()
        stage = message["type"].rpartition(".")[2]
        moments.append(stage)
        await send({"type": f"lifespan.{stage}.complete"})
        if stage == "shutdown":
            return


class App:
    """`/awaits` and `/sleeps` for 0.1 s, `/mocked`, `/raises`; all other paths answer at once."""

    def __init__(self):
        self.calls = []
        self.cookies = []
        self.moments = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, self.moments)
            return
        self.calls.append(f"{scope['method']} {scope['path']}")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.cookies.append(headers.get("cookie"))
        await self.act(scope["path"])
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", b"n=%d" % len(self.calls))]}
        )
        await send({"type": "http.response.body", "body": b"done"})

    async def act(self, path):
        if path == "/awaits":
            await asyncio.sleep(0.1)
        elif path == "/sleeps":
            time.sleep(0.1)
        elif path == "/mocked":
            with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
                client.get("http://service/")
        elif path == "/raises":
            raise LookupError("nothing there")


@pytest.fixture
def app():
    return App()


@pytest.fixture
def apps(tmp_path):
    running = RunningApps(str(tmp_path), "full")
    yield running
    running.stop()


@pytest.fixture
def checker(apps, app):
    return apps.checker(app)

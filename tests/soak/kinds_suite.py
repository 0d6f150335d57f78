"""The suite that the soak of the twenty kinds runs: it knows nothing of noblock. `conftest` says which kinds, how often.

Copied beside `kinds_app` into a folder of its own.
"""

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi.testclient import TestClient
from kinds_app import app, starts


def test_client(turn, kind, how):
    if kind == "lifespan":
        with TestClient(starts[how]):
            return
    client = TestClient(app)
    if kind == "websocket":
        with client.websocket_connect(f"/websocket/{how}") as socket:
            socket.send_text("go")
            assert socket.receive_text() == "done"
    else:
        assert client.get(f"/{kind}/{how}").status_code == 200


def test_fixture(noblock, turn, kind, how):
    if kind not in ("websocket", "lifespan"):
        noblock.get(f"/{kind}/{how}")


@pytest.mark.asyncio
async def test_asyncio(turn, kind, how):
    await visit(kind, how)


@pytest.mark.anyio
async def test_anyio(turn, kind, how):
    await visit(kind, how)


async def visit(kind, how):
    if kind == "lifespan":
        async with LifespanManager(starts[how]):
            return
    if kind == "websocket":
        await talk(f"/websocket/{how}")
        return
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get(f"/{kind}/{how}")).status_code == 200


async def talk(path):
    """By hand: httpx speaks no websocket."""
    messages = [{"type": "websocket.receive", "text": "go"}, {"type": "websocket.connect"}]
    sent = []

    async def receive():
        return messages.pop()

    async def send(message):
        sent.append(message["type"])

    await app({"type": "websocket", "path": path, "headers": [], "query_string": b""}, receive, send)
    assert sent == ["websocket.accept", "websocket.send", "websocket.close"]

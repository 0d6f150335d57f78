"""The suite that is run for each framework; `conftest.py` beside it says which app, which client gets which kinds.

Knows nothing of noblock, but for the fixture. Each client's name is followed by its loop.
"""

import asyncio
import inspect

import httpx
import httpx2
import pytest
import trio
import uvloop
from wanted import app_module, prepared

RUNS = {
    "asyncio": lambda function, *args: asyncio.run(function(*args)),
    "uvloop": lambda function, *args: uvloop.run(function(*args)),
    "trio": trio.run,
}


def test_own(client, path):
    """The framework's own test client."""
    name, loop = client.split("@")
    call = getattr(app_module, name)
    if inspect.iscoroutinefunction(call):
        RUNS[loop](call, path)
    elif "loop" in inspect.signature(call).parameters:
        call(path, loop)
    else:
        call(path)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_httpx(library, client, path):
    app = prepared()

    async def visit():
        async with library.AsyncClient(transport=library.ASGITransport(app), base_url="http://test") as caller:
            assert (await caller.get(path)).status_code == 200

    RUNS[client.split("@")[1]](visit)


def test_fixture(noblock, client, path):
    noblock.get(path)

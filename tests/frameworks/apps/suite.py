"""The suite that is run for each framework; `conftest.py` beside it says which app, which client gets which kinds.

Knows nothing of noblock, but for the fixture.
"""

import asyncio
import inspect

import httpx
import httpx2
from wanted import app_module, prepared


def test_own(client, path):
    """The framework's own test client."""
    call = getattr(app_module, client)
    answer = call(path)
    if inspect.iscoroutine(answer):
        asyncio.run(answer)


def test_httpx(path):
    async def visit(library):
        async with library.AsyncClient(transport=library.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get(path)).status_code == 200

    for library in (httpx, httpx2):
        app = prepared()
        asyncio.run(visit(library))


def test_fixture(noblock, path):
    noblock.get(path)

"""Existing tests, unedited: whichever client sends the request, it is watched."""

import textwrap

import pytest

pytestmark = pytest.mark.every_python

API = """
import asyncio
import time
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

@asynccontextmanager
async def lifespan(app):
    time.sleep(0.08)  # start
    yield
    time.sleep(0.08)  # stop

app = FastAPI(lifespan=lifespan)
quiet = FastAPI()

@app.get("/blocks")
@quiet.get("/blocks")
async def blocks():
    time.sleep(0.08)  # blocks

@app.get("/awaits")
@quiet.get("/awaits")
async def awaits():
    await asyncio.sleep(0.08)

@app.get("/stream/{how}")
async def stream(how: str):
    async def parts():
        yield b"a"
        if how == "blocks":
            time.sleep(0.08)  # streams
        await asyncio.sleep(0.06)
        yield b"b"
    return StreamingResponse(parts())

@app.websocket("/socket/{how}")
async def socket(websocket: WebSocket, how: str):
    await websocket.accept()
    await websocket.receive_text()
    if how == "blocks":
        time.sleep(0.08)  # talks
    await asyncio.sleep(0.06)
    await websocket.send_text("done")

async def bare(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await receive()
    if scope["path"] in ("/blocks", "/socket/blocks"):
        time.sleep(0.08)  # bare
    await asyncio.sleep(0.06)
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
"""


@pytest.fixture
def watched(pytester):
    """Twin tests, of which the first blocks at this line of the app, and the second does not."""
    pytester.makepyfile(api=API)

    def watched(tests: str, mark: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_api=textwrap.dedent(tests))
        result = pytester.runpytest("--noblock", *options)
        line = next(number for number, text in enumerate(API.strip().splitlines(), 1) if text.endswith(f"# {mark}"))
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines([f"*by      api.py:{line} in *"])
        result.stdout.fnmatch_lines(["*why     waiting in time.sleep: asleep * ms, CPU * ms"])
        result.stdout.fnmatch_lines(["2 requests watched in 2 tests", f"  api.py:{line}  sync-io*"])
        return result

    return watched


SYNC = {
    "get": ("TestClient(app).get('/{how}')", "blocks"),
    "stream": (
        "with TestClient(app).stream('GET', '/stream/{how}') as response:\n        assert response.read() == b'ab'",
        "streams",
    ),
    "websocket": (
        (
            "with TestClient(app).websocket_connect('/socket/{how}') as socket:\n"
            "        socket.send_text('go')\n        assert socket.receive_text() == 'done'"
        ),
        "talks",
    ),
    "bare": ("TestClient(bare).get('/{how}')", "bare"),
    "bare-websocket": (
        (
            "with TestClient(bare).websocket_connect('/socket/{how}') as socket:\n"
            "        socket.send_text('go')\n        assert socket.receive()['type'] == 'websocket.close'"
        ),
        "bare",
    ),
}


@pytest.mark.parametrize("how", SYNC)
def test_the_test_client(watched, how):
    body, mark = SYNC[how]
    watched(
        f"from fastapi.testclient import TestClient\nfrom api import app, bare\n"
        f"def test_blocks():\n    {body.format(how='blocks')}\n"
        f"def test_awaits():\n    {body.format(how='awaits')}\n",
        mark,
    )


@pytest.mark.parametrize("app", ["quiet", pytest.param("bare", marks=pytest.mark.one_python)])
@pytest.mark.parametrize("httpx", ["httpx", pytest.param("httpx2", marks=pytest.mark.one_python)])
@pytest.mark.parametrize("mode", ["strict", "auto", "anyio"])
def test_an_async_client(watched, httpx, mode, app):
    pytest.importorskip(httpx)
    mark = {"strict": "pytestmark = pytest.mark.asyncio", "auto": "", "anyio": "pytestmark = pytest.mark.anyio"}[mode]
    watched(
        f"""
        import pytest, {httpx} as httpx
        from api import {app} as app
        {mark}

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        def client():
            return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

        async def test_blocks():
            async with client() as http:
                assert (await http.get("/blocks")).status_code == 200

        async def test_awaits():
            async with client() as http:
                assert (await http.get("/awaits")).status_code == 200
        """,
        "blocks" if app == "quiet" else "bare",
        f"--asyncio-mode={'auto' if mode == 'auto' else 'strict'}",
    )


BY_HAND = """
    async def get(path):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
        await quiet(scope, receive, send)
        assert sent[0]["status"] == 200
"""


def test_an_app_that_is_awaited_by_hand(watched):
    watched(
        f"import asyncio\nfrom api import quiet\n{textwrap.dedent(BY_HAND)}\n"
        "def test_blocks():\n    asyncio.run(get('/blocks'))\n"
        "def test_awaits():\n    asyncio.run(get('/awaits'))\n",
        "blocks",
    )


def test_an_isolated_asyncio_test_case(watched):
    watched(
        f"import unittest\nfrom api import quiet\n{textwrap.dedent(BY_HAND)}\n"
        "class TestApi(unittest.IsolatedAsyncioTestCase):\n"
        "    async def test_blocks(self):\n        await get('/blocks')\n"
        "    async def test_awaits(self):\n        await get('/awaits')\n",
        "blocks",
    )


LIFESPAN = """
    from fastapi.testclient import TestClient
    from api import app

    def test_it():
        with TestClient(app) as client:
            client.get("/awaits")
"""


def test_the_lifespan_is_noted_and_fails_only_if_asked(pytester):
    pytester.makepyfile(api=API, test_api=textwrap.dedent(LIFESPAN))
    result = pytester.runpytest("--noblock")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 request watched in 1 test"])
    result = pytester.runpytest("--noblock", "-o", "noblock_lifespan=fail")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["LIFESPAN blocked the event loop * ms (limit 50 ms)", "*by      api.py:* in lifespan"])


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_a_client_that_outlives_the_test(pytester, scope):
    """Its portal's thread runs on, and so does the lifespan: the next test's requests are the next test's."""
    pytester.makepyfile(
        api=API,
        test_api=f"""
        import pytest
        from fastapi.testclient import TestClient
        from api import app

        @pytest.fixture(scope="{scope}")
        def client():
            with TestClient(app) as client:
                yield client

        def test_blocks(client):
            client.get("/blocks")

        def test_awaits(client):
            client.get("/awaits")

        def test_blocks_again(client):
            client.get("/blocks")
        """,
    )
    result = pytester.runpytest("--noblock", "-rA")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*PASSED test_api.py::test_awaits*"])


def test_what_is_imported_only_by_a_fixture_or_the_test(pytester):
    """The first test of a run may be the first to import Starlette."""
    pytester.makepyfile(
        api=API,
        test_api="""
        import pytest

        @pytest.fixture
        def client():
            from api import quiet
            from fastapi.testclient import TestClient
            return TestClient(quiet)

        @pytest.mark.noblock
        def test_blocks(client):
            client.get("/blocks")
        """,
    )
    result = pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GET /blocks blocked the event loop * ms (limit 50 ms)"])

"""Whatever way a request takes into an app: by hand, by a transport of the test's own, by a server in a thread."""

import json
import sys

import pytest

APP = """
    import asyncio
    import time

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return

        async def inner(message):
            await send(message)

        await receive()
        if scope["path"] == "/blocks":
            time.sleep(0.08)  # blocks
        if scope["path"] == "/raises":
            raise ValueError
        await asyncio.sleep(0.06)
        await inner({"type": "http.response.start", "status": 200, "headers": []})
        await inner({"type": "http.response.body", "body": b"ok"})

    class Middleware:
        def __init__(self, inside):
            self.inside = inside

        async def __call__(self, scope, receive, send):
            await self.inside({**scope}, receive, send)
"""
TESTS = """
    import asyncio
    import threading
    import time

    import httpx
    import pytest
    import requests
    import uvicorn
    from api import Middleware, app

    BLOCK = 0.08
    both = pytest.mark.parametrize("path", ["/blocks", "/awaits"])

    async def call(app, path, block=0):
        sent = []

        async def receive():
            time.sleep(block)
            return {"type": "http.request", "body": b""}

        async def send(message):
            time.sleep(block)
            sent.append(message)

        time.sleep(block)
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
        await asyncio.create_task(app(scope, receive, send)) if block else await app(scope, receive, send)
        time.sleep(block)
        return sent

    @both
    @pytest.mark.parametrize("kind", [app, Middleware(app)])
    def test_by_hand(kind, path):
        asyncio.run(call(kind, path))

    def test_a_client_that_blocks_is_not_the_app():
        asyncio.run(call(app, "/awaits", BLOCK))

    def test_raises():
        with pytest.raises(ValueError):
            asyncio.run(call(app, "/raises"))

    class Transport(httpx.AsyncBaseTransport):
        def __init__(self, app):
            self.app = app

        async def handle_async_request(self, request):
            start, body = await call(self.app, request.url.path)
            return httpx.Response(start["status"], content=body["body"])

    class Subclass(httpx.ASGITransport):
        async def handle_async_request(self, request):
            return await Transport(self.app).handle_async_request(request)

    @both
    @pytest.mark.parametrize("kind", [Transport, Subclass])
    def test_a_transport_of_the_tests_own(kind, path):
        async def main():
            async with httpx.AsyncClient(transport=kind(app), base_url="http://test") as client:
                assert (await client.get(path)).status_code == 200

        asyncio.run(main())

    @pytest.fixture(scope="module", params=["asyncio", "uvloop"])
    def url(request):
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", loop=request.param))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield "http://127.0.0.1:%d" % server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        thread.join()

    @both
    def test_a_server_in_a_thread(url, path):
        with requests.Session() as client:
            assert [client.get(url + path).status_code for _ in range(2)] == [200, 200]
"""


@pytest.fixture
def watched(pytester):
    """How the inner run ended, and its checks."""
    for module in ("requests", "uvicorn", "uvloop"):
        pytest.importorskip(module)
    pytester.makepyfile(api=APP, test_it=TESTS)
    options = ("--noblock", "--noblock-report=report.json", "-p", "no:randomly")
    result = pytester.runpytest_subprocess(*options)
    return result, json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 does not tell when a code begins")
def test_each_way_is_seen_and_the_line_is_named(watched):
    result, checks = watched
    line = next(number for number, text in enumerate(APP.strip().splitlines(), 1) if text.endswith("# blocks"))
    red = [each for each in checks if each["outcome"] == "failed"]
    assert {each["request"] for each in red} == {"GET /blocks"}
    places = {(each["file"], each["line"], each["kind"]) for check in red for each in check["findings"]}
    assert places == {("api.py", line, "sync-io")}
    awaits = [each for each in checks if each["request"] == "GET /awaits"]
    assert len(red) == 8
    assert 9 <= len(awaits) <= 10  # the last answer of a server's may be under way when the next test begins
    assert all(each["loop_ms"] < 50 for each in awaits)
    result.assert_outcomes(passed=8, failed=6)
    result.stdout.no_fnmatch_line("nothing was seen in*")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 sees them")
def test_a_way_that_is_not_seen_is_said(watched):
    result, checks = watched
    assert checks == []
    result.stdout.fnmatch_lines(["no request was watched: --noblock asserted nothing"])

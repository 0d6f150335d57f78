"""A long body comes in pieces from a server: whoever handles each at once holds the loop for one piece alone."""

import pytest

from tests.plugin.three_clients import lines, watch

APP = """
import time

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()
PART = bytes(1 << 20)

def handle(data):
    until = time.thread_time() + len(data) * 30e-9
    while time.thread_time() < until: pass  # handles

@app.post("/pieces")
async def pieces(request: Request):
    async for piece in request.stream():
        handle(piece)

@app.post("/whole")
async def whole(request: Request):
    handle(await request.body())

@app.get("/download")
async def download():
    async def parts():
        for _ in range(80):
            handle(bytes(30_000))
            yield PART
    return StreamingResponse(parts())
"""
TESTS = """
import httpx
import pytest
from fastapi.testclient import TestClient
from shop import app

BODY = bytes(4_000_000)
PATHS = pytest.mark.parametrize(
    ("method", "path", "body"), [("POST", "/pieces", BODY), ("POST", "/whole", BODY), ("GET", "/download", b"")]
)

@pytest.fixture
def noblock_app():
    return app

@PATHS
def test_fixture(noblock, method, path, body):
    noblock.request(method, path, content=body)

@PATHS
def test_client(method, path, body):
    TestClient(app).request(method, path, content=body)

@PATHS
@pytest.mark.asyncio
async def test_async(method, path, body):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        await client.request(method, path, content=body)
"""


@pytest.mark.one_python
def test_who_handles_a_body_piece_by_piece_is_green_and_who_handles_all_of_it_is_red(pytester):
    pytester.makepyfile(shop=APP, test_it=TESTS)
    result, checks = watch(pytester)
    result.assert_outcomes(failed=3, passed=6)
    (handles,) = lines(APP, "handles")
    for check in checks:
        found = [(finding["kind"], finding["line"]) for finding in check["findings"]]
        assert found == ([("cpu", handles)] if check["request"] == "POST /whole" else []), check

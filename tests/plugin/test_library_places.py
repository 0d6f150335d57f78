"""Where no line of the user's ran: the failure names what a library was asked for, and what of the app it served."""

import pytest

from tests.plugin.three_clients import watch

GATE = """
import time

class Gate:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            check(scope["path"])
        if scope.get("path") == "/shut":
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.app(scope, receive, send)

def check(path):
    time.sleep(0.06)
"""
TESTS = """
import asyncio
import hashlib
import socket
import sys
import time
sys.path.insert(0, "site-packages")

import gate
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

gated = FastAPI()
gated.add_middleware(gate.Gate)

@gated.get("/open")
async def open_():
    return {}

app = FastAPI()
LISTENER = socket.create_server(("127.0.0.1", 0))
SERVER = LISTENER.getsockname()

@app.get("/timer")
async def timer():
    asyncio.get_running_loop().call_later(0.001, time.sleep, 0.06)
    await asyncio.sleep(0.1)

@app.get("/both")
async def both():
    return hashlib.pbkdf2_hmac("sha256", b"", bytes(socket.create_connection(SERVER).family), 1_500_000).hex()  # both

@pytest.fixture
def noblock_app(request):
    return gated if "gate" in request.node.name else app

def test_gate_fixture(noblock):
    noblock.get("/shut", expect="any")

def test_gate_client():
    TestClient(gated).get("/shut")

def test_gate_open():
    TestClient(gated).get("/open")

paths = pytest.mark.parametrize("path", ["/timer", "/both"])

@paths
def test_fixture(noblock, path):
    noblock.get(path)

@paths
def test_client(path):
    assert TestClient(app).get(path).status_code == 200
"""


def test_what_a_library_did_by_itself_is_named_and_a_line_has_one_finding(pytester: pytest.Pytester) -> None:
    pytester.mkdir("site-packages")
    (pytester.path / "site-packages" / "gate.py").write_text(GATE, encoding="utf-8")
    pytester.makepyfile(test_it=TESTS)
    result, checks = watch(pytester)
    found = {check["id"].partition("::")[2]: check["findings"] for check in checks}
    for name in ("test_gate_fixture", "test_gate_client"):
        ((finding),) = found[name]
        assert (finding["file"], finding["line"], finding["call"]) == (None, None, "gate.check"), name
    text = result.stdout.str()
    assert "  by      gate.check in the middleware `Gate`" in text
    assert '  accept  @pytest.mark.noblock_allow("reason", call="gate.check")' in text
    assert "not caught" not in text
    assert " in open_, behind the middleware `Gate`" in text
    for mode in ("fixture", "client"):
        (timer,) = found[f"test_{mode}[/timer]"]
        assert (timer["call"], timer["function"]) == ("time.sleep", "timer")
        assert timer["replacement"].startswith("asyncio.get_running_loop().call_later(seconds, f)")
        (both,) = found[f"test_{mode}[/both]"]
        assert both["kind"] == "sync-network"
        assert "asyncio.open_connection" in both["replacement"]
        assert "that the line computes await asyncio.to_thread(hashlib.pbkdf2_hmac, ...)" in both["replacement"]

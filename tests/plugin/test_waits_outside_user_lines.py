"""A library waits on the loop, and no user line is on the stack: red at the endpoint's `def`, in every mode."""

import pytest

from tests.plugin import three_clients

pytest.importorskip("fastapi")
pytest.importorskip("pytest_asyncio")

LIBRARY = """
import asyncio
import socket
import time

class Limiter:
    def __init__(self, app, address):
        self.app = app
        self.storage = Storage(address)

    async def __call__(self, scope, receive, send):
        path = scope.get("path", "")
        if path.startswith("/asks"):
            self.storage.ask()
        elif path.startswith("/waits"):
            self.storage.wait()
        elif path.startswith("/threads"):
            await asyncio.to_thread(self.storage.ask)
        await self.app(scope, receive, send)

class Storage:
    opened = []

    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.opened.append(self.socket)

    def ask(self):
        self.socket.sendall(b"?")
        self.socket.recv(1)

    def wait(self):
        time.sleep(0.12)
"""
API = """
import os
from fastapi import FastAPI
from limits_of_others import Limiter

app = FastAPI()
app.add_middleware(Limiter, address=("127.0.0.1", int(os.environ["NOBLOCK_TEST_PORT"])))

@app.get("/asks")
async def asks():
    return 1

@app.get("/waits")
async def waits():
    return 1

@app.get("/threads")
async def threads():
    return 1

@app.get("/free")
async def free():
    return 1
"""
CLOSED = """
import pytest

@pytest.fixture(autouse=True, scope="session")
def closed():
    from limits_of_others import Storage
    yield
    for each in Storage.opened:
        each.close()
"""


@pytest.fixture
def echo():
    """The port of a server in a process of its own that answers each byte."""
    import subprocess
    import sys

    code = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1):
            self.request.sendall(data)
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        yield int(server.stdout.readline())
        server.terminate()


def test_it_is_red_at_the_endpoint_and_names_the_librarys_call(pytester, monkeypatch, echo):
    monkeypatch.setenv("NOBLOCK_TEST_PORT", str(echo))
    library = pytester.mkdir("site-packages")
    (library / "limits_of_others.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(library)
    pytester.makepyfile(api=API)
    paths = ["/asks", "/waits", "/threads", "/free"]
    result, checks = three_clients.ask(pytester, paths, module="api", fixtures=CLOSED, run=pytester.runpytest)
    result.assert_outcomes(failed=6, passed=6)
    found = {
        check["id"]: [(each["kind"], each["file"], each["line"], each["call"]) for each in check["findings"]]
        for check in checks
    }
    for how in ("fixture", "client", "async"):
        assert found[f"test_it.py::test_{how}[/asks]"] == [
            ("sync-network", "api.py", 9, "limits_of_others.Storage.ask")
        ]
        assert found[f"test_it.py::test_{how}[/waits]"] == [("sync-io", "api.py", 13, "limits_of_others.Storage.wait")]
    result.stdout.fnmatch_lines(
        [
            "GET /asks *",
            "",
            "  by      api.py:9 in asks, behind the middleware `Limiter`",
            (
                "  instead another middleware in the place of `Limiter`, one that awaits"
                " (an async client of that service) or waits in a thread"
            ),
        ]
    )

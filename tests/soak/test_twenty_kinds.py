"""Twenty kinds of blocking in a suite that knows nothing of noblock: each found at its line, its repaired twin green.

NOBLOCK_SOAK_KINDS (default 1) runs of the whole suite, quiet and beside four CPU hogs:
TestClient, AsyncClient under pytest-asyncio and under anyio.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("NOBLOCK_SOAK_KINDS", "1"))
HOGS = int(os.environ.get("NOBLOCK_SOAK_HOGS", "4"))
KINDS = (
    "sleep requests urllib psycopg2 sqlite subprocess lock future file python regex json pbkdf2 gil "
    "dependency middleware background stream websocket lifespan"
).split()
CLIENTS = ("client", "asyncio", "anyio")
HERE = Path(__file__).parent

SUITE = f"""
import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi.testclient import TestClient
from kinds_app import app, starts

HOW = pytest.mark.parametrize("how", ["blocks", "awaits"])
KIND = pytest.mark.parametrize("kind", {KINDS})

@pytest.fixture
def anyio_backend():
    return "asyncio"

@HOW
@KIND
def test_client(kind, how):
    if kind == "lifespan":
        with TestClient(starts[how]):
            return
    client = TestClient(app)
    if kind == "websocket":
        with client.websocket_connect(f"/websocket/{{how}}") as socket:
            socket.send_text("go")
            assert socket.receive_text() == "done"
    else:
        assert client.get(f"/{{kind}}/{{how}}").status_code == 200

async def visit(kind, how):
    if kind == "lifespan":
        async with LifespanManager(starts[how]):
            return
    if kind == "websocket":
        return await talk(f"/websocket/{{how}}")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get(f"/{{kind}}/{{how}}")).status_code == 200

async def talk(path):
    messages = [{{"type": "websocket.receive", "text": "go"}}, {{"type": "websocket.connect"}}]

    async def receive():
        return messages.pop()

    sent = []
    async def send(message):
        sent.append(message["type"])

    await app({{"type": "websocket", "path": path, "headers": [], "query_string": b""}}, receive, send)
    assert sent == ["websocket.accept", "websocket.send", "websocket.close"]

@HOW
@KIND
@pytest.mark.asyncio
async def test_asyncio(kind, how):
    await visit(kind, how)

@HOW
@KIND
@pytest.mark.anyio
async def test_anyio(kind, how):
    await visit(kind, how)
"""


class _Slow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(0.06)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing: it is read by nobody."""


@pytest.fixture(scope="module")
def ports(services):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"NOBLOCK_KINDS_HTTP": str(server.server_port), "NOBLOCK_KINDS_POSTGRES": str(services.postgres)}
        server.shutdown()


@pytest.fixture
def suite(tmp_path, ports):
    """Run the suite; its checks by test, as (client, kind, how)."""
    shutil.copy(HERE / "kinds_app.py", tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nnoblock_lifespan = fail\n")

    def run() -> dict[tuple[str, str, str], list[dict[str, object]]]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "--noblock", "--noblock-report=report.json", "--tb=no"],
            cwd=tmp_path, env=os.environ | ports, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stdout + done.stderr
        checks = json.loads((tmp_path / "report.json").read_text())["checks"]
        by_test: dict[tuple[str, str, str], list[dict[str, object]]] = {}
        for check in checks:
            test, kind, how = check["id"].partition("::test_")[2].replace("[", "-").rstrip("]").split("-")
            by_test.setdefault((test, kind, how), []).append(check)
        return by_test

    return run


def lines(kind: str) -> set[int]:
    text = (HERE / "kinds_app.py").read_text().splitlines()
    return {number for number, line in enumerate(text, 1) if line.endswith(f"# blocks {kind}")}


def told(checks, kind: str, how: str) -> str:
    """What came of one test, in a word."""
    if not checks:
        return "unseen"
    found = [finding for check in checks for finding in check["findings"]]
    if how == "awaits":
        return "green" if not found and all(check["outcome"] == "passed" for check in checks) else "red"
    if not found:
        return "missed"
    right = all(each["file"] == "kinds_app.py" and each["line"] in lines(kind) for each in found)
    return "found" if right else "wrong line"


@pytest.mark.parametrize("load", [0, HOGS], ids=["quiet", "hogs"])
def test_every_kind_is_found_and_every_twin_is_green(suite, figure, load):
    results = {kind: {client: Counter() for client in CLIENTS} for kind in KINDS}
    details = []
    with hogs(load):
        for _ in range(RUNS):
            by_test = suite()
            for kind, clients in results.items():
                for client, counted in clients.items():
                    for how in ("blocks", "awaits"):
                        checks = by_test.get((client, kind, how), [])
                        result = told(checks, kind, how)
                        counted[result] += 1
                        if result not in ("found", "green"):
                            shown = [(each["findings"], each["notes"]) for each in checks]
                            details.append(
                                {"kind": kind, "client": client, "how": how, "result": result, "checks": shown}
                            )
    for kind, clients in results.items():
        text = "  ".join(f"{client}: {_counted(counted)}" for client, counted in clients.items())
        figure(f"{kind}, {load} hogs", text)
    figure(f"all, {load} hogs, N={RUNS}, load {os.getloadavg()[0]:.1f}", _counted(total(results)), wrong=details)
    assert total(results)["missed"] + total(results)["unseen"] + total(results)["red"] == 0, details
    for client in CLIENTS:
        sure = [kind for kind in KINDS if results[kind][client]["found"] == RUNS]
        assert len(sure) >= 19, (client, details)


def total(results) -> Counter[str]:
    return sum((counted for clients in results.values() for counted in clients.values()), Counter())


def _counted(results: Counter[str]) -> str:
    return ", ".join(f"{count} {result}" for result, count in sorted(results.items()))

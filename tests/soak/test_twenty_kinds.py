"""Twenty kinds of blocking in a suite that knows nothing of noblock: each found at its line, its repaired twin green.

NOBLOCK_SOAK_KINDS (default 1) turns of the suite, quiet, beside NOBLOCK_SOAK_HOGS (4)
processes that burn CPU, and beside a thread of the same process that works 20 us every
0.3 ms: TestClient, AsyncClient under pytest-asyncio and under anyio, and the fixture. Up to five turns share a process: the first of them meets everything for the first time.
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
from typing import NamedTuple

import pytest

from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

TURNS = int(os.environ.get("NOBLOCK_SOAK_KINDS", "1"))
HOGS = int(os.environ.get("NOBLOCK_SOAK_HOGS", "4"))
KINDS = (
    "sleep requests urllib psycopg2 sqlite subprocess lock future file python regex json pbkdf2 gil "
    "dependency middleware background stream websocket lifespan"
).split()
CLIENTS = ("client", "asyncio", "anyio", "fixture")
NOT_BY_FIXTURE = {"websocket", "lifespan"}
"""The fixture speaks no websocket, and `kinds_app.app` has no lifespan."""
HERE = Path(__file__).parent

_MOST_TURNS = 5
_FILES = {"kinds_app.py": "kinds_app.py", "kinds_suite.py": "test_kinds.py", "kinds_conftest.py": "conftest.py"}
_COMMAND = "-m pytest -q --tb=no -p no:randomly -p no:cacheprovider --noblock --noblock-report=report.json".split()


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


class Case(NamedTuple):
    """One test of the suite, and what came of it."""

    client: str
    turn: int
    kind: str
    how: str
    result: str
    shown: str
    """The checks and what was observed."""


@pytest.fixture
def suite(tmp_path, ports):
    """`suite(turns)` runs it so often in one process; all its cases."""
    for name, copied in _FILES.items():
        shutil.copy(HERE / name, tmp_path / copied)
    (tmp_path / "pytest.ini").write_text("[pytest]\nnoblock_lifespan = fail\n")

    def run(turns: int, *, poller: bool) -> list[Case]:
        wanted = {"NOBLOCK_KINDS": " ".join(KINDS), "NOBLOCK_KINDS_TURNS": str(turns)}
        wanted |= {"NOBLOCK_KINDS_POLLER": "1"} if poller else {}
        done = subprocess.run(
            [sys.executable, *_COMMAND],
            cwd=tmp_path, env=os.environ | ports | wanted, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stdout + done.stderr
        checks = json.loads((tmp_path / "report.json").read_text())["checks"]
        observed = json.loads((tmp_path / "observed.json").read_text())
        return [
            case(client, turn, kind, how, checks, observed)
            for client in CLIENTS
            for turn in range(turns)
            for kind in KINDS
            if client != "fixture" or kind not in NOT_BY_FIXTURE
            for how in ("blocks", "awaits")
        ]

    return run


def case(client: str, turn: int, kind: str, how: str, checks, observed) -> Case:
    id = f"test_kinds.py::test_{client}[{turn}-{kind}-{how}]"
    own = [check for check in checks if check["id"] == id]
    found = [(each["kind"], each["ms"], each["file"], each["line"]) for check in own for each in check["findings"]]
    shown = [*found, *(note for check in own for note in check["notes"]), *observed.get(id, ())]
    return Case(client, turn, kind, how, told(own, kind, how), "\n    ".join(map(str, shown)))


def told(checks, kind: str, how: str) -> str:
    """What came of one test, in a word."""
    if not checks:
        return "unseen"
    found = [finding for check in checks for finding in check["findings"]]
    if how == "awaits":
        return "green" if not found and all(check["outcome"] == "passed" for check in checks) else "red"
    if not found:
        return "missed"
    if any(each["file"] is None for each in found):
        return "found without a line"
    right = all(each["file"] == "kinds_app.py" and each["line"] in lines(kind) for each in found)
    return "found" if right else "wrong line"


def lines(kind: str) -> set[int]:
    text = (HERE / "kinds_app.py").read_text().splitlines()
    return {number for number, line in enumerate(text, 1) if line.endswith(f"# blocks {kind}")}


LOADS = {"quiet": (0, False), "hogs": (HOGS, False), "poller": (0, True), "hogs and poller": (HOGS, True)}


@pytest.mark.parametrize("load", LOADS)
def test_every_kind_is_found_and_every_twin_is_green(suite, figure, load):
    began = time.monotonic()
    count, poller = LOADS[load]
    with hogs(count):
        turns = [min(_MOST_TURNS, TURNS - first) for first in range(0, TURNS, _MOST_TURNS)]
        cases = [each for some in turns for each in suite(some, poller=poller)]
    for kind in KINDS:
        figure(f"{kind}, {load}", "  ".join(f"{client}: {counted(cases, kind, client)}" for client in CLIENTS))
    odd = [each for each in cases if each.result not in ("found", "green")]
    for each in odd:
        figure(f"{each.result}, {load}", f"{each.client}, {each.kind} {each.how}\n    {each.shown}")
    took = f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}"
    figure(f"all, {load}, N={TURNS}", f"{counted(cases)}; {took}", odd=[each._asdict() for each in odd])
    assert {each.result for each in odd} <= {"found without a line"}, odd
    for client in CLIENTS:  # a C call that holds the GIL may be over before anybody could look
        assert len({each.kind for each in odd if each.client == client}) <= 1, odd


def counted(cases: list[Case], kind: str | None = None, client: str | None = None) -> str:
    results = Counter(each.result for each in cases if kind in (None, each.kind) and client in (None, each.client))
    return ", ".join(f"{count} {result}" for result, count in sorted(results.items()))

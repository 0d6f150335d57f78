"""What a watched test costs in instructions, which a busy machine does not change. Needs valgrind; some ten minutes.

Two runs of different lengths tell what one test takes, without the start of pytest. Under valgrind all is some 40 times
slower, and beside busy processes 400 times, so our clocks, and none else, are slowed down even more: else each step
would look long, and the watchdog would look at it (measured: 6 % of a test). NOBLOCK_SOAK_BASE: the
folder of another version of this package, as a git worktree, to compare with.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pytest_noblock

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")]

FEW, MANY = 20, 100
MOST_OVER_BASE = 1.01
HERE = str(Path(pytest_noblock.__file__).parents[1])
PLUGINS = "randomly cacheprovider cov asyncio xdist rerunfailures timeout".split()

SLOW_CLOCKS = """
import time

SLOWER = 1000
CLOCKS = {name: getattr(time, name) for name in ("clock_gettime_ns", "thread_time_ns", "process_time_ns")}


def slowed(clock):
    return lambda *args: clock(*args) // SLOWER


try:
    for name, clock in CLOCKS.items():
        setattr(time, name, slowed(clock))
    import pytest_noblock.engine.clocks
    import pytest_noblock.engine.now
    import pytest_noblock.engine.steps.meter
finally:
    for name, clock in CLOCKS.items():
        setattr(time, name, clock)


def pytest_configure():
    from pytest_noblock.engine import selfcheck
    from pytest_noblock.model import limits

    limits.SAMPLE_AFTER_NS *= SLOWER  # of the kernel's timer
    selfcheck.meter_of_this_machine = lambda: ("full", "")
"""
APP = """
import os

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
numbers = pytest.mark.parametrize("number", range(int(os.environ["TESTS"])))


@app.get("/")
async def index():
    return {"hello": "world"}
"""
CLIENTS = {
    "TestClient": """
client = TestClient(app)


@numbers
def test_it(number):
    assert client.get("/").json() == {"hello": "world"}
""",
    "AsyncClient": """
@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@numbers
async def test_it(number):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        assert (await client.get("/")).json() == {"hello": "world"}
""",
}


@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_watched_test_costs_in_instructions(client, tmp_path, capsys):
    pytest.importorskip("fastapi")
    (tmp_path / "test_shop.py").write_text(APP + CLIENTS[client], encoding="utf-8")
    (tmp_path / "slow_clocks.py").write_text(SLOW_CLOCKS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    base = os.environ.get("NOBLOCK_SOAK_BASE")
    trees = {"without": None, "now": HERE} | ({"base": base} if base else {})
    with ThreadPoolExecutor(2) as pool:
        taken = dict(zip(trees, pool.map(lambda tree: _of_one_test(tmp_path, tree), trees.values()), strict=True))
    with capsys.disabled():
        print(f"\n{client}: instructions of one test", *(_line(name, taken) for name in trees), sep="\n  ")
    if base:
        assert taken["now"] <= MOST_OVER_BASE * taken["base"]


def _line(name, taken):
    over = " ".join(f"{taken[name] / taken[other]:.3f} x {other}" for other in ("without", "base") if other in taken)
    return f"{name:8} {taken[name]:>10,} {over}"


def _of_one_test(folder, tree):
    return (_instructions(folder, tree, MANY) - _instructions(folder, tree, FEW)) // (MANY - FEW)


def _instructions(folder, tree, tests):
    watched = (
        ["-p", "no:noblock"] if tree is None else ["-p", "slow_clocks", "--noblock", "-o", "noblock_max_block=20s"]
    )
    left_out = [word for name in PLUGINS for word in ("-p", f"no:{name}")]
    counting = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}"]
    result = subprocess.run(
        [*counting, sys.executable, "-m", "pytest", "-q", *left_out, *watched],
        cwd=folder,
        env={**os.environ, "TESTS": str(tests), "PYTHONPATH": f"{tree or HERE}:{folder}", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert f"{tests} passed" in result.stdout, result.stdout + result.stderr
    return int(re.search(r"I +refs: +([\d,]+)", result.stderr)[1].replace(",", ""))

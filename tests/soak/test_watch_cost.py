"""What `--noblock` costs a suite of trivial tests, in CPU of whole processes; and that it costs nothing unused.

NOBLOCK_SOAK_PAIRS (default 5) interleaved pairs of NOBLOCK_SOAK_TESTS (default 500) tests.
"""

import os
import resource
import subprocess
import sys
from statistics import median

import pytest

pytestmark = pytest.mark.slow

PAIRS = int(os.environ.get("NOBLOCK_SOAK_PAIRS", "5"))
TESTS = int(os.environ.get("NOBLOCK_SOAK_TESTS", "500"))

SUITE = f"""
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
client = TestClient(app)

@app.get("/")
async def index():
    return {{"hello": "world"}}

@pytest.mark.parametrize("number", range({TESTS}))
def test_it(number):
    assert client.get("/").json() == {{"hello": "world"}}
"""


def cpu_of(folder, *options: str) -> float:
    """User and system seconds of a run in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    plugins = ["-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:asyncio", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert f"{TESTS} passed" in done.stdout, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def compared(folder, without: tuple[str, ...], with_it: tuple[str, ...]) -> tuple[float, str]:
    """The median of the pairs' ratios, and all there is to know in words."""
    cpu_of(folder, *with_it)
    pairs = []
    for number in range(PAIRS):
        order = (without, with_it) if number % 2 else (with_it, without)
        spent = {options: cpu_of(folder, *options) for options in order}
        pairs.append((spent[without], spent[with_it]))
    ratios = sorted(after / before for before, after in pairs)
    least = min(after for _, after in pairs) / min(before for before, _ in pairs)
    words = f"{median(ratios):.3f} x CPU ({ratios[0]:.2f}-{ratios[-1]:.2f}, least / least {least:.3f})"
    base = median(before for before, _ in pairs)
    return median(ratios), f"{words}, base {base:.2f} s, N={PAIRS} pairs, load {os.getloadavg()[0]:.1f}"


def test_watching_every_test_is_cheap(suite, figure):
    ratio, words = compared(suite, (), ("--noblock",))
    figure(f"{TESTS} trivial TestClient tests, --noblock", f"{words} (bar 1.05)")
    assert ratio <= 1.05


def test_a_run_that_asks_for_nothing_pays_nothing(suite, figure):
    ratio, words = compared(suite, ("-p", "no:noblock"), ())
    figure(f"{TESTS} trivial TestClient tests, plugin unused", f"{words} (bar 1.02)")
    assert ratio <= 1.02

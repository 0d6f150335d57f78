"""What `--noblock` costs a suite of trivial tests, in CPU of whole processes; and that it costs nothing unused.

NOBLOCK_SOAK_PAIRS (default 5) pairs of NOBLOCK_SOAK_TESTS (default 500) tests. The two of a pair run at the same
time: what the machine does to one, it does to the other. One after the other they differ by a quarter of themselves.
"""

import os
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


def started(folder, *options: str) -> "subprocess.Popen[bytes]":
    """The process that runs the suite."""
    plugins = ["-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:asyncio", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def cpu_of(process: "subprocess.Popen[bytes]") -> float:
    """User and system seconds, when it has ended well."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def compared(folder, without: tuple[str, ...], with_it: tuple[str, ...]) -> tuple[float, str]:
    """The median of the pairs' ratios, and all there is to know in words."""
    cpu_of(started(folder, *with_it))  # caches are filled
    pairs = []
    for number in range(PAIRS):
        order = (without, with_it) if number % 2 else (with_it, without)
        processes = [(options, started(folder, *options)) for options in order]
        spent = {options: cpu_of(process) for options, process in processes}
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

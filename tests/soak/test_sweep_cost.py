"""What a sweep costs: 10, 100 and 1000 routes of 0.2 s, and 500 with eight bad ones; quiet, and beside busy processes.

A sweep should be flat in the number of routes, and rise with the slowest. NOBLOCK_SOAK_SWEEPS (default 5) sweeps each.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

ANSWERING = Path(__file__).with_name("answering.py")
SWEEPS = int(os.environ.get("NOBLOCK_SOAK_SWEEPS", "5"))
APP = """
import asyncio, hashlib, os, re, socket, subprocess, threading, time
from answering import server
from fastapi import FastAPI

app = FastAPI()

def good(number):
    async def endpoint():
        await asyncio.sleep(0.2)
        return number
    return endpoint

def sleeps(): time.sleep(0.1)
def computes():
    end = time.thread_time() + 0.1
    while time.thread_time() < end: pass
def connects():
    with socket.create_connection(server.getsockname()) as each:
        each.sendall(b"hi"); each.recv(1)
def runs(): subprocess.run(["sleep", "0.1"])
def waits():
    event = threading.Event(); event.wait(0.1)
def reads():
    receives, sends = os.pipe()
    threading.Timer(0.1, os.write, (sends, b"x")).start(); os.read(receives, 1)
def hashes(): hashlib.pbkdf2_hmac("sha256", b"x", b"y", 300_000)

def bad(blocks):
    async def endpoint():
        await asyncio.sleep(0.1)
        blocks()
    return endpoint

def keeps_the_gil():
    time.sleep(0.1)
    re.match(r"(a+)+$", "a" * 22 + "b")

for number in range(int(os.environ["ROUTES"])):
    app.get(f"/good/{number}")(good(number))
if os.environ.get("BAD"):
    for each in (sleeps, computes, connects, runs, waits, reads, hashes):
        app.get(f"/bad/{each.__name__}")(bad(each))
    app.get("/bad/keeps_the_gil")(keeps_the_gil)
"""


_WITHOUT = "-p no:cacheprovider -p no:randomly".split()
"""Plugins of this environment alone. pytest-randomly seeds each of 508 items three times, which takes 0.1 s in all."""


def swept(folder, routes: int, *options: str, bad: bool = False) -> tuple[float, set[str], str]:
    """Seconds of the whole command, the red routes, and what it printed."""
    folder.joinpath("app.py").write_text(APP)
    shutil.copy(ANSWERING, folder)
    command = [sys.executable, "-m", "pytest", "--noblock-sweep=app:app", "-q", "--tb=line", *_WITHOUT]
    environment = {**os.environ, "ROUTES": str(routes), "BAD": "1" if bad else "", **_compiled(folder)}
    began = time.perf_counter()
    done = subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    return took, set(re.findall(r"^FAILED noblock::GET (\S+)", done.stdout, re.MULTILINE)), done.stdout


def _compiled(folder) -> dict[str, str]:
    """As an installed package is: without it each sweep compiles what `--co` does not import, which took 0.3 s."""
    return {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}


def start_up(folder, routes: int, *, bad: bool = False) -> float:
    return min(swept(folder, routes, "--co", bad=bad)[0] for _ in range(3))


@pytest.mark.parametrize("routes", [10, 50, 100, 500, 1000])
def test_the_curve(tmp_path, routes):
    base = start_up(tmp_path, routes)
    swept(tmp_path, 1)
    times = sorted(swept(tmp_path, routes)[0] - base for _ in range(SWEEPS))
    print(f"\n{routes:5} routes of 0.2 s: {times[0]:.2f} to {times[-1]:.2f} s over a start-up of {base:.2f} s")
    if routes == 50:
        assert times[0] < 1.5


@pytest.mark.parametrize("busy", [0, 4])
def test_all_eight_and_only_they(tmp_path, busy):
    base = start_up(tmp_path, 500, bad=True)
    expected = {f"/bad/{name}" for name in "sleeps computes connects runs waits reads hashes keeps_the_gil".split()}
    times, wrong = [], []
    swept(tmp_path, 1, bad=True)
    print(f"\n500 routes, 8 bad, {busy} hogs; start-up {base:.2f} s")
    with hogs(busy):
        for number in range(1, SWEEPS + 1):
            load = os.getloadavg()[0]
            took, red, text = swept(tmp_path, 500, bad=True)
            times.append(took - base)
            if red != expected:
                wrong.append((red ^ expected, text[-2000:]))
            print(f"{number:3}: {times[-1]:.2f} s over start-up, load {load:.1f}, {_told(red, expected)}", flush=True)
    times.sort()
    print(f"{times[0]:.2f} to {times[-1]:.2f} s, median {median(times):.2f}, {len(wrong)} of {len(times)} wrong")
    assert json.dumps([sorted(each) for each, _text in wrong]) == "[]"
    assert busy or times[0] < 4


def _told(red: set[str], expected: set[str]) -> str:
    if red == expected:
        return "red: all 8 and only they"
    missed, false = (" ".join(sorted(each)) or "none" for each in (expected - red, red - expected))
    return f"red: {' '.join(sorted(red))}; MISSED {missed}; FALSE {false}"

"""A list of known findings must not flap: the same suite, again and again, beside busy processes, says the same.

NOBLOCK_SOAK_BASELINES (default 100) runs. The list is made once, on the busy machine as well.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

ANSWERING = Path(__file__).with_name("answering.py")
RUNS = int(os.environ.get("NOBLOCK_SOAK_BASELINES", "100"))
APP = '''
import asyncio, re, socket, time
from answering import server
from fastapi import FastAPI, BackgroundTasks

app = FastAPI()

def burn(seconds):
    """A loop of several lines: looks show now this one, now that one."""
    end, number = time.thread_time() + seconds, 0
    while time.thread_time() < end:
        number += 1
        number ^= 3
    return number

def first(): time.sleep(0.08)
def second(): time.sleep(0.08)

@app.get("/sleeps")
async def sleeps(): time.sleep(0.1)
@app.get("/computes")
async def computes(): return burn(0.12)
@app.get("/both-lines")
async def both_lines():
    first()
    second()
@app.get("/some-of-both")
async def some_of_both():
    burn(0.06)
    time.sleep(0.06)
@app.get("/connects")
async def connects():
    with socket.create_connection(server.getsockname()) as each:
        each.sendall(b"hi"); each.recv(1)
@app.get("/after")
async def after(tasks: BackgroundTasks): tasks.add_task(late)
async def late(): time.sleep(0.09)
@app.get("/keeps")
def keeps(): re.match(r"(a+)+$", "a" * 23 + "b")
@app.get("/in/{number}")
async def numbered(number: int): time.sleep(0.1)
@app.get("/innocent")
async def innocent():
    await asyncio.sleep(0.05)
    return burn(0.005)
'''
TESTS = """
import pytest
from fastapi.testclient import TestClient
from app import app

PATHS = "sleeps computes both-lines some-of-both connects after in/7 innocent".split()

@pytest.mark.parametrize("path", PATHS)
def test_watched(path):
    assert TestClient(app).get(f"/{path}").status_code == 200

@pytest.mark.noblock(app=app)
@pytest.mark.parametrize("path", [*PATHS, "keeps"])
def test_fixture(path, noblock):
    noblock.get(f"/{path}")
"""


def run(folder, *options):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noblock", "--noblock-sweep=app:app"]
    more = ["--noblock-baseline=known.jsonl", "--noblock-report=r.json", *options]
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run([*command, *more], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def red_of(folder):
    """Kind and place of what a run called new."""
    checks = json.loads((folder / "r.json").read_text())["checks"]
    found = [each for check in checks for each in check["findings"] if not each.get("accepted")]
    return [f"{each['kind']} {each['file']}:{each['line']} {each['call']}" for each in found]


def test_no_entry_flaps(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    shutil.copy(ANSWERING, tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    wrong = Counter()
    with hogs(4):
        made = run(tmp_path, "--noblock-update-baseline")
        assert made.returncode == 0, made.stdout
        print((tmp_path / "known.jsonl").read_text())
        for _ in range(RUNS):
            told = run(tmp_path).stdout
            [said] = re.findall(r"^baseline known\.jsonl: (.*)$", told, re.MULTILINE)
            if re.search(r"\b[1-9]\d* (new|fixed)", said):
                fixed = re.findall(r"^  fixed: (.*);", told, re.MULTILINE)
                wrong[f"{said}: {fixed or red_of(tmp_path)}"] += 1
    print(f"{RUNS} runs beside 4 hogs, {wrong.total()} said something else", *wrong.items(), sep="\n")
    assert not wrong

"""A request that only waits is hardly probed, and what it does thereafter is seen as ever."""

import pytest

from tests.burning import letters

IDLE = """
import asyncio
import os
import re
import threading
import time

from fastapi import FastAPI

app = FastAPI()

@app.get("/idle")
async def idle():
    await asyncio.sleep(1)

@app.get("/blocks")
async def blocks():
    await asyncio.sleep(0.5)
    time.sleep(0.2)  # blocks

LETTERS = int(os.environ["LETTERS"])

def backtrack():
    re.match(r"(a+)+$", "a" * LETTERS + "b")  # keeps

@app.get("/keeps")
async def keeps():
    await asyncio.sleep(0.5)
    await asyncio.to_thread(backtrack)  # awaits

def later(loop, ended):
    time.sleep(0.5)
    backtrack()
    loop.call_soon_threadsafe(ended.set)  # goes on

@app.get("/own-thread")
async def own_thread():
    ended = asyncio.Event()
    threading.Thread(target=later, args=(asyncio.get_running_loop(), ended)).start()
    await ended.wait()

@app.get("/takes")
async def takes():
    await asyncio.sleep(0.5)
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.1) for _ in range(50)))  # takes
"""
TURNS = "[each for each in check.probe_runs if each.path == 'the event loop']"


def line_of(name: str) -> int:
    (line,) = [n for n, text in enumerate(IDLE.strip().splitlines(), 1) if text.endswith(f"# {name}")]
    return line


@pytest.fixture
def run_idle(pytester, monkeypatch):
    monkeypatch.setenv("LETTERS", str(letters(300)))

    def run_idle(*lines: str) -> pytest.RunResult:
        body = "\n    ".join(lines)
        pytester.makepyfile(idle=IDLE, test_it=f"def test_it(noblock):\n    {body}\n")
        return pytester.runpytest("--noblock-app=idle:app")

    return run_idle


def test_nobody_is_woken_while_nothing_can_happen(run_idle):
    """On its timetable it would be forty times in a second, a process that sleeps."""
    run_idle("check = noblock.check('GET', '/idle')", f"assert 5 < len({TURNS}) < 35").assert_outcomes(passed=1)


def test_the_turns_that_a_later_block_keeps_waiting_are_all_counted(run_idle):
    run_idle(
        "check = noblock.check('GET', '/blocks')",
        "(found,) = check.findings",
        f"assert (found.kind, found.line) == ('sync-io', {line_of('blocks')})",
        f"assert sum(each.waited > 70_000_000 for each in {TURNS}) >= 4",
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["keeps", "own-thread"])
def test_a_thread_that_keeps_the_gil_later_is_seen(run_idle, name):
    """On a busy machine a thread may have ended before anybody saw it, or be at its next line: then at another time."""
    lines = {line_of(mark) for mark in ("keeps", "awaits", "goes on")}
    run_idle(
        f"checks = (noblock.check('GET', '/{name}') for _ in range(5))",
        "check = next(check for check in checks if check.findings)",
        "assert {each.kind for each in check.findings} == {'gil'}",
        f"assert {{each.line for each in check.findings}} <= {lines}",
    ).assert_outcomes(passed=1)


def test_a_pool_that_is_full_later_is_seen(run_idle):
    run_idle(
        "check = noblock.check('GET', '/takes')",
        f"assert {{(each.kind, each.line) for each in check.findings}} == {{('pool-starved', {line_of('takes')})}}",
    ).assert_outcomes(passed=1)

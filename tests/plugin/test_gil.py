"""A thread that computes inside the GIL stops the loop from a plain `def` as well."""

import pytest

from tests.burning import letters, rows

GIL = """
import asyncio
import hashlib
import json
import os
import re
import threading
import time

from anyio.to_thread import run_sync
from fastapi import FastAPI

app = FastAPI()
LETTERS = int(os.environ["LETTERS"])
BIG = [list(range(1000))] * int(os.environ["ROWS"])

@app.get("/regex")
def regex():
    re.match(r"(a+)+$", "a" * LETTERS + "b")  # regex

@app.get("/json")
def dumps():
    json.dumps(BIG)  # json

@app.get("/to-thread")
async def to_thread():
    await asyncio.to_thread(json.dumps, BIG)  # to-thread

@app.get("/anyio")
async def anyio():
    await run_sync(json.dumps, BIG)  # anyio

@app.get("/thread")
async def thread():
    worker = threading.Thread(target=own)
    worker.start()
    while worker.is_alive():
        await asyncio.sleep(0.001)

def own():
    re.match(r"(a+)+$", "a" * LETTERS + "b")  # thread

@app.get("/left/in-executor")
async def left_in_executor():
    asyncio.get_running_loop().run_in_executor(None, json.dumps, BIG)  # left/in-executor

@app.get("/left/in-task")
async def left_in_task():
    asyncio.get_running_loop().call_soon(lambda: asyncio.create_task(asyncio.to_thread(own_json)))

def own_json():
    json.dumps(BIG)  # left/in-task

@app.get("/left/good")
async def left_good():
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.1)

@app.get("/pbkdf2")
def pbkdf2():
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 300_000)

@app.get("/sleep")
def sleep():
    time.sleep(0.1)

@app.get("/python")
def python():
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass

@app.get("/python/short")
def python_short():
    until = time.thread_time() + 0.04
    while time.thread_time() < until:
        pass

@app.get("/both")
async def both():
    worker = threading.Thread(target=python)
    worker.start()
    until = time.thread_time() + 0.2
    while time.thread_time() < until:  # both
        pass
    while worker.is_alive():
        await asyncio.sleep(0.001)

@app.get("/files")
async def files():
    worker = threading.Thread(target=python)
    worker.start()
    while worker.is_alive():
        for _ in range(20):
            open(__file__).close()
        await asyncio.sleep(0)

@app.get("/parses")
def parses():
    json.loads("[1, 2, 3]" * 0 + "[4]")

@app.post("/regex")
def post():
    re.match(r"(a+)+$", "a" * LETTERS + "b")  # post
"""


def line_of(name: str) -> int:
    (line,) = [n for n, text in enumerate(GIL.strip().splitlines(), 1) if text.endswith(f"# {name}")]
    return line


@pytest.fixture
def run_gil(pytester, monkeypatch):
    pytester.makepyfile(gil=GIL)
    monkeypatch.setenv("LETTERS", str(letters(250)))
    monkeypatch.setenv("ROWS", str(rows(100)))

    def run_gil(body: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=f"def test_it(noblock):\n    {body}\n")
        return pytester.runpytest("--noblock-app=gil:app", *options)

    return run_gil


@pytest.mark.parametrize(
    "name",
    ["regex", "anyio", "thread", *(pytest.param(name, marks=pytest.mark.one_python) for name in ("json", "to-thread"))],
)
def test_a_thread_that_keeps_the_gil_is_named_by_its_line(run_gil, name):
    result = run_gil(
        f"check = noblock.check('GET', '/{name}')\n"
        "    kinds = {(each.kind, each.file, each.line) for each in check.findings}\n"
        f"    assert kinds == {{('gil', 'gil.py', {line_of(name)})}}, check\n"
    )
    result.assert_outcomes(passed=1)


def test_what_nobody_awaits_is_waited_for_in_a_thread_as_well(run_gil):
    result = run_gil(
        "bad = [noblock.check('GET', f'/left/{each}') for each in ('in-task', 'in-executor')]\n"
        "    (task,), (job,) = (each.findings for each in bad)\n"
        f"    assert (task.kind, task.phase, task.line) == ('gil', 'detached', {line_of('left/in-task')}), task\n"
        "    assert (job.kind, job.phase) == ('gil', 'detached'), job\n"
        "    assert noblock.check('GET', '/left/good').outcome == 'passed'\n"
    )
    result.assert_outcomes(passed=1)


@pytest.mark.one_python
def test_many_threads_that_have_it_in_turns_are_told(run_gil):
    """Twenty have it for 5 ms each before the loop has it again: for two seconds in all."""
    result = run_gil(
        "said = [noblock.check('GET', path, concurrency=20).notes for path in ('/python', '/sleep')]\n"
        "    bad, good = (any('threads computed meanwhile' in each for each in notes) for notes in said)\n"
        "    assert bad and not good, said\n"
    )
    result.assert_outcomes(passed=1)


def test_the_failure_says_what_was_measured_and_never_to_use_a_def(run_gil):
    result = run_gil("noblock.get('/regex')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "GET /regex held the GIL * ms (limit 50 ms)",
            f"  by      gil.py:{line_of('regex')} in regex",
            "  why     a thread computed * ms without letting go of the GIL: the loop was * ms late",
            "  harm    * of * turns of the event loop waited, worst * ms (alone * ms)",
            "  instead *or a process, from a coroutine: await anyio.to_process.run_sync(f, ...), where f, a def at *",
        ]
    )
    assert "plain def" not in result.stdout.str()
    assert "to_thread.run_sync(" not in result.stdout.str()


@pytest.mark.parametrize("name", [pytest.param("pbkdf2", marks=pytest.mark.one_python), "sleep", "python", "parses"])
def test_a_thread_that_lets_go_of_it_is_green(run_gil, name):
    run_gil(f"noblock.get('/{name}')").assert_outcomes(passed=1)


def test_a_request_that_is_sent_once_is_judged_on_that(run_gil):
    result = run_gil("noblock.post('/regex')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["POST /regex held the GIL * ms (limit 50 ms)", "  seen    once, by *"])


def test_what_an_idle_thread_burned_before_is_not_this_requests(run_gil):
    """On a busy machine the one that kept the GIL may have ended unseen: then at one of several times."""
    result = run_gil(
        "noblock.check('GET', '/regex')\n"
        "    checks = (noblock.check('GET', '/thread') for _ in range(5))\n"
        "    check = next(check for check in checks if check.findings)\n"
        f"    assert {{(each.kind, each.line) for each in check.findings}} == {{('gil', {line_of('thread')})}}, check\n"
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("copies", [12, pytest.param(40, marks=pytest.mark.one_python)])
def test_threads_that_hand_it_to_each_other_are_green(run_gil, copies):
    run_gil(f"noblock.get('/python/short', concurrency={copies})").assert_outcomes(passed=1)


def test_of_many_threads_that_keep_it_one_request_alone_tells(run_gil):
    result = run_gil("noblock.get('/json', concurrency=3)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GET /json held the GIL * ms (limit 50 ms)", f"  by *:{line_of('json')} in dumps"])


@pytest.mark.parametrize(("name", "kinds"), [("both", {"cpu"}), ("files", set())])
def test_a_loop_and_a_thread_in_turns_are_not_a_thread_that_keeps_it(run_gil, name, kinds):
    body = f"assert {{each.kind for each in noblock.check('GET', '/{name}').findings}} == {kinds or 'set()'}"
    run_gil(body).assert_outcomes(passed=1)

"""What a route holds while others hold the loop as well is found in a sweep, and a good route beside it stays green.

One process sweeps each app: the routes of one app hide each other.
"""

import pytest

SDK = """
import concurrent.futures as cf, queue, re, threading

class Sdk:
    def __init__(self):
        self.jobs = queue.Queue()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            answer, letters = self.jobs.get()
            matched = re.match(r"(a+)+$", "a" * letters + "b")  # BAD thread
            answer.set_result(matched)

    def send(self, letters):
        answer = cf.Future()
        self.jobs.put((answer, letters))
        return answer

SDK = Sdk()
"""

SLOW = """
import time
time.sleep(0.15)  # BAD slow
X = 1
"""

APP = """
import asyncio, concurrent.futures as cf, importlib, re, sys, threading, time
from fastapi import FastAPI
from sdk import SDK
app, POOL = FastAPI(), cf.ThreadPoolExecutor(8)

def keep(letters):
    return re.match(r"(a+)+$", "a" * letters + "b") is None  # BAD keep

@app.get("/keeps-0")
@app.get("/keeps-1")
@app.get("/keeps-2")
def keeps():
    return keep(22)

@app.get("/keeps-for-a-moment")
def keeps_for_a_moment():
    return keep(4)

@app.get("/sends")
async def sends():
    return await asyncio.wrap_future(SDK.send(22))

@app.get("/sends-little")
async def sends_little():
    return await asyncio.wrap_future(SDK.send(4))

@app.get("/waits")
async def waits():
    job = POOL.submit(time.sleep, 0.15)
    await asyncio.sleep(0.01)
    return job.result()  # BAD waits

@app.get("/awaits")
async def awaits():
    job = POOL.submit(time.sleep, 0.15)
    await asyncio.wait([asyncio.wrap_future(job)])
    return job.result()

COMPUTING, OVER = threading.Event(), threading.Event()

def ready_soon():  # a moment after the other request has let go of the loop; a while, where there is none
    if COMPUTING.wait(0.25):
        OVER.wait(5)
    time.sleep(0.035)

def begun(work):
    OVER.clear()
    return POOL.submit(work)

def work(lock):
    with lock:
        ready_soon()

@app.get("/waits-shorter")
async def waits_shorter():
    job = begun(ready_soon)
    await asyncio.sleep(0.04)
    return job.result()  # BAD shorter

@app.get("/waits-for-a-lock")
async def waits_for_a_lock():
    lock = threading.Lock()
    begun(lambda: work(lock))
    await asyncio.sleep(0.04)
    lock.acquire()  # BAD lock

@app.get("/waits-for-an-event")
async def waits_for_an_event():
    ready = threading.Event()
    POOL.submit(lambda: (time.sleep(0.12), ready.set()))
    await asyncio.sleep(0.04)
    ready.wait()  # BAD event

@app.get("/waits-a-moment")
async def waits_a_moment():
    job = POOL.submit(time.sleep, 0.02)
    await asyncio.sleep(0.01)
    return job.result()

@app.get("/computes")
async def computes():
    COMPUTING.set()
    await asyncio.sleep(0.02)
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass  # BAD computes
    COMPUTING.clear()
    OVER.set()

@app.get("/imports")
async def imports():
    sys.modules.pop("slow", None)
    return importlib.import_module("slow").X

@app.get("/imports-once")
async def imports_once():
    return importlib.import_module("slow_once").X

@app.get("/sleeps-0")
@app.get("/sleeps-1")
async def sleeps():
    await asyncio.sleep(0.02)
    time.sleep(0.2)  # BAD sleeps
"""

FILES = {"app.py": APP, "sdk.py": SDK, "slow.py": SLOW}
GROUPS = {
    "threads of the pool": ["/keeps-0", "/keeps-1", "/keeps-2"],
    "a client's own thread": ["/sends", "/keeps-0", "/sleeps-0"],
    "a wait that is over": ["/waits", "/sleeps-0", "/sleeps-1"],
    "a wait that is shorter": ["/waits-shorter", "/computes"],
    "a wait for a lock": ["/waits-for-a-lock", "/computes"],
    "a wait for an event": ["/waits-for-an-event", "/computes"],
    "an import": ["/imports", "/sleeps-0"],
}
GOOD = ["/keeps-for-a-moment", "/sends-little", "/awaits", "/imports-once", "/waits-a-moment"]
LINES = {
    "/keeps": "BAD keep", "/sends": "BAD thread", "/waits": "BAD waits", "/imports": "BAD slow",
    "/waits-shorter": "BAD shorter", "/waits-for-a-lock": "BAD lock", "/waits-for-an-event": "BAD event",
    "/computes": "BAD computes",
}  # fmt: skip


@pytest.fixture
def swept(pytester):
    pytester.makepyfile(app=APP, sdk=SDK, slow=SLOW, slow_once=SLOW)

    def swept(paths):
        only = (f"--noblock-include={each}" for each in paths)
        return pytester.runpytest_subprocess("--noblock-sweep=app:app", *only, "-p", "no:randomly", "-v").stdout.str()

    return swept


def place_of(mark):
    name, text = next(each for each in FILES.items() if mark in each[1])
    number = next(number for number, line in enumerate(text.strip().splitlines(), 1) if mark in line)
    return f"{name}:{number}"


def doubts(text):
    """But for what a good route showed among the bad ones and did not show alone: the machine decides about that."""
    told = (line for line in text.splitlines() if line.startswith("  unsettled"))
    return [line for line in told if "did not come again" not in line]


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_what_others_hide_is_found(swept, group):
    text = swept([*group, *GOOD])
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("  GET /")}
    assert {path for path, row in rows.items() if "failed" in row} == set(group)
    for path in group:
        mark = LINES.get(path) or LINES.get(path.rpartition("-")[0], "BAD sleeps")
        where = rows[path].split()[-1]
        assert where == place_of(mark) or (path == "/computes" and where.startswith("app.py:"))  # any line of its loop
    assert doubts(text) == []


@pytest.mark.parametrize("path", ["/sends", "/imports", "/waits"])
def test_it_is_found_alone(swept, path):
    (row,) = (line for line in swept([path]).splitlines() if line.startswith(f"  GET {path}"))
    assert "failed" in row
    assert place_of(LINES[path]) in row


def test_good_routes_alone_are_green_without_a_word(swept):
    text = swept(GOOD)
    assert text.count("PASSED") == len(GOOD)
    assert "unsettled" not in text

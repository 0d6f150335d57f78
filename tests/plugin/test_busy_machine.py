"""A loop that waits for its own worker beside busy processes: what the worker waited for a processor is the machine's.

The test starts the busy processes itself, three for each processor that it may use, and they end by themselves.
"""

import os
import subprocess
import sys

import pytest

from tests.plugin.three_clients import ask, lines

pytestmark = [
    pytest.mark.slow,  # it makes the machine busy: it is asked by hand, and not beside others
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long another thread was queued"),
]

BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: sum(range(10000))"

SHOP = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
from fastapi import FastAPI

app = FastAPI()
pool = ThreadPoolExecutor(2)
lock = threading.Lock()

def computes(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        pass

def keeps_lock(work, started):
    with lock:
        started.set()
        work()

def wait_for_lock(work):
    started = threading.Event()
    pool.submit(keeps_lock, work, started)
    started.wait()

@app.get("/good_future")
async def good_future():
    return pool.submit(computes, 8).result()

@app.get("/good_lock")
async def good_lock():
    wait_for_lock(lambda: computes(8))
    with lock:
        pass

@app.get("/future_sleeps")
async def future_sleeps():
    return pool.submit(time.sleep, 0.2).result()  # bad

@app.get("/future_computes")
async def future_computes():
    return pool.submit(computes, 200).result()  # bad

@app.get("/lock_sleeps")
async def lock_sleeps():
    wait_for_lock(lambda: time.sleep(0.2))
    with lock:  # bad
        pass
"""
POLLER = """
def poll():
    while True:
        sum(range(500))
        time.sleep(0.0003)

threading.Thread(target=poll, daemon=True).start()
"""
"""As exporters and schedulers do. It waits for a processor all the time, and nobody waits for it."""
IDLE = """
for _ in range(170):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
"""As pools that nobody has shut down: those of all apps that a suite has made."""
GOOD = ("/good_future", "/good_lock")
BAD = ("/future_sleeps", "/future_computes", "/lock_sleeps")


@pytest.fixture
def busy():
    number = 3 * max(1, len(os.sched_getaffinity(0)) // 2)
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    yield
    for each in processes:
        each.kill()
        each.wait()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("beside", ["", POLLER, IDLE], ids=["alone", "poller", "idle"])
def test_a_worker_without_a_processor_is_no_finding_and_one_that_takes_its_time_is(pytester, beside):
    pytester.makepyfile(shop=SHOP + beside)
    _result, checks = ask(pytester, [*GOOD, *BAD])
    found = {
        path: {each["line"] for check in checks if check["request"] == f"GET {path}" for each in check["findings"]}
        for path in (*GOOD, *BAD)
    }
    assert [path for path in GOOD if found[path]] == []
    told = {line for path in BAD for line in found[path]}
    assert set(lines(SHOP, "bad")) <= told  # for the lock it may have waited at the event before, on a busy machine
    assert all(check["outcome"] == "failed" for check in checks if check["request"].removeprefix("GET ") in BAD)

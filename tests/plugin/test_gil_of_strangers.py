"""Threads that lived before the request: those of the app keep the GIL from its loop, those of a test are nobody's."""

from tests.burning import letters

APP = """
import asyncio
import contextlib
import os
import queue
import re
import threading
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI

LETTERS = int(os.environ["LETTERS"])
pool = ThreadPoolExecutor(2)
pool.submit(int).result()  # its thread is there before the app starts

def keep(letters=LETTERS):
    re.match(r"(a+)+$", "a" * letters + "b")  # keep

def serve(jobs):
    while True:
        done = jobs.get()  # idle
        keep()
        done.append(True)

def started(jobs):
    threading.Thread(target=serve, args=(jobs,), daemon=True).start()
    return jobs

at_import = started(queue.SimpleQueue())
by_lifespan = queue.SimpleQueue()

@contextlib.asynccontextmanager
async def lifespan(app):
    started(by_lifespan)
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/own-pool")
async def own_pool():
    await asyncio.get_running_loop().run_in_executor(pool, keep)

@app.get("/own-pool/c")
async def in_c():
    await asyncio.get_running_loop().run_in_executor(pool, re.match, r"(a+)+$", "a" * LETTERS + "b")  # c

async def asked(jobs):
    done = []
    jobs.put(done)
    while not done:
        await asyncio.sleep(0.001)

@app.get("/scheduler")
async def scheduler():
    await asked(at_import)

@app.get("/lifespan")
async def of_lifespan():
    await asked(by_lifespan)

@app.get("/repaired")
async def repaired():
    await asyncio.get_running_loop().run_in_executor(pool, asyncio.run, asyncio.sleep(0.1))

@app.get("/awaits")
async def awaits():
    await asyncio.sleep(0.3)
"""
TESTS = """
import re
import threading
import time


import pytest

from keeping import LETTERS

@pytest.mark.parametrize("path, mark", [
    ("/own-pool", "# keep"), ("/own-pool/c", "# c"), ("/scheduler", "# keep"), ("/lifespan", "# keep"),
])
def test_the_apps(noblock, path, mark):
    check = noblock.check("GET", path)
    assert [each.kind for each in check.findings] == ["gil"], check
    code = check.findings[0].code  # where the thread was when it was looked at: it may be idle again
    assert code.endswith((mark, "# idle")) or code.startswith("await "), check

def test_repaired(noblock):
    noblock.get("/repaired")

@pytest.fixture
def server():
    def serve():
        while not over:
            re.match(r"(a+)+$", "a" * LETTERS + "b")
            time.sleep(0.01)
    over = []
    thread = threading.Thread(target=serve)
    thread.start()
    yield
    over.append(True)
    thread.join()

def test_a_fixtures(noblock, server):
    assert "gil" not in [each.kind for each in noblock.check("GET", "/awaits").findings]
"""


def test_long_lived_threads_of_the_app_are_told_from_those_of_a_test(pytester, monkeypatch):
    monkeypatch.setenv("LETTERS", str(letters(150)))
    pytester.makepyfile(keeping=APP, test_it=TESTS)
    pytester.runpytest("--noblock-app=keeping:app").assert_outcomes(passed=6)


def test_the_portable_rules_say_that_they_do_not_judge_it(pytester):
    pytester.makepyfile("def test_it():\n    pass\n")
    result = pytester.runpytest("--noblock", "-o", "noblock_meter=portable")
    result.stdout.fnmatch_lines(["noblock: portable rules (*; `gil` is not judged)"])

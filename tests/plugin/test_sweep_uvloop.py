"""A sweep on uvloop, which does not say when it polls: threads that keep the GIL, and what is no step of a request."""

import json

import pytest

from tests.burning import letters

pytest.importorskip("uvloop")

APP = """
import asyncio, os, re, socket, threading, time
from fastapi import FastAPI
app = FastAPI()
LETTERS = int(os.environ["LETTERS"])

def keep(letters):
    re.match(r"(a+)+$", "a" * letters + "b")  # keep

@app.get("/def/bad")
def def_bad():
    keep(LETTERS)

@app.get("/def/good")
def def_good():
    time.sleep(0.1)

@app.get("/def/little")
def def_little():
    keep(4)

@app.get("/to-thread/bad")
async def to_thread_bad():
    await asyncio.to_thread(keep, LETTERS)

@app.get("/to-thread/good")
async def to_thread_good():
    await asyncio.to_thread(time.sleep, 0.1)

async def own(target, argument):
    worker = threading.Thread(target=target, args=(argument,))
    worker.start()
    while worker.is_alive():
        await asyncio.sleep(0.005)  # awaits it

@app.get("/own/bad")
async def own_bad():
    await own(keep, LETTERS)

@app.get("/own/good")
async def own_good():
    await own(time.sleep, 0.1)

class Reads(asyncio.Protocol):
    def data_received(self, data):
        time.sleep(float(data))  # reads

class ReadsUnseen(asyncio.Protocol):
    __slots__ = ("__weakref__",)  # so that nothing of ours can be put there
    data_received = Reads.data_received

@app.get("/seen/bad")
async def seen_bad():
    await wire(b"0.2", Reads)

@app.get("/seen/good")
async def seen_good():
    await wire(b"0.001", Reads)

async def wire(seconds, protocol=ReadsUnseen):
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(protocol, sock=near)
    far.sendall(seconds)
    await asyncio.sleep(0.02)
    transport.close()
    far.close()

@app.get("/wire/bad")
async def wire_bad():
    await wire(b"0.2")

@app.get("/wire/good")
async def wire_good():
    await wire(b"0.001")

@app.post("/wire/sent-once")
async def wire_sent_once():
    await wire(b"0.2")
"""


@pytest.fixture
def swept(pytester, monkeypatch):
    pytester.makepyfile(app=APP)
    pytester.makeini("[pytest]\nnoblock_loop = uvloop\n")
    monkeypatch.setenv("LETTERS", str(letters(200)))

    def swept(*options):
        result = pytester.runpytest_subprocess("--noblock-sweep=app:app", "--noblock-report=r.json", *options)
        checks = json.loads((pytester.path / "r.json").read_text())["checks"]
        return {each["route"]: each for each in checks}, result

    return swept


def line_of(mark):
    return next(number for number, text in enumerate(APP.strip().splitlines(), 1) if f"# {mark}" in text)


def kept_at(check):
    return [(each["kind"], each["file"], each["line"]) for each in check["findings"]]


def test_a_thread_that_keeps_the_gil_is_found_whoever_started_it(swept):
    checks, _ = swept("--noblock-exclude=/wire/*", "--noblock-exclude=/seen/*")
    found = {route: kept_at(each) for route, each in checks.items() if each["findings"]}
    own = found.pop("/own/bad")
    assert found == {f"/{kind}/bad": [("gil", "app.py", line_of("keep"))] for kind in ("def", "to-thread")}
    # a thread that is over before anybody looks, on a busy machine, has no line: then that of the request stands there
    assert own in ([("gil", "app.py", line_of("keep"))], [("gil", "app.py", line_of("awaits it"))])
    assert {each["outcome"] for route, each in checks.items() if route.endswith(("good", "little"))} == {
        "passed",
        "not-exercised",  # those that are excluded
    }


def test_so_is_the_only_one(swept):
    checks, _ = swept("--noblock-include=/own/bad")
    assert [each[0] for each in kept_at(checks["/own/bad"])] == ["gil"]


def test_the_method_of_a_protocol_that_sleeps_is_red(swept):
    checks, _ = swept("--noblock-include=/seen/*")
    assert kept_at(checks["/seen/bad"]) == [("sync-io", "app.py", line_of("reads"))]
    assert checks["/seen/good"]["outcome"] == "passed"


def test_one_that_nobody_sees_is_not_silent(swept):
    checks, result = swept("--noblock-include=/wire/*")
    assert checks["/wire/bad"]["outcome"] == "inconclusive"
    assert checks["/wire/good"]["outcome"] == "passed"
    result.stdout.fnmatch_lines(["a probe of the event loop waited * ms, and no cause was found: *slept *"])


def test_of_what_is_sent_once_it_is_a_doubt(swept):
    checks, result = swept("--noblock-include=/wire/sent-once", "--noblock-methods=POST")
    assert checks["/wire/sent-once"]["outcome"] == "passed"
    result.stdout.fnmatch_lines(["  unsettled  POST /wire/sent-once: in the run of many requests *no cause was found*"])

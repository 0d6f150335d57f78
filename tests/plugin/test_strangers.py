"""A thread of a library's that keeps the GIL, started as the app was imported: nobody knows whose it is. It is told."""

from tests.plugin import three_clients

SDK = """
import concurrent.futures, json, queue, threading, time

class Sdk:
    def __init__(self):
        self._jobs = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            job, argument, done = self._jobs.get()
            done.set_result(JOBS[job](argument))

    def send(self, job, argument):
        done = concurrent.futures.Future()
        self._jobs.put((job, argument, done))
        return done

JOBS = {"dump": lambda rows: len(json.dumps(rows)), "sleep": time.sleep}
"""
APP = """
import asyncio
from fastapi import FastAPI
from vendor.sdk import Sdk

app = FastAPI()
SDK = Sdk()
BIG = [{"id": each, "name": "user", "tags": ["a", "b", "c"], "score": each / 7} for each in range(150_000)]

@app.get("/send")
async def send():
    return await asyncio.wrap_future(SDK.send("dump", BIG))

@app.get("/sleep")
async def sleep():
    return await asyncio.wrap_future(SDK.send("sleep", 0.2))
"""


def test_it_is_told_in_each_mode_and_one_that_lets_go_of_it_is_not(pytester, monkeypatch):
    vendor = pytester.mkdir("site") / "vendor"
    vendor.mkdir()
    (vendor / "__init__.py").touch()
    (vendor / "sdk.py").write_text(SDK)
    monkeypatch.setenv("PYTHONPATH", str(vendor.parent), prepend=":")
    pytester.makepyfile(shop=APP)
    result, checks = three_clients.ask(pytester, ["/send", "/sleep"])
    result.assert_outcomes(passed=6)
    notes = [(check["request"], [each for each in check["notes"] if "for the GIL" in each]) for check in checks]
    assert sorted((request, len(told)) for request, told in notes) == [("GET /send", 1)] * 3 + [("GET /sleep", 0)] * 3
    result.stdout.fnmatch_lines(
        ["  unsettled  the event loop waited * ms for the GIL, which `vendor.sdk.Sdk._run` kept; *"]
    )

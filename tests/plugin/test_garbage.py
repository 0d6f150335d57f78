"""A garbage collection that falls due while a request is under way: nobody's fault, and no silent green."""

from tests.plugin import three_clients

APP = """
import asyncio, gc
from fastapi import FastAPI

app = FastAPI()
HEAP = [[{"a": [i]}, (i,)] for i in range(200_000)]

def fall_due():
    before, kept = gc.get_stats()[2]["collections"], []
    gc.set_threshold(100, 1, 1)
    try:
        while gc.get_stats()[2]["collections"] == before and len(kept) < 1_000_000:
            kept += [[] for _ in range(200)]
            yield
    finally:
        gc.set_threshold(*USUAL)

USUAL = gc.get_threshold()

@app.get("/loop")
async def loop():
    for _ in fall_due():
        await asyncio.sleep(0)

@app.get("/thread")
def thread():
    for _ in fall_due():
        pass

@app.get("/asked")
async def asked():
    before = 1
    gc.collect()  # asked
    return before

@app.get("/none")
async def none():
    await asyncio.sleep(0)
"""
NOTE = "unsettled  a garbage collection that fell due held the event loop * ms while GET {} was under way; not counted"


def test_one_that_falls_due_is_told_in_each_mode_and_one_that_is_asked_for_is_red(pytester):
    pytester.makepyfile(shop=APP)
    (line,) = three_clients.lines(APP, "asked")
    result, checks = three_clients.ask(pytester, ["/loop", "/thread", "/asked", "/none"])
    result.assert_outcomes(failed=3, passed=9)
    result.stdout.fnmatch_lines(
        ["GET /asked blocked the event loop * ms (limit 50 ms)", "", f"  by *:{line} in asked"] * 3
    )
    told = {check["request"]: [] for check in checks}
    for check in checks:
        told[check["request"]] += [note for note in check["notes"] if "garbage collection that fell due" in note]
    assert {request: len(notes) for request, notes in told.items()} == {
        "GET /loop": 3, "GET /thread": 3, "GET /asked": 0, "GET /none": 0,
    }  # fmt: skip
    assert not [note for check in checks for note in check["notes"] if "kept it asleep" in note]

"""A signal handler runs in no step: where it holds the loop that polls, a watched test says so."""

import json

import pytest

SUITE = """
import asyncio
import signal
import time

import httpx
from fastapi import FastAPI

app = FastAPI()

def on_alarm(*_):
    {step}  # here

@app.get("/alarm")
async def alarm():
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    await asyncio.sleep(0.3)

def test_it():
    async def send():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            await client.get("/alarm")
    asyncio.run(send())
"""


@pytest.mark.every_python
@pytest.mark.parametrize(("step", "told"), [("time.sleep(0.3)", True), ("pass", False)])
def test_a_signal_handler_that_sleeps_while_the_loop_polls_is_told_with_its_line(pytester, step, told):
    pytester.makepyfile(test_it=SUITE.format(step=step))
    result = pytester.runpytest_subprocess("--noblock", "--noblock-report=r.json")
    result.assert_outcomes(passed=1)
    (check,) = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))["checks"]
    held = "test_it.py:11 in on_alarm held the event loop for more than 50 ms, in a signal handler, or a finalizer"
    assert any(held in note for note in check["notes"]) is told

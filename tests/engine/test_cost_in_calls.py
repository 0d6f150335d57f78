"""What one tiny watched request costs, in functions of ours and in instructions of the interpreter.

No time is measured, so that a busy machine changes nothing.
"""

import asyncio
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from pytest_noblock.engine.steps import handles, meter
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.engine.watch import Kit
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin.watching import ItemRecorder

pytest.importorskip("starlette.testclient")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

S = 1_000_000_000

PASSED_ON = {"_run", "select", "who", "waits", "positional"}
"""Wrappers that pass on what is of no request: how often, the client decides, and its threads."""
OF_EACH_THREAD = {"_in_collection", "_collects_since", "_collected"}
"""Called once for each thread that lives, at each reading of the clocks: earlier tests leave some, 11 once."""
MOST_CALLS = 340
"""Of all other functions of ours, for one test with one request. Measured: 267 to 268 alone, on CPython 3.11 to 3.13;
284 to 300 among all tests, whose apps and threads are looked at as well."""
MOST_INSTRUCTIONS = 27
"""Of the interpreter's, for a step that is of no request. Measured: 23 to 25. The test client has fifty a request."""


async def index(_request):
    return PlainTextResponse("ok")


def get():
    assert TestClient(Starlette(routes=[Route("/", index)])).get("/").text == "ok"


def watched_test(kit):
    recorder = ItemRecorder(kit, Limits(20 * S), "test", shares_kit=True)
    recorder.start(inherits=True)
    get()
    recorder.stop()
    assert recorder.uneventful()
    recorder.late_checks("test", lambda: None)


@pytest.fixture
def kit(monkeypatch):
    """Its patches are in, and nobody looks: no step is long."""
    monkeypatch.setattr(meter, "_NOTABLE_NS", 100 * S)
    kit = Kit("portable", UserCode(str(Path(__file__).parent)))
    first = ItemRecorder(kit, Limits(20 * S), shares_kit=True)
    first.start()
    yield kit
    first.abandon()
    kit.close()


def ours_called(function):
    """How often each function of ours is called, in all threads."""
    called = Counter()

    def note(frame, event, _argument):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            called[frame.f_code.co_name] += 1

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
        threading.setprofile(before)
    return called


def test_a_watched_request_calls_few_functions_of_ours(kit):
    for _ in range(3):
        watched_test(kit)
    called = min((ours_called(lambda: watched_test(kit)) for _ in range(5)), key=Counter.total)
    others = Counter({name: times for name, times in called.items() if name not in PASSED_ON | OF_EACH_THREAD})
    assert others.total() <= MOST_CALLS, others.most_common(60)
    assert others["segment"] == 0  # of a short step nothing is kept


def instructions(function, code):
    """How many instructions of the interpreter run in the code itself while the function runs."""
    count = 0

    def traced(frame, event, _argument):
        nonlocal count
        count += event == "opcode"
        return traced

    def begins(frame, _event, _argument):
        if frame.f_code is not code:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return traced

    before = sys.gettrace()
    sys.settrace(begins)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def test_a_step_of_no_request_takes_few_instructions(kit):
    async def turns(number):
        for _ in range(number):
            await asyncio.sleep(0)

    code = asyncio.Handle._run.__code__
    assert code.co_filename == handles.__file__
    few, many = (instructions(lambda number=number: asyncio.run(turns(number)), code) for number in (10, 110))
    assert 0 < (many - few) / 100 <= MOST_INSTRUCTIONS

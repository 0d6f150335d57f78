"""The tracers tell the counters which user line runs, and leave the tracer to whoever has it."""

import sys
import threading

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.steps import line_tracers
from pytest_noblock.engine.steps.line_tracers import counting
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.usercode import UserCode

TRACERS = ["monitoring", "settrace"] if sys.version_info >= (3, 12) else ["settrace"]


class Counters:
    """Notes which line runs from when on."""

    exhausted = False

    def __init__(self):
        self.lines = []

    def at(self, line, _frame):
        self.lines.append(None if line is None else (line[0].co_name, line[1] - line[0].co_firstlineno))


@pytest.fixture(params=TRACERS)
def tracer(request, monkeypatch):
    """Each of the two, wherever it works; coverage's own, which may have either, is set aside."""
    if request.param == "settrace":
        monkeypatch.setattr(line_tracers.sys, "version_info", (3, 11))
        before = sys.gettrace()
        monkeypatch.setattr(threading, "_trace_hook", None)
        sys.settrace(None)
        yield request.param
        sys.settrace(before)
    else:
        yield request.param


@pytest.fixture
def meter(user):
    return StepMeter(PortableClock(), user)


@pytest.fixture
def counters():
    return Counters()


def callee():
    return 1


def two_lines():
    first = 1
    return first + callee()


def test_the_tracer_tells_each_user_line(tracer, meter, counters, user):
    with counting(meter, counters, user) as armed:
        assert armed
        two_lines()
    told = [line for line in counters.lines if line and line[0] in ("two_lines", "callee")]
    assert [line for line in told if line[1]][:4] == [
        ("two_lines", 1),
        ("two_lines", 2),
        ("callee", 1),
        ("two_lines", 2),
    ]


# fmt: off
def one_line(): return callee()


def returned_by_lambda(): return (lambda: callee() + 1)()  # noqa: PLC3002


def generated(): return list(callee() for _ in range(2))  # noqa: C400


async def awaited(): return callee()


async def awaits():
    return await awaited()
# fmt: on


def run(coroutine):
    with pytest.raises(StopIteration):
        coroutine.send(None)


@pytest.mark.every_python
@pytest.mark.parametrize(
    ("function", "told"),
    [
        (one_line, ["one_line", "callee", "one_line"]),
        (returned_by_lambda, ["returned_by_lambda", "<lambda>", "callee", "<lambda>"]),
        (generated, ["generated", "<genexpr>", "callee", "<genexpr>", "generated", "<genexpr>", "callee"]),
        (lambda: run(awaits()), ["awaits", "awaited", "callee", "awaited"]),
    ],
)
def test_a_function_on_one_line_is_told_as_it_begins_and_once(tracer, meter, counters, user, function, told):
    """3.13 tells no new line after RESUME, where the line is the one of RESUME."""
    with counting(meter, counters, user):
        function()
    lines = [line for line in counters.lines if line and (line[0] != "callee" or line[1])]
    begin = [name for name, _ in lines].index(told[0])
    before = tracer == "settrace" or sys.version_info >= (3, 15)  # they tell a call as well as the line after it
    names = [name for name, _ in lines[begin:]]
    assert (_once(names) if before else names)[: len(told)] == told


def _once(names):
    return [name for at, name in enumerate(names) if not at or names[at - 1] != name]


def test_the_lines_of_others_are_not_told(tracer, meter, counters):
    with counting(meter, counters, UserCode("/elsewhere")) as armed:
        assert armed
        two_lines()
    assert counters.lines == []


def test_the_lines_of_other_threads_are_not_told(tracer, meter, counters, user):
    with counting(meter, counters, user):
        thread = threading.Thread(target=two_lines)
        thread.start()
        thread.join()
    assert not [line for line in counters.lines if line and line[0] == "two_lines"]


def test_a_frame_that_is_left_without_a_user_frame_around_it_is_nobodys(tracer, meter, counters, user):
    with counting(meter, counters, user):
        sorted([2, 1], key=lambda value: value)
    assert counters.lines


def test_counters_that_are_exhausted_are_told_no_more(tracer, meter, counters, user):
    """Of no event: lines, resumed generators, frames that are left."""
    counters.exhausted = True
    with counting(meter, counters, user):
        for _ in range(10):
            two_lines()
        sum(number for number in range(10))
    assert len(counters.lines) < 4  # instead of 80 and more


def test_the_meter_has_the_counters_while_they_count(tracer, meter, counters, user):
    with counting(meter, counters, user):
        assert meter._lines is counters
    assert meter._lines is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no sys.monitoring")
def test_nothing_of_the_monitor_is_left(meter, counters, user):
    before = [sys.monitoring.get_tool(each) for each in range(6)]
    with counting(meter, counters, user):
        assert "pytest-noblock" in [sys.monitoring.get_tool(each) for each in range(6)]
    assert [sys.monitoring.get_tool(each) for each in range(6)] == before


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no sys.monitoring")
def test_tools_of_others_are_left_to_them(meter, counters, user):
    for tool in (3, 4):
        sys.monitoring.use_tool_id(tool, "somebody")
    try:
        with counting(meter, counters, user) as armed:
            assert not armed
            assert meter._lines is None
    finally:
        for tool in (3, 4):
            sys.monitoring.free_tool_id(tool)


def test_a_tracer_of_somebody_else_is_left_to_it(meter, counters, user, monkeypatch):
    monkeypatch.setattr(line_tracers.sys, "gettrace", lambda: print)
    assert line_tracers._tracing(counters, user) is None

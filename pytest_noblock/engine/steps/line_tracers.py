"""Tells the line counters which line runs: by `sys.monitoring` from Python 3.12 on, by `sys.settrace` before.

Python calls each callback on the thread that runs the line. Only the lines of the meter's thread count.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from pytest_noblock.engine.raw_stacks import line_of, walk_out
from pytest_noblock.engine.steps.line_costs import Key, LineCounters
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.usercode import UserCode

Disarm = Callable[[], None]

_TOOL_IDS = (4, 3)
"""Of `sys.monitoring`; 0, 1, 2 and 5 are reserved for debugger, coverage, profiler and optimizer."""


@contextmanager
def counting(meter: StepMeter, counters: LineCounters, user: UserCode) -> Iterator[bool]:
    """Count the lines of the calling thread, which is the meter's; False where somebody else owns the tracer."""
    if sys.version_info >= (3, 12):
        disarm = _monitoring(counters, user)
    else:
        disarm = _tracing(counters, user)
    if disarm is None:
        yield False
        return
    meter.attach_lines(counters)
    try:
        yield True
    finally:
        meter.attach_lines(None)
        disarm()


if sys.version_info >= (3, 12):

    class _Monitor:
        """The callbacks of `sys.monitoring`. Each is called with the code object first, by whichever thread runs it."""

        def __init__(self, tool: int, counters: LineCounters, user: UserCode) -> None:
            self._tool = tool
            self._counters = counters
            self._user = user
            self._ident = threading.get_ident()
            self._told: Key | None = None
            """The line of a function that has just begun: 3.12 tells this line as well, 3.13 does not always."""

        def started(self, code: CodeType, offset: int) -> object:
            """For `def load(): time.sleep(1)`, a lambda, a generator expression: no new line comes after RESUME."""
            if code.co_filename not in self._user or not _goes_on_in_line(code, offset):
                return sys.monitoring.DISABLE
            if threading.get_ident() == self._ident:
                frame = sys._getframe(1)
                line = code, line_of(frame)
                self._at(line, frame)
                self._told = line
            return None

        def line(self, code: CodeType, number: int) -> object:
            if code.co_filename not in self._user:
                return sys.monitoring.DISABLE
            if threading.get_ident() != self._ident:
                return None
            if self._told == (code, number):
                self._told = None
            else:
                self._at((code, number), sys._getframe(1))
            return None

        def resumed(self, code: CodeType, *_event: object) -> None:
            if self._mine(code):
                frame = sys._getframe(1)
                self._at((code, line_of(frame)), frame)

        def left(self, code: CodeType, *_event: object) -> None:
            if self._mine(code):
                frame = sys._getframe(1)
                self._at(_caller(frame, self._user), frame)

        def _at(self, line: Key | None, frame: FrameType) -> None:
            self._told = None
            self._counters.at(line, frame)
            if self._counters.exhausted:  # of all events: a generator may be resumed a million times
                sys.monitoring.set_events(self._tool, 0)

        def _mine(self, code: CodeType) -> bool:
            return code.co_filename in self._user and threading.get_ident() == self._ident

        def callbacks(self) -> dict[int, Callable[..., object]]:
            events = sys.monitoring.events
            return {
                events.LINE: self.line,
                events.PY_START: self.started,
                events.PY_RESUME: self.resumed,
                events.PY_THROW: self.resumed,
                events.PY_RETURN: self.left,
                events.PY_YIELD: self.left,
                events.PY_UNWIND: self.left,
            }

    def _goes_on_in_line(code: CodeType, offset: int) -> bool:
        """Whether the instruction after the one at `offset` is on the same line."""
        here, following = islice(code.co_positions(), offset // 2, offset // 2 + 2)
        return here[0] == following[0]

    def _monitoring(counters: LineCounters, user: UserCode) -> Disarm | None:
        monitoring = sys.monitoring
        tool = next((each for each in _TOOL_IDS if monitoring.get_tool(each) is None), None)
        if tool is None:
            return None
        callbacks = _Monitor(tool, counters, user).callbacks()
        monitoring.use_tool_id(tool, "pytest-noblock")
        for event, callback in callbacks.items():
            monitoring.register_callback(tool, event, callback)
        monitoring.set_events(tool, sum(callbacks))
        monitoring.restart_events()  # lines that an earlier run disabled are told again

        def disarm() -> None:
            monitoring.set_events(tool, 0)
            for event in callbacks:
                monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)

        return disarm


def _tracing(counters: LineCounters, user: UserCode) -> Disarm | None:
    if sys.gettrace() is not None or threading.gettrace() is not None:
        return None  # coverage or a debugger has it

    def frame_began(frame: FrameType, _event: str, _arg: object) -> Any:
        if frame.f_code.co_filename not in user:
            return None
        counters.at((frame.f_code, line_of(frame)), frame)
        return local

    def local(frame: FrameType, event: str, _arg: object) -> Any:
        if event == "line":
            counters.at((frame.f_code, line_of(frame)), frame)
        elif event == "return":
            counters.at(_caller(frame, user), frame)
        if counters.exhausted:  # to return None would not end the tracing of this frame
            frame.f_trace = None
            sys.settrace(None)
        return local

    sys.settrace(frame_began)
    return lambda: sys.settrace(None)


def _caller(frame: FrameType, user: UserCode) -> Key | None:
    """The user line that goes on when `frame` is left; None where no user frame called it."""
    for each in walk_out(frame.f_back):
        if each.f_code.co_filename in user:
            return each.f_code, line_of(each)
    return None

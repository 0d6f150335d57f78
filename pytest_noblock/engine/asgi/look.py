"""Looks for requests that enter an app in none of the ways that `entry_points` knows.

As where a test awaits a function app by hand, where a transport of its own does, or a
server in a thread. Python tells when a code object begins (`sys.monitoring`, PY_START):
of each code but those of ASGI apps it tells once, and no more until the end of the run.
An ASGI app is a coroutine that takes three values (a method: three more), of which the
first is a scope. Where such a call is nobody's request yet, it is one from here on. Its
local variables `receive` and `send` are exchanged for the border's, as if the app had
been given these.

Python 3.12 and later; on 3.11, and where another tool has the id, nobody looks. Not
seen: an app that is no coroutine function, or that is written in C.
"""

import inspect
import sys
import threading
from collections.abc import Callable, MutableMapping
from types import CodeType, FrameType
from typing import Any, Protocol

from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.guard import guarded, noted
from pytest_noblock.engine.usercode import PACKAGE

TOOL_ID = 5
"""Of `sys.monitoring`; reserved for optimizers, of which CPython 3.12 to 3.15 have none. 3 and 4 are ours already."""

_KINDS = {"http", "websocket", "lifespan"}
_COROUTINE = inspect.CO_COROUTINE


class Function:
    """In the place of a function app, of which a frame knows no more."""

    def __init__(self, frame: FrameType) -> None:
        self.__code__ = frame.f_code
        self.__module__ = str(frame.f_globals.get("__name__"))


class Passed:
    """In the place of `receive`, or `send`: equal to what was given, which a test may compare it with."""

    def __init__(self, ours: Callable[..., Any], given: object) -> None:
        self._ours = ours
        self._given = given
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)

    def __call__(self, *args: Any) -> Any:
        __tracebackhide__ = True
        return self._ours(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._given, name)

    def __eq__(self, other: object) -> bool:
        return other is self or self._given == other

    def __hash__(self) -> int:
        return hash(self._given)


class Entry(Protocol):
    """A request that has entered."""

    calls: tuple[Callable[..., Any], Callable[..., Any]]
    """The `receive` and `send` that are the app's from now on."""

    def suspend(self) -> None:
        """The app's call waits."""

    def resume(self) -> None:
        """It goes on."""

    def leave(self, error: BaseException | None) -> None:
        """It has ended."""


Enter = Callable[[object, Any, Any, Any], Entry | None]
"""Takes app, scope, receive and send; returns None where that is no request to be recorded."""


if sys.version_info >= (3, 12):
    _monitoring = sys.monitoring
    _events = _monitoring.events

    _LOCAL = _events.PY_RETURN | _events.PY_YIELD | _events.PY_RESUME

    class Look:
        """From `start` to `stop`; `enter` is told of calls on whichever thread they begin."""

        def __init__(self, enter: Enter) -> None:
            self._enter = enter
            self._open: dict[int, tuple[CodeType, Entry]] = {}
            """By the `id` of the app's frame, which lives as long as its entry."""
            self._opening = threading.RLock()
            """Whether anybody is in `_open` and whether somebody hears of unwinding change together."""
            self._apps: dict[int, CodeType] = {}
            """By `id`: an app of another file may have an equal code, and the hash of a code takes longer than all else
            that an app's call costs here."""
            self._functions: dict[int, Function] = {}
            """Of those apps that have entered, likewise."""
            self._told: dict[int, Callable[..., object]] = {
                _events.PY_START: self._begins,
                _events.PY_RETURN: self._returns,
                _events.PY_UNWIND: self._unwinds,
                _events.PY_YIELD: self._suspends,
                _events.PY_RESUME: self._resumes,
            }
            self._on = False

        def start(self) -> None:
            if self._on or _monitoring.get_tool(TOOL_ID) is not None:
                return
            _monitoring.use_tool_id(TOOL_ID, "pytest-noblock entries")
            for event, function in self._told.items():
                _monitoring.register_callback(TOOL_ID, event, function)
            _monitoring.set_events(TOOL_ID, _events.PY_START)
            self._on = True

        def stop(self) -> None:
            if not self._on:
                return
            self._on = False
            _monitoring.set_events(TOOL_ID, 0)
            for function in self._functions.values():
                _monitoring.set_local_events(TOOL_ID, function.__code__, 0)
            for event in self._told:
                _monitoring.register_callback(TOOL_ID, event, None)
            _monitoring.free_tool_id(TOOL_ID)
            self._apps.clear()
            self._functions.clear()

        def _begins(self, code: CodeType, _offset: int) -> object:
            if not code.co_flags & _COROUTINE:  # nearly all
                return _monitoring.DISABLE
            try:
                if id(code) not in self._apps:
                    if not _may_be_asgi(code) or not _is_call(sys._getframe(1)):
                        return _monitoring.DISABLE
                    self._apps[id(code)] = code
                inside = CURRENT.get() is not None
                if inside and not self._open:  # each layer of an app; to make a frame's object costs more than all else
                    return None
                frame = sys._getframe(1)
                self._open.pop(id(frame), None)  # a call that was dropped while it waited may have left its entry
                if not inside:
                    self._enters(frame)
            except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
                noted(error)
            return None

        def _enters(self, frame: FrameType) -> None:
            code = frame.f_code
            if id(code) not in self._functions:
                self._functions[id(code)] = Function(frame)
                _monitoring.set_local_events(TOOL_ID, code, _LOCAL)
                _monitoring.set_events(TOOL_ID, _events.PY_START | _events.PY_UNWIND)
            names, values = _parameters(code), frame.f_locals
            app = self._functions[id(code)] if code.co_argcount == 3 else values[code.co_varnames[0]]
            entry = self._enter(app, *(values[name] for name in names))
            if entry is not None:
                with self._opening:
                    self._open[id(frame)] = code, entry
                    self._hears_unwinds(self._unwinds)
                passed = (Passed(ours, values[name]) for name, ours in zip(names[1:], entry.calls, strict=True))
                guarded(_exchange, frame, dict(zip(names[1:], passed, strict=True)))

        def _entry(self, frame: FrameType) -> "Entry | None":
            code, entry = self._open.get(id(frame), (None, None))
            return entry if code is frame.f_code else None

        def _returns(self, _code: CodeType, _offset: int, _value: object) -> None:
            if self._open:
                self._leaves(sys._getframe(1), None)

        def _unwinds(self, _code: CodeType, _offset: int, error: BaseException) -> None:
            if self._open:
                self._leaves(sys._getframe(1), error)

        def _leaves(self, frame: FrameType, error: BaseException | None) -> None:
            entry = self._entry(frame)
            if entry is not None:
                with self._opening:
                    del self._open[id(frame)]
                    if not self._open:
                        self._hears_unwinds(None)
                guarded(entry.leave, error)

        @staticmethod
        def _hears_unwinds(function: Callable[..., object] | None) -> None:
            """Python tells of all frames that an error leaves, or of none. A suite has a hundred for each request.

            The event stays on, for to switch it makes Python look through all code anew.
            """
            _monitoring.register_callback(TOOL_ID, _events.PY_UNWIND, function)

        def _suspends(self, _code: CodeType, _offset: int, _value: object) -> None:
            if self._open and (entry := self._entry(sys._getframe(1))) is not None:
                guarded(entry.suspend)

        def _resumes(self, _code: CodeType, _offset: int) -> None:
            if self._open and (entry := self._entry(sys._getframe(1))) is not None:
                guarded(entry.resume)

else:

    class Look:
        """Nobody can tell."""

        def __init__(self, enter: Enter) -> None:
            """See above."""

        def start(self) -> None:
            """See above."""

        def stop(self) -> None:
            """See above."""


def _parameters(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[code.co_argcount - 3 : code.co_argcount]


def _may_be_asgi(code: CodeType) -> bool:
    """A coroutine function of three parameters, or a method; none of ours."""
    if not code.co_flags & _COROUTINE or code.co_argcount not in (3, 4):
        return False
    return not code.co_filename.startswith(PACKAGE)


def _is_call(frame: FrameType) -> bool:
    """Whether the function is given a scope, or names its parameters as the specification does."""
    names = _parameters(frame.f_code)
    if names == ("scope", "receive", "send"):
        return True
    scope, receive, send = map(frame.f_locals.get, names)
    return isinstance(scope, MutableMapping) and scope.get("type") in _KINDS and callable(receive) and callable(send)


def _exchange(frame: FrameType, values: dict[str, object]) -> None:
    """Other values for local variables of a function that has just begun.

    `f_locals` writes through from Python 3.13 on. 3.12 has a function in C for debuggers, which 3.13 keeps and does
    nothing in.
    """
    frame.f_locals.update(values)
    if sys.version_info < (3, 13):
        import ctypes

        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))

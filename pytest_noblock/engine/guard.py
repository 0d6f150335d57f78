"""Faults of our own: noted where our code meets the user's, and told at the end of the test. The user never gets them.

An entrance looks like this, and costs nothing where nothing is raised:

    try:
        ...our work...
    except Exception as error:
        noted(error)

KeyboardInterrupt, SystemExit and pytest's outcomes are no `Exception`, and pass. A signal may come while our code runs:
what its handler raises is the user's, and `noted` raises it again.
"""

import errno
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import CodeType, TracebackType
from typing import Any, NamedTuple, TypeVar

from pytest_noblock.engine.errors import shown, without_secrets
from pytest_noblock.engine.usercode import PACKAGE

T = TypeVar("T")

_MOST_KEPT = 1000
"""Faults of one test. One of ours in a step comes again in each step."""
_DEEP = 50
"""So many frames of ours are one of our functions that calls itself without end. Fewer: the app's stack was full."""
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
_PLEASE = "please report it, with this line"


class Fault(NamedTuple):
    """An error of ours, in words."""

    error: str
    place: str
    """`pytest_noblock/engine/watch.py:112 in request_enters`; empty where it is not our line that is wrong."""
    advice: str = _PLEASE

    @property
    def sentence(self) -> str:
        place = f" at {self.place}" if self.place else ""
        return f"noblock failed, and did not judge this test: {self.error}{place}; {self.advice}"


waiting: list[Fault] = []
"""Those that nobody has taken yet. A list: any thread may append to it."""


def noted(error: Exception) -> None:
    """Keep the error for the end of the test. Called in an `except` block of one of our entrances."""
    codes = list(_codes(error.__traceback__))
    if _is_a_handlers(codes):
        raise error
    if isinstance(error, RecursionError) and len(codes) < _DEEP:
        return  # the app recurses until its stack is full, and gets this error from its own next call
    if len(waiting) < _MOST_KEPT:
        waiting.append(_lack(error) or Fault(_named(error), _place(error.__traceback__)))


def fault(error: Exception) -> str:
    """Note the error, and give its sentence."""
    noted(error)
    return (_lack(error) or Fault(_named(error), _place(error.__traceback__))).sentence


def guarded(function: Callable[..., T], *args: Any) -> T | None:
    """Call a function of ours, in a call of the user's that is none of the hot ones; None where it fails."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001  # ours, and not the user's
        noted(error)
        return None


class Around:
    """A context manager of ours around a call of the user's: where it fails, the call is made all the same."""

    def __init__(self, make: Callable[..., AbstractContextManager[object]], *args: Any) -> None:
        self._make = make
        self._args = args
        self._entered: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        try:
            manager = self._make(*self._args)
            manager.__enter__()
            self._entered = manager
        except Exception as error:  # noqa: BLE001  # as above
            noted(error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entered is not None:
            try:
                self._entered.__exit__(kind, error, trace)
            except Exception as ours:  # noqa: BLE001  # as above
                if ours is not error:
                    noted(ours)


def last() -> str:
    """The sentence of the last fault that nobody has taken."""
    return waiting[-1].sentence


def taken() -> list[Fault]:
    """The faults so far, each once; they are then forgotten."""
    faults = list(dict.fromkeys(waiting))
    waiting.clear()
    return faults


def _named(error: Exception) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  # the `__str__` of a class of the user's
        return shown(error)
    return without_secrets(" ".join(text.split())[:300])


def _lack(error: Exception) -> Fault | None:
    """What the machine lacks is told once, wherever we needed it."""
    if isinstance(error, OSError) and error.errno in _NO_DESCRIPTOR:
        advice = "this process has no file descriptor left: close what the tests leave open, or raise `ulimit -n`"
        return Fault(f"OSError: {error.strerror}", "", advice)
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        advice = (
            "this process can start no thread more: end what the tests leave running, or raise the limit of threads"
        )
        return Fault(_named(error), "", advice)
    return None


def _place(trace: TracebackType | None) -> str:
    """The innermost line of ours: below it may lie a library's, or an object of the user's."""
    ours = [each for each in _entries(trace) if each.tb_frame.f_code.co_filename.startswith(PACKAGE)]
    if not ours:
        return "an unknown line"
    code = ours[-1].tb_frame.f_code
    file = code.co_filename[len(PACKAGE) :].replace("\\", "/")
    return f"pytest_noblock/{file}:{ours[-1].tb_lineno} in {code.co_name}"


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _codes(trace: TracebackType | None) -> Iterator[CodeType]:
    return (each.tb_frame.f_code for each in _entries(trace))


def _is_a_handlers(codes: list[CodeType]) -> bool:
    """Whether a handler of a signal raised the error: Python calls it between any two instructions, ours as well."""
    handlers = (signal.getsignal(each) for each in signal.valid_signals())
    return any(getattr(each, "__code__", None) in codes for each in handlers if callable(each))

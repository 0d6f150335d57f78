"""The garbage collector: what a step asks it for is the step's own work, what falls due in the step is not."""

import _thread
import gc
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.now import sleep
from pytest_noblock.engine.patches import Patch, unwrapped
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps import fallen_due, python_threads
from pytest_noblock.engine.steps.meter import STEPPING
from pytest_noblock.engine.usercode import PACKAGE

border(__file__, inside=("collect", "collection", "_note"), collecting=("collect",))

_ident = threading.get_ident
_in_collect = threading.local()
_unpatched_collect = unwrapped(gc.collect)
_ALL = 2
"""The generation that `gc.collect()` collects."""


_AGAIN_S = 0.001
"""Seconds after which a signal is sent again: the callback of the collector in which it was lost is over by then."""


def patches() -> Iterator[Patch]:
    """Note each explicit `gc.collect()`; lose no signal. `collection` is in `gc.callbacks` as long as they are in."""
    yield Patch(gc, "collect", _collect)
    yield Patch(sys, "unraisablehook", _sending_again)


def _collect(original: Callable[..., int]) -> Callable[..., int]:
    """An explicit `gc.collect()` is the request's own work, unlike a collection that just falls due."""

    def collect(*args: Any, **kwargs: Any) -> int:
        __tracebackhide__ = True
        _in_collect.explicit = True
        try:
            return original(*args, **kwargs)
        finally:
            _in_collect.explicit = False

    return collect


def collection(phase: str, details: dict[str, int]) -> None:
    """The callback in `gc.callbacks`, called by the thread that triggers the collection.

    It is often the first Python code after a long call in C, so the step is looked at here, if that is overdue.
    """
    guarded(_note, phase, details, sys._getframe().f_back)


def _note(phase: str, details: dict[str, int], caller: FrameType | None) -> None:
    meter = STEPPING.get(_ident())
    old = bool(details.get("generation"))  # one of the youngest objects alone is always short
    if meter is None:
        if old and not _is_asked_for(details, caller):
            fallen_due.collection(phase)
            if details["generation"] == _ALL:
                python_threads.collection(phase)
        return
    meter.look_if_late()
    if not _is_asked_for(details, caller):
        meter.deductions.collection(phase)
        if old:
            fallen_due.collection(phase)


def _sending_again(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """Send a signal again whose handler raised in a callback of ours, as Ctrl-C, or the alarm of pytest-timeout.

    A signal that comes while the collector runs waits for the next Python code. That is our callback, and what a
    callback raises goes to this hook and no further.
    """

    def unraisablehook(unraisable: Any) -> None:
        number = _lost_signal(unraisable)
        if number is None:
            original(unraisable)
        else:
            _thread.start_new_thread(_send_again, (number, signal.getsignal(number)))

    return unraisablehook


def _lost_signal(unraisable: Any) -> int | None:
    """The traceback begins in the callback. From Python 3.14 on nothing else names one in `gc.callbacks`."""
    error = unraisable.exc_value
    codes = [] if error is None else [frame.f_code for frame, _line in traceback.walk_tb(error.__traceback__)]
    if not (codes and codes[0].co_filename.startswith(PACKAGE) and hasattr(signal, "pthread_kill")):
        return None
    if isinstance(error, KeyboardInterrupt):
        return signal.SIGINT
    handlers = {each: signal.getsignal(each) for each in signal.valid_signals()}
    return next((each for each, handler in handlers.items() if getattr(handler, "__code__", None) in codes), None)


def _send_again(number: int, handler: object) -> None:
    """Where the handler is gone by now, the signal may end the process, and nobody waits for it any more."""
    sleep(_AGAIN_S)
    ident = threading.main_thread().ident
    if ident is not None and signal.getsignal(number) is handler:
        signal.pthread_kill(ident, number)


def _is_asked_for(details: dict[str, int], frame: FrameType | None) -> bool:
    """Whether the code of `frame` asks for the collection, which then is its own work. None: the interpreter ends."""
    if getattr(_in_collect, "explicit", False):
        return True
    return frame is not None and details.get("generation") == _ALL and _asks_for_it(frame)


def _asks_for_it(frame: FrameType) -> bool:
    """Whether the code that runs calls `collect` by a name of its own, as after `from gc import collect`."""
    names = frame.f_globals
    return any(names.get(name) is _unpatched_collect for name in frame.f_code.co_names)

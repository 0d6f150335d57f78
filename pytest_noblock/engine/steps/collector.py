"""The garbage collector: what a step asks it for is the step's own work, what falls due in the step is not."""

import gc
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytest_noblock.engine.patches import Patch, unwrapped
from pytest_noblock.engine.stacks import border
from pytest_noblock.engine.steps import python_threads
from pytest_noblock.engine.steps.meter import STEPPING

border(__file__, inside=("collect", "collection"))

_ident = threading.get_ident
_in_collect = threading.local()
_unpatched_collect = unwrapped(gc.collect)
_ALL = 2
"""The generation that `gc.collect()` collects."""


def patch() -> Patch:
    """Note each explicit `gc.collect()`. `collection` belongs in `gc.callbacks` as long as it is in."""
    return Patch(gc, "collect", _collect)


def _collect(original: Callable[..., int]) -> Callable[..., int]:
    """An explicit `gc.collect()` is the request's own work, unlike a collection that just falls due."""

    def collect(*args: Any, **kwargs: Any) -> int:
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
    meter = STEPPING.get(_ident())
    if meter is None:
        if details.get("generation") == _ALL and not _is_asked_for(details, sys._getframe().f_back):
            python_threads.collection(phase)
        return
    meter.look_if_late()
    if not _is_asked_for(details, sys._getframe().f_back):
        meter.deductions.collection(phase)


def _is_asked_for(details: dict[str, int], frame: FrameType | None) -> bool:
    """Whether the code of `frame` asks for the collection, which then is its own work. None: the interpreter ends."""
    if getattr(_in_collect, "explicit", False):
        return True
    return frame is not None and details.get("generation") == _ALL and _asks_for_it(frame)


def _asks_for_it(frame: FrameType) -> bool:
    """Whether the code that runs calls `collect` by a name of its own, as after `from gc import collect`."""
    names = frame.f_globals
    return any(names.get(name) is _unpatched_collect for name in frame.f_code.co_names)

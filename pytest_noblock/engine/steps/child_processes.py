"""Child processes: what the step that starts one waits for, and the counters of one that has ended.

`children` makes of them how long the child waited for a processor.
"""

import functools
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.meter import STEPPING
from pytest_noblock.engine.steps.thread_starts import without_first_turn

border(__file__, inside=("execute_child", "try_wait"))

_ident = threading.get_ident


def patches() -> Iterator[Patch]:
    """`Popen._execute_child` and `_try_wait` are private (CPython 3.11 to 3.15; Windows lacks the second)."""
    yield Patch(subprocess.Popen, "_execute_child", lambda original: _noting_child(without_first_turn(original)))
    if hasattr(subprocess.Popen, "_try_wait") and hasattr(os, "waitid"):
        yield Patch(subprocess.Popen, "_try_wait", _before_it_is_gone)


_Child = subprocess.Popen[Any]


def _noting_child(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def execute_child(child: _Child, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        original(child, *args, **kwargs)
        meter = STEPPING.get(_ident())
        if meter is not None:
            guarded(meter.deductions.children.begins, child)

    return execute_child


def _before_it_is_gone(original: Callable[[_Child, int], tuple[int, int]]) -> Callable[[_Child, int], tuple[int, int]]:
    """Have the counters of a child read when it has ended: once its parent has waited for it, nobody can.

    `original` calls `os.waitpid`.
    """

    @functools.wraps(original)
    def try_wait(child: _Child, wait_flags: int) -> tuple[int, int]:
        __tracebackhide__ = True
        meter = STEPPING.get(_ident())
        if meter is not None:
            guarded(meter.deductions.children.begins, child)
            if _has_ended(child, wait_flags):
                guarded(meter.deductions.children.ended, child)
        return original(child, wait_flags)

    return try_wait


def _has_ended(child: _Child, flags: int) -> bool:
    """Waits for the child as `os.waitpid(child.pid, flags)` does, but for leaving it to be waited for."""
    try:
        return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | flags) is not None
    except ChildProcessError:  # somebody else has waited for it
        return False

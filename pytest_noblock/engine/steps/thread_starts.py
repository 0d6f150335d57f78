"""Starts of threads and of processes: when it was, and what the step that starts one waits for. Waits for processes."""

import functools
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pytest_noblock.engine.guard import Around, guarded, noted
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps import python_threads
from pytest_noblock.engine.steps.meter import STEPPING

border(__file__, inside=("first_turn", "start", "execute_child", "try_wait"))

_ident = threading.get_ident


def patches() -> Iterator[Patch]:
    """`Popen._execute_child` and `_try_wait` are private (CPython 3.11 to 3.15; Windows lacks the second)."""
    yield Patch(threading.Thread, "start", lambda original: _first_turn(_noting_birth(original)))
    yield Patch(subprocess.Popen, "_execute_child", lambda original: _noting_child(_first_turn(original)))
    if hasattr(subprocess.Popen, "_try_wait") and hasattr(os, "waitid"):
        yield Patch(subprocess.Popen, "_try_wait", _before_it_is_gone)


def _noting_birth(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @functools.wraps(original)
    def start(thread: threading.Thread) -> None:
        __tracebackhide__ = True
        try:
            thread.noblock_born = now()  # type: ignore[attr-defined]
            python_threads.note_start(thread)
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            noted(error)
        original(thread)

    return start


def born_at(thread: threading.Thread) -> int | None:
    """When the thread was started (ns); None where the patches were not installed then."""
    born: int | None = getattr(thread, "noblock_born", None)
    return born


def _first_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    """Do not charge the step for its wait until a new thread or process has run for the first time.

    `Thread.start` and `Popen` wait for that. Beside busy processes the wait is long, and the
    machine causes it.
    """

    @functools.wraps(original)
    def first_turn(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        meter = STEPPING.get(_ident())
        if meter is None:
            return original(*args, **kwargs)
        with Around(meter.deductions.excluded):
            try:
                return original(*args, **kwargs)
            finally:  # the new thread may have taken the GIL in its first turn, and kept it
                guarded(meter.close_gap_interval)

    return first_turn


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

"""Starts of threads: when it was, and what the step that starts one waits for."""

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pytest_noblock.engine.guard import Around, guarded, noted
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps import python_threads
from pytest_noblock.engine.steps.meter import STEPPING

border(__file__, inside=("first_turn", "start"))

_ident = threading.get_ident


def patches() -> Iterator[Patch]:
    yield Patch(threading.Thread, "start", lambda original: without_first_turn(_noting_birth(original)))


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


def without_first_turn(original: Callable[..., Any]) -> Callable[..., Any]:
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

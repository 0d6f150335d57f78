"""How often other threads go to sleep between two wakes of the watchdog: each time that one hands the GIL over."""

import threading
from typing import NamedTuple

from pytest_noblock.engine.steps.python_threads import Marks
from pytest_noblock.engine.steps.thread_marks import sleeps_of

_MOST_AT_ONCE = 3
"""Threads that are counted at a wake, at most: each takes 15 to 40 us (measured), and the GIL is kept meanwhile."""


class _Count(NamedTuple):
    cpu: int
    """The thread's CPU time (ns) when it was counted: one that has not run since has not slept anew."""
    sleeps: int | None
    """None where nobody has counted."""


_UNBORN = _Count(0, 0)


class SleepCounts:
    """Those at the watchdog's last wake, or before: a thread that computed little since is counted later."""

    def __init__(self) -> None:
        self._counts: dict[threading.Thread, _Count] | None = None
        """None where nobody knows which threads there were."""

    def begin(self, marks: Marks | None) -> None:
        """Of those that live already nobody knows: to ask would cost each test."""
        self._counts = None if marks is None else {each: _Count(cpu, None) for each, cpu in marks.cpu.items()}

    def _before(self, thread: threading.Thread, cpu: int) -> _Count:
        return _Count(cpu, None) if self._counts is None else self._counts.get(thread, _UNBORN)

    def count(self, marks: Marks | None) -> None:
        """Of those that have computed most since they were counted."""
        if marks is None:
            self._counts = None
            return
        counts = {each: self._before(each, cpu) for each, cpu in marks.cpu.items()}
        ran = {each: cpu - counts[each].cpu for each, cpu in marks.cpu.items() if cpu != counts[each].cpu}
        for each in sorted(ran, key=lambda each: -ran[each])[:_MOST_AT_ONCE]:
            counts[each] = _Count(marks.cpu[each], sleeps_of(each.native_id or 0))
        self._counts = counts

    def since(self, thread: threading.Thread | None) -> int | None:
        """Since it was counted, or began; None where nobody knows."""
        if self._counts is None or thread is None:
            return None
        before = self._counts.get(thread, _UNBORN).sleeps
        present = sleeps_of(thread.native_id or 0) if before is not None else None
        return None if before is None or present is None else present - before

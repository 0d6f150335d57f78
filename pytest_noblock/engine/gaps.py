"""Gaps: stretches between steps in which the loop wanted to go on and another thread kept the interpreter lock.

A `select` that returns later than it was told to, and slept again and again meanwhile: who waits
for the lock wakes every `sys.getswitchinterval()`. The thread that had it gives it up
right after the C call that kept it, so that this moment shows the line.
"""

import selectors
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pytest_noblock.engine.clocks import voluntary_switches
from pytest_noblock.engine.now import now
from pytest_noblock.engine.pools import Holder
from pytest_noblock.engine.stacks import RawFrame, raw, settled
from pytest_noblock.engine.stuck import await_chain
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.workers import ThreadClocks
from pytest_noblock.observation import Gap, Worker

_Select = Callable[[float | None], list[Any]]
_MOST_GAPS = 100
_MOST_WORKERS = 8


class GapSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Tells `watch`, while there is one, how long the loop waited."""

    watch: "GapWatch | None" = None

    def select(self, timeout: float | None = None) -> Any:
        if self.watch is None or timeout is None:
            return super().select(timeout)
        return self.watch.around(super().select, timeout)


@dataclass(frozen=True, slots=True)
class _Look:
    """One worker right after a gap."""

    cpu: int
    frames: list[RawFrame]
    awaited: list[RawFrame]


class GapWatch:
    """The gaps of one run that lasted for `shortest` ns at least."""

    def __init__(self, holders: Callable[[], Sequence[Holder]], user: UserCode, shortest: int) -> None:
        self._holders = holders
        self._user = user
        self._shortest = shortest
        self._gaps: list[tuple[Gap, list[_Look]]] = []
        self._clocks = ThreadClocks()

    def mark(self) -> None:
        """To be called from time to time: of a gap is told what threads burned since."""
        self._clocks.mark()

    @contextmanager
    def watching(self, selector: object) -> Iterator[None]:
        """Nothing is seen of a loop that has another selector."""
        if not isinstance(selector, GapSelector):
            yield
            return
        selector.watch = self
        try:
            yield
        finally:
            selector.watch = None

    def around(self, select: _Select, timeout: float) -> list[Any]:
        switches = voluntary_switches()
        others = time.process_time_ns() - time.thread_time_ns()
        began = now()
        try:
            return select(timeout)
        finally:
            ended = now()
            late = ended - began - round(max(0.0, timeout) * 1e9)
            if late >= self._shortest and len(self._gaps) < _MOST_GAPS:
                self._late(began, ended, late, voluntary_switches() - switches, others)

    def _late(self, began: int, ended: int, late: int, switches: int, others: int) -> None:
        others = time.process_time_ns() - time.thread_time_ns() - others
        running = sys._current_frames()
        looks = [
            _Look(cpu, raw(running.get(ident)), self._awaited(ident))
            for ident, cpu in self._clocks.burned()[:_MOST_WORKERS]
        ]
        self._gaps.append((Gap(began, ended, late, switches, others), looks))

    def _awaited(self, ident: int) -> list[RawFrame]:
        """Where the task waits whose call the thread runs; of anyio's threads nobody knows whose it is."""
        waiting = [each for each in self._holders() if each.task is not None and each.ident in (None, ident)]
        mine = [each.task for each in waiting if each.ident == ident] or [each.task for each in waiting]
        return await_chain(mine[0]) if mine and mine[0] is not None else []

    def gaps(self) -> tuple[Gap, ...]:
        """All of them, once the run is over."""
        return tuple(replace(gap, workers=tuple(self._worker(look) for look in looks)) for gap, looks in self._gaps)

    def _worker(self, look: _Look) -> Worker:
        return Worker(look.cpu, settled(look.frames, self._user), settled(look.awaited, self._user))

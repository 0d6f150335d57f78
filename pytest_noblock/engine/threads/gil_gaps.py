"""Gaps: stretches in which the loop's thread wanted to go on and another thread kept the interpreter lock.

A `select` that returns later than it was told to, a thread whose start takes long, any turn of the loop: and who
waits for the lock wakes every `sys.getswitchinterval()`. The thread that had it gives it
up right after the C call that kept it, so that this moment shows the line.
"""

import asyncio
import selectors
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from pytest_noblock.engine.clocks import Clock, LinuxClock, PortableClock, Reading, others_cpu, queued
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import RawFrame, as_stack, capture
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.threads.await_chains import await_chain
from pytest_noblock.engine.threads.pools import Holder
from pytest_noblock.engine.threads.workers import ThreadClocks
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.concurrency import Gap, Worker
from pytest_noblock.model.observation import Segment

Stacks = dict[int, list[RawFrame]]
"""By thread."""
_MOST_GAPS = 100
_WAIT_NS = 5_000_000
"""As long as a thread waits for the interpreter lock before it wakes and asks for it."""
_MOST_WORKERS = 8


class GapSelector(selectors.DefaultSelector):
    """Tells `watch`, while there is one, how long the loop waited."""

    watch: "GilGapDetector | None" = None

    def select(self, timeout: float | None = None) -> Any:
        watch = self.watch
        if watch is None:
            return super().select(timeout)
        watch.close_interval()
        ready = super().select(timeout)
        watch.close_interval(takes_s=timeout)
        return ready


@dataclass(frozen=True, slots=True)
class _Look:
    """One worker right after a gap, or in it."""

    at: int
    thread: threading.Thread
    cpu: int
    frames: list[RawFrame]
    awaited: list[RawFrame]


class GilGapDetector:
    """The gaps of one run that lasted for `shortest` ns at least."""

    def __init__(self, awaited: Callable[[], Sequence[Holder]], user: UserCode, shortest: int) -> None:
        self._awaited_now = awaited
        self._user = user
        self._shortest = shortest
        self._gaps: list[tuple[Gap, list[_Look], int]] = []
        """Each with the looks at those that burned meanwhile, and what those burned that had ended before."""
        self._early: list[_Look] = []
        self._threads = ThreadClocks()
        self._clock: Clock = PortableClock()
        self._told: Reading = (0, 0, b"", 0, 0)
        """Up to here all is told: one reading ends a stretch and begins the next, so that no wait falls between."""

    def reset_marks(self) -> None:
        """To be called from time to time: of a gap is told what threads burned since."""
        marks = self._threads.read()
        if not self.close_interval():  # a wait so far is judged by the marks before
            self._mark(marks)

    def _mark(self, marks: dict[threading.Thread, int]) -> None:
        self._threads.marks = marks
        self._early = []

    @contextmanager
    def watching(self, meter: StepMeter) -> Iterator[None]:
        """In the loop that the meter's thread runs; of one with another selector nothing is seen."""
        selector = getattr(asyncio.get_running_loop(), "_selector", None)
        if not isinstance(selector, GapSelector):
            yield
            return
        self._clock = LinuxClock()
        self._mark(self._threads.read())  # a worker may have burned in the run before
        self._told = self._clock.end()
        selector.watch = meter.gaps = self
        if meter.watchdog is not None:
            meter.watchdog.late = self.sample_early
        try:
            yield
        finally:
            selector.watch = meter.gaps = None
            self._clock.close()

    def close_interval(self, takes_s: float | None = 0, own_sleeps: int = 0) -> bool:
        """Whether the thread waited for the lock since this was called last, in whatever it did and whosever it was.

        `takes_s`: what it may have slept by itself; None: for ever. `own_sleeps`: how often it did.
        """
        began, self._told = self._told, self._clock.end()
        switches = self._told[3] - began[3] - own_sleeps
        if takes_s is None or self._told[0] - began[0] < self._shortest or switches <= 1:
            return False
        stacks = self._stacks()
        gap = _gap(began, self._told, switches, max(0, round(takes_s * 1e9)))
        if gap.late < self._shortest:
            return False
        self._look(gap, stacks)
        return True

    def in_step(self, segment: Segment) -> None:
        """A step has ended that may have waited for the lock: the sooner the look, the better."""
        if segment.asleep >= self._shortest:
            self.close_interval(own_sleeps=len(segment.calls))

    @staticmethod
    def _stacks() -> Stacks:
        """Before all that takes time: a thread asks for the lock every 5 ms, and a processor may be taken from us."""
        return {
            ident: capture(frame) for ident, frame in sys._current_frames().items() if ident != threading.get_ident()
        }

    def sample_early(self) -> None:
        """To be called by whoever else has waited for the lock and has it now: the loop's thread may be next only."""
        stacks = self._stacks()
        self._early.extend(self._looks(stacks, awaited=False))

    def _look(self, gap: Gap, stacks: Stacks) -> None:
        if len(self._gaps) < _MOST_GAPS:
            looks = [each for each in self._early if each.at >= gap.began] + self._looks(stacks)
            ended = self._threads.ended(gap.others_cpu, [each.thread for each in looks])
            self._gaps.append((gap, looks, ended))
        self._mark(self._threads.read())  # what was burned in this gap is not the next one's

    def _looks(self, stacks: Stacks, *, awaited: bool = True) -> list[_Look]:
        burned = sorted(self._threads.burned().items(), key=lambda each: -each[1])[:_MOST_WORKERS]
        idents = [(thread, cpu, thread.ident or 0) for thread, cpu in burned]
        return [
            _Look(now(), thread, cpu, stacks.get(ident, []), self._awaited(ident) if awaited else [])
            for thread, cpu, ident in idents
        ]

    def _awaited(self, ident: int) -> list[RawFrame]:
        """Where the task waits whose call the thread runs; of anyio's threads nobody knows whose it is."""
        waiting = [each for each in self._awaited_now() if each.task is not None and each.ident in (None, ident)]
        mine = [each.task for each in waiting if each.ident == ident] or [each.task for each in waiting]
        running = asyncio.current_task()
        task = mine[0] if mine else running
        if task is None:
            return []
        return _calling() if task is running else await_chain(task)

    def gaps(self) -> tuple[Gap, ...]:
        """All of them, once the run is over."""
        return tuple(replace(gap, workers=self._workers(looks, ended)) for gap, looks, ended in self._gaps)

    def _workers(self, looks: list[_Look], ended: int) -> tuple[Worker, ...]:
        """Those that burned most in one go first; where a thread was that has ended, nobody knows."""
        by_thread: dict[threading.Thread, list[_Look]] = {}
        for look in looks:
            by_thread.setdefault(look.thread, []).append(look)
        gone = [Worker(ended, ())] if ended else []
        return tuple(sorted([*map(self._worker, by_thread.values()), *gone], key=lambda each: -each.cpu))

    def _worker(self, looks: list[_Look]) -> Worker:
        """Where one was at the end of the longest go: at each look somebody else had the lock."""
        before = [0, *(look.cpu for look in looks)]
        cpu, frames = max(
            ((look.cpu - so_far, look.frames) for look, so_far in zip(looks, before, strict=False)),
            key=lambda each: each[0],
        )
        awaited = next((look.awaited for look in looks if look.awaited), [])
        return Worker(cpu, as_stack(frames, self._user), as_stack(awaited, self._user))


def _gap(began: Reading, ended: Reading, switches: int, takes: int) -> Gap:
    """Of the stretch between two readings."""
    wall, cpu = ended[0] - began[0], ended[1] - began[1]
    woken_early = (switches - 1) * _WAIT_NS if takes else 0
    asleep = max(0, wall - cpu - queued(ended[2]) + queued(began[2]))
    return Gap(began[0], ended[0], max(wall - takes - cpu, woken_early), switches, asleep, others_cpu(began, ended))


def _calling() -> list[RawFrame]:
    """The stack of the task that runs now: it has just given the call to a thread, and awaits nothing yet."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return capture(frame)

"""Gaps: stretches in which the loop thread wanted to go on, and another thread kept the GIL.

The loop thread may wait for the GIL anywhere: when `select` returns, when a thread is started, in any step. A thread
that waits for the GIL wakes every `SWITCH_INTERVAL_NS`, so its voluntary context switches rise with the wait.
"""

import asyncio
import gc
import selectors
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pytest_noblock.engine.clocks import (
    CPU,
    QUEUED,
    SWITCHES,
    WALL,
    Clock,
    LinuxClock,
    PortableClock,
    Reading,
    others_cpu,
    queued,
)
from pytest_noblock.engine.now import now, thread_cpu
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.threads.gap_workers import Ended, GapWorkers, Stacks, WorkerSample, other_stacks
from pytest_noblock.engine.threads.pools import Holder
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.concurrency import Gap, LongTurn
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.units import SWITCH_INTERVAL_NS

_MOST_GAPS = 100
_MOST_TURNS = 1000


class GapSelector(selectors.DefaultSelector):
    """The selector of the fixture's loop. It tells a detector, while there is one, how long the loop waited."""

    detector: "GilGapDetector | None" = None

    def select(self, timeout: float | None = None) -> Any:
        detector = self.detector
        if detector is None:
            return super().select(timeout)
        detector.close_interval()
        detector.turn_ends()
        ready = super().select(timeout)
        detector.close_interval(may_sleep_s=timeout)
        detector.turn_begins()
        return ready


class GilGapDetector:
    """Records the gaps of one run that lasted `shortest` ns or longer.

    The loop thread's time is a row of intervals: each reading of its clock ends one and begins the next, so that no
    wait falls between two. `awaited`: see `GapWorkers`.
    """

    def __init__(
        self,
        awaited: Callable[[], Sequence[Holder]],
        user: UserCode,
        shortest: int,
        *,
        also_asleep: bool = False,
        keepers: set[int] | None = None,
    ) -> None:
        """`also_asleep`: whether threads count that computed while the loop thread slept by itself, or queued.

        One of them may have kept the GIL, for which nobody asked. `keepers` is told at once of a gap in which a thread
        computed for so long: the number of the exchange for which it worked.
        """
        self._keepers = set() if keepers is None else keepers
        self._shortest = shortest
        self._also_asleep = also_asleep
        self._ident = threading.get_ident()
        self._workers = GapWorkers(awaited, user, counts_sleeps=not also_asleep)
        self._gaps: list[tuple[Gap, list[WorkerSample], Ended]] = []
        """Each gap with its samples, and with a thread that had ended by then."""
        self._clock: Clock = PortableClock()
        self._last: Reading = (0, 0, b"", 0, 0)
        """Where the present interval began."""
        self._turns: list[LongTurn] = []
        self._turn: Reading | None = None
        """Where the present turn of the loop began."""
        self._deductions: Deductions | None = None
        self._deducted = self._collected = self._collected_before = self._collection_began = 0

    @contextmanager
    def detecting(self, meter: StepMeter) -> Iterator[None]:
        """On the loop thread, in the loop that the meter meters. Sees nothing on a loop with another selector."""
        selector = getattr(asyncio.get_running_loop(), "_selector", None)
        if not isinstance(selector, GapSelector):
            yield
            return
        self._clock = LinuxClock()
        self._workers.mark(self._workers.marks())  # a worker may have burned in the run before
        self._last = self._clock.end()
        self._deductions = meter.deductions
        selector.detector = self
        meter.attach_gaps(self)
        gc.callbacks.append(self._collection)
        try:
            yield
        finally:
            gc.callbacks.remove(self._collection)
            selector.detector = None
            meter.attach_gaps(None)
            self._clock.close()

    def close_interval(self, may_sleep_s: float | None = 0, own_sleeps: int = 0) -> bool:
        """On the loop thread: end the present interval and begin the next. Where it was a gap, sample all threads.

        `may_sleep_s`: how long the loop thread may have slept by itself, None for ever; `own_sleeps`: how many times.
        Returns whether it was a gap.
        """
        stacks = other_stacks() if self._is_late(may_sleep_s) else {}
        began, ended = self._last, self._clock.end()
        self._last = ended
        switches = ended[SWITCHES] - began[SWITCHES] - own_sleeps
        if may_sleep_s is None or ended[WALL] - began[WALL] < self._shortest:
            return False
        if switches <= 1 and not self._computed_meanwhile(began, ended):
            return False
        stacks = stacks or other_stacks()
        gap = _gap(began, ended, switches, max(0, round(may_sleep_s * 1e9)))
        if gap.late < self._shortest:
            return False
        self._record(gap, stacks)
        return True

    def _computed_meanwhile(self, began: Reading, ended: Reading) -> bool:
        """Whether threads computed for so long that one may have kept the GIL, which nobody asked for."""
        is_detecting = self._deductions is not None
        return self._also_asleep and is_detecting and others_cpu(began, ended) >= self._shortest

    def turn_begins(self) -> None:
        """On the loop thread: `select` has returned."""
        self._turn = self._last
        self._collected_before = self._collected
        self._deducted = self._deductions.ever if self._deductions is not None else 0

    def turn_ends(self) -> None:
        """On the loop thread: `select` is about to be called."""
        began, ended = self._turn, self._last
        if began is None or ended[WALL] - began[WALL] < self._shortest or len(self._turns) >= _MOST_TURNS:
            return
        deducted = self._deductions.ever - self._deducted if self._deductions is not None else 0
        self._turns.append(_long_turn(began, ended, self._collected - self._collected_before, deducted))

    def _collection(self, phase: str, _details: dict[str, int]) -> None:
        """In `gc.callbacks`: a collection that falls due is nobody's."""
        if threading.get_ident() != self._ident:
            return
        if phase == "start":
            self._collection_began = thread_cpu()
        else:
            self._collected += thread_cpu() - self._collection_began

    def long_turns(self) -> tuple[LongTurn, ...]:
        """Those of the run, once it is over."""
        return tuple(self._turns)

    def _is_late(self, may_sleep_s: float | None) -> bool:
        """Whether to sample at once: to read the clock takes time, in which the thread that kept the GIL may go on."""
        return may_sleep_s is not None and now() - self._last[WALL] - may_sleep_s * 1e9 >= self._shortest

    def in_step(self, segment: Segment) -> None:
        """On the loop thread: a step has ended that may have waited for the GIL. The sooner the sample, the better."""
        if segment.asleep >= self._shortest:
            self.close_interval(own_sleeps=len(segment.calls))

    def sample_early(self) -> None:
        """On the watchdog's thread, or the test's; see `GapWorkers.sample_early`."""
        self._workers.sample_early()

    def reset_marks(self) -> None:
        """On the loop thread, at every tick: threads are blamed for what they burned since.

        The marks are read first, because reading them may itself wait for the GIL. Where a gap ends here,
        `close_interval` has set newer marks.
        """
        marks = self._workers.marks()
        if not self.close_interval():
            self._workers.mark(marks)

    def gaps(self) -> tuple[Gap, ...]:
        """All gaps, once the run is over."""
        return tuple(
            replace(gap, workers=self._workers.values(samples, ended), exchange=self._workers.whose(samples))
            for gap, samples, ended in self._gaps
        )

    def _record(self, gap: Gap, stacks: Stacks) -> None:
        if len(self._gaps) < _MOST_GAPS:
            samples, ended = self._workers.in_gap(gap, stacks)
            self._gaps.append((replace(gap, waiting=self._workers.waiting()), samples, ended))
            number = self._workers.whose([each for each in samples if each.cpu >= self._shortest])
            if number is not None:
                self._keepers.add(number)
        self._workers.mark(self._workers.marks())  # what was burned in this gap is not the next one's


def _long_turn(began: Reading, ended: Reading, collected: int, deducted: int) -> LongTurn:
    wall, cpu = ended[WALL] - began[WALL], ended[CPU] - began[CPU]
    delay = queued(ended[QUEUED]) - queued(began[QUEUED])
    switches = ended[SWITCHES] - began[SWITCHES]
    asleep = max(0, wall - cpu - delay) if switches else 0
    others = others_cpu(began, ended)
    return LongTurn(began[WALL], ended[WALL], cpu, delay, asleep, switches, collected, deducted, others)


def _gap(began: Reading, ended: Reading, switches: int, may_sleep: int) -> Gap:
    """The interval between two readings as a gap. `may_sleep` in ns.

    Where the thread was allowed to sleep, the time that it was late has two lower bounds: the wall time beyond that
    sleep, and the wake-ups at the switch interval.
    """
    wall, cpu = ended[WALL] - began[WALL], ended[CPU] - began[CPU]
    woken_early = (switches - 1) * SWITCH_INTERVAL_NS if may_sleep else 0
    return Gap(
        began=began[WALL],
        ended=ended[WALL],
        late=max(wall - may_sleep - cpu, woken_early),
        switches=switches,
        asleep=max(0, wall - cpu - queued(ended[QUEUED]) + queued(began[QUEUED])),
        others_cpu=others_cpu(began, ended),
    )

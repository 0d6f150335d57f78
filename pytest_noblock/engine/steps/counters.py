"""The counters of a loop thread: read where a charge may begin, and where it ends. The difference is a segment."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.engine.clocks import CPU, PROCESS, QUEUED, SWITCHES, WALL, Clock, Reading, others_cpu, queued
from pytest_noblock.engine.network.round_trips import RoundTrips
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.steps.python_threads import PythonThreads
from pytest_noblock.engine.steps.queued_others import NOTHING, Begin, Look, Queued, queued_meanwhile
from pytest_noblock.engine.steps.step_calls import StepCalls
from pytest_noblock.engine.steps.thread_marks import Marks, read_threads
from pytest_noblock.engine.steps.watchdog import Watchdog
from pytest_noblock.model.limits import SAMPLE_AFTER_NS
from pytest_noblock.model.segment import Segment

if TYPE_CHECKING:
    from pytest_noblock.engine.steps.observers import GapObserver

_SLEPT_NS = 5_000_000
"""Wall ns without CPU. Whether a step that slept less may have waited for the GIL is not asked."""


_UNSEEN_NS = 2 * SAMPLE_AFTER_NS
"""Ns of sleep. After more, the watchdog should have looked; where it has not, it had no processor itself."""
_WAIT_FOR_A_THREAD = "futex"
"""The system call of a lock, a condition, a future; of a wait for the GIL, too."""
_NO_WAIT = ("running", "unknown")

_native_id = threading.get_native_id


class Span(NamedTuple):
    """What one owner is charged for at once: steps that follow one another in one turn of the loop."""

    exchange: int
    began: int
    between: int
    """Ns between its steps, which belong to nobody."""
    turn: int
    step: int = 0
    """By which the watchdog's samples are known."""


class Counters:
    """Of one meter, on its thread."""

    __slots__ = (
        "_calls", "_clock", "_deductions", "_start", "_trips", "_watchdog_cpu", "before", "exact", "gaps", "threads",
        "watchdog",
    )  # fmt: skip

    def __init__(self, clock: Clock, trips: RoundTrips, calls: StepCalls, deductions: Deductions) -> None:
        self.threads = PythonThreads()
        self.watchdog: Watchdog | None = None
        self.gaps: GapObserver | None = None
        self.exact = False
        """Whether counters stand at the lines. Then no watchdog looks, and the threads are read at each begin."""
        self.before: Marks | None = None
        """They, at the begin."""
        self._clock = clock
        self._trips = trips
        self._calls = calls
        self._deductions = deductions
        self._start: Reading = (0, 0, b"", 0, 0)
        """The reading from which the present step counts; a step may share it with the steps before."""
        self._watchdog_cpu = 0
        """CPU (ns) that the watchdog's thread had burned when `_start` was read."""

    def begin(self) -> int:
        """Read them. Returns when that was (ns)."""
        self._start = self._clock.begin()
        if self._trips.begin_step(self._start[PROCESS] - self._start[CPU]):
            if self.gaps is not None:
                self.gaps.close_interval()
            self._start = self._clock.begin()
        read_at = self._start[WALL]
        if not self.exact:
            self.before = None
        elif self.before is None or read_at - self.before.at > _SLEPT_NS:
            self.before = read_threads()
        self.threads.step_begins(read_at, self._start[PROCESS])
        self._watchdog_cpu = self.watchdog.cpu_by(read_at) if self.watchdog is not None else 0
        return read_at

    def segment(self, span: Span, end: Reading) -> Segment:
        """Of the steps that have just ended."""
        start, out, calls = self._start, self._deductions, self._calls
        others = others_cpu(start, end)
        if self.watchdog is not None:  # the watchdog makes no round trips
            others = max(0, others - (self.watchdog.cpu_by(end[WALL]) - self._watchdog_cpu))
        trips, doubtful, exchanged = self._trips.end_step(start, end, others, called=bool(calls.blocking))
        ended = max(span.began, end[WALL] - out.wall)
        cpu = end[CPU] - start[CPU] - out.collected - out.cpu - span.between
        split = self._clock.splits_waiting
        beside = self._queued_others(span, end) if split and end[WALL] - start[WALL] - cpu >= _SLEPT_NS else NOTHING
        return Segment(
            exchange=span.exchange,
            began=span.began,
            ended=ended,
            cpu=max(0, min(cpu, ended - span.began - span.between)),  # the reading may be older than the step
            collected=out.collected,
            queued=max(0, queued(end[QUEUED]) - queued(start[QUEUED]) - out.queued) if split else None,
            switches=end[SWITCHES] - start[SWITCHES] if split else None,
            others_cpu=others,
            round_trips=trips,
            doubtful_trips=doubtful,
            imported=out.imported,
            imported_again=out.imported_again,
            modules=out.modules,
            calls=tuple(calls.blocking),
            answered=tuple(calls.answered),
            exchanged=exchanged,
            turn=span.turn,
            elsewhere=min(span.between, ended - span.began),
            first_use=min(out.once_cpu, max(0, cpu)),
            first_uses=out.once,
            threads_cpu=self._threads_cpu(end[WALL] - start[WALL] - cpu),
            others_queued=beside.surely,
            others_may_have_queued=beside.at_most,
            children_queued=out.children.queued,
            beside=beside.threads,
        )

    def _queued_others(self, span: Span, end: Reading) -> Queued:
        """Of the sleep in the steps that have just ended; nothing where they were too short for a look."""
        looks = list(self._looks(span, end))
        asleep = self._asleep(end[WALL], end[CPU], queued(end[QUEUED]))
        last = read_threads() if looks or asleep >= _UNSEEN_NS else None
        if last is None:
            return NOTHING
        if (self.exact or not looks) and self.threads.burned() is None:  # one has ended, and no look met it
            return Queued(0, max(0, asleep - others_cpu(self._start, end)))
        began = Begin(self._start[WALL], self.threads.clocks_at_begin())
        wall = end[WALL] - began.at
        return queued_meanwhile([*looks, Look(asleep, None, last)], _native_id(), began, wall)

    def _looks(self, span: Span, end: Reading) -> Iterator[Look]:
        if self.before is not None:
            yield Look(0, None, self.before)
        for each in self.watchdog.looks_at(span.step) if self.watchdog is not None else ():
            loop = each.threads.threads.get(_native_id()) if each.threads is not None else None
            if each.threads is not None and loop is not None and each.began >= span.began:
                each.left = end[CPU] - loop.cpu
                yield Look(self._asleep(each.threads.at, loop.cpu, loop.queued), _waits(each.syscall), each.threads)

    def _asleep(self, moment: int, cpu: int, delay: int) -> int:
        """Ns that the thread has slept since the step's begin, by its counters at a moment (ns)."""
        start = self._start
        return moment - start[WALL] - (cpu - start[CPU]) - (delay - queued(start[QUEUED]))

    def _threads_cpu(self, off_cpu: int) -> int | None:
        return self.threads.burned() if off_cpu >= _SLEPT_NS else None


def _waits(syscall: str) -> bool | None:
    """See `Look.waits`."""
    return None if syscall in _NO_WAIT else syscall == _WAIT_FOR_A_THREAD

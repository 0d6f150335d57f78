"""Which threads burned CPU in a gap, and where they were: samples of their stacks and of their CPU time.

A thread that kept the GIL gives it up right after the C call that kept it. So whoever gets the GIL next, and samples
at once, finds the thread at the line of that call.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import NamedTuple

from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import RawFrame, capture
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps.other_loops import running_loop
from pytest_noblock.engine.threads.await_chains import AnyTask, await_chain
from pytest_noblock.engine.threads.pools import Holder
from pytest_noblock.engine.threads.workers import ThreadClocks, ThreadMarks, context_of
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.concurrency import Gap, Worker

Stacks = dict[int, list[RawFrame]]
"""By identity of the thread."""
_MOST_WORKERS = 8
"""Threads that are sampled at once: those that burned most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSample:
    """One thread in a gap or right after it."""

    thread: threading.Thread
    cpu: int
    """What it had burned since the marks, in ns."""
    frames: list[RawFrame]
    awaited: list[RawFrame]
    """The await chain of the task that waits for this thread's call; empty where nobody knows the task."""
    records: tuple[LiveExchange, ...] = ()
    """The requests that the thread works for, or worked for; none where nobody knows."""
    of_pool: bool = False
    """See `Worker`."""
    sleeps: int | None = None
    """Likewise."""


@dataclass(slots=True)
class EarlyLook:
    """At all threads, by one that got the GIL before the loop thread did."""

    at: int
    """ns."""
    stacks: Stacks
    samples: list[WorkerSample] | None = None
    """None where the thread that looks lost the GIL before it had read all clocks: then the stacks alone are right."""


class Ended(NamedTuple):
    """A thread that had ended when the gap did."""

    cpu: int = 0
    """Ns that it burned; 0 where there was none, or nobody knows."""
    awaited: Sequence[RawFrame] = ()
    """The stack of the step that starts it, and still runs: the thread began and ended in that very wait."""


class GapWorkers:
    """The threads of one run. `awaited` tells the holders whose tasks wait for a worker at the moment."""

    def __init__(self, awaited: Callable[[], Sequence[Holder]], user: UserCode, *, counts_sleeps: bool = False) -> None:
        self._holders = awaited
        self._user = user
        self._clocks = ThreadClocks(counts_sleeps=counts_sleeps)
        self._early: list[EarlyLook] = []

    def marks(self) -> ThreadMarks:
        """On the loop thread: for `mark`."""
        return self._clocks.read()

    def mark(self, marks: ThreadMarks) -> None:
        """On the loop thread: CPU time that threads had burned by `marks` does not count any more."""
        self._clocks.marks = marks
        self._early = []

    def sample_early(self) -> None:
        """On the watchdog's thread, or the test's, which may get the GIL before the loop thread does."""
        look = EarlyLook(now(), other_stacks())
        self._early.append(look)  # at once: whoever gets the GIL next finds the thread somewhere else
        look.samples = self._samples(look.stacks, awaited=False)

    def in_gap(self, gap: Gap, stacks: Stacks) -> tuple[list[WorkerSample], Ended]:
        """On the loop thread: the samples of this gap, and a thread that has ended meanwhile."""
        early = [each for look in self._early if look.at >= gap.began for each in self._of(look)]
        samples = early + self._samples(stacks, awaited=True)
        ended = self._clocks.ended(gap.others_cpu, [each.thread for each in samples])
        return samples, Ended(ended, _running_stack() if ended and _running_task() is not None else ())

    def _of(self, look: EarlyLook) -> list[WorkerSample]:
        """On the loop thread. A thread may have gone on since, to work for another request."""
        if look.samples is not None:
            return look.samples
        return [replace(each, records=()) for each in self._samples(look.stacks, awaited=False)]

    def _samples(self, stacks: Stacks, *, awaited: bool) -> list[WorkerSample]:
        burned = self._clocks.burned(lambda thread: self._runs_app(stacks.get(thread.ident or 0, [])))
        pooled = self._clocks.of_pools()
        most = sorted(burned.items(), key=lambda each: -each[1])[:_MOST_WORKERS]
        return [
            WorkerSample(
                thread=thread,
                cpu=cpu,
                frames=stacks.get(thread.ident or 0, []),
                awaited=self._awaiting(thread.ident or 0) if awaited else [],
                records=self._records_of(thread.ident or 0, held=awaited),
                of_pool=thread in pooled,
                sleeps=self._clocks.slept(thread),
            )
            for thread, cpu in most
        ]

    def _records_of(self, ident: int, *, held: bool) -> tuple[LiveExchange, ...]:
        """`held`: whether the holders may be asked, as on the loop thread."""
        return works_for(ident, self._holders() if held else ())

    def waiting(self) -> tuple[int, ...]:
        """On the loop thread: the numbers of the requests that wait for a thread."""
        return tuple(each.record.number for each in self._holders() if each.record is not None)

    @staticmethod
    def whose(samples: Sequence[WorkerSample]) -> int | None:
        """The number of the request for which the thread worked that computed most."""
        longest = max(samples, key=lambda each: each.cpu, default=None)
        return next(iter(_exchanges([each for each in samples if longest and each.thread is longest.thread])), None)

    def _runs_app(self, frames: list[RawFrame]) -> bool:
        return any(self._user.is_the_apps(code.co_filename) for code, *_ in frames)

    def _awaiting(self, ident: int) -> list[RawFrame]:
        """The await chain of the task that waits for the thread; of any waiting task, where the pool does not tell."""
        waiting = [each for each in self._holders() if each.task is not None and each.worker in (None, ident)]
        tasks = [each.task for each in waiting if each.worker == ident] or [each.task for each in waiting]
        running = _running_task()
        task = tasks[0] if tasks else running
        if task is None:
            return []
        return _running_stack() if task is running else await_chain(task)

    def values(self, samples: Sequence[WorkerSample], ended: Ended) -> tuple[Worker, ...]:
        """What is kept of a gap, once the run is over: the worker that burned most at one go comes first.

        `ended` makes a worker without a stack: that thread has ended, and nobody knows where it was.
        """
        by_thread: dict[threading.Thread, list[WorkerSample]] = {}
        for sample in samples:
            by_thread.setdefault(sample.thread, []).append(sample)
        gone = [Worker(ended.cpu, (), as_stack(ended.awaited, self._user), ended=True)] if ended.cpu else []
        return tuple(sorted([*map(self._value, by_thread.values()), *gone], key=lambda each: -each.cpu))

    def _value(self, samples: Sequence[WorkerSample]) -> Worker:
        """One thread at the end of its longest go. A sample ends a go, because the sampling thread had the GIL then."""
        before = [0, *(sample.cpu for sample in samples)]
        cpu, frames = max(
            ((sample.cpu - so_far, sample.frames) for sample, so_far in zip(samples, before, strict=False)),
            key=lambda each: each[0],
        )
        awaited = next((sample.awaited for sample in samples if sample.awaited), [])
        stacks = as_stack(frames, self._user), as_stack(awaited, self._user)
        of_pool = any(each.of_pool for each in samples)
        return Worker(cpu, *stacks, _exchanges(samples), of_pool=of_pool, sleeps=samples[-1].sleeps)


def works_for(ident: int, holders: Sequence[Holder]) -> tuple[LiveExchange, ...]:
    """The requests that the thread works for, or worked for; none where nobody knows.

    A thread that is done with one job goes on to the next, and the loop has the answer of neither yet.
    """
    context = context_of(ident)
    records = [each.record for each in holders if each.worker == ident] if context is None else [context.get(CURRENT)]
    return tuple(each for each in records if each is not None)


def _exchanges(samples: Sequence[WorkerSample]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(record.number for each in samples for record in each.records))


def other_stacks() -> Stacks:
    """The stacks of all threads but the calling one.

    To be called before anything that takes time: the other threads ask for the GIL every 5 ms, and the kernel may
    preempt the calling thread. Then the others go on.
    """
    own = threading.get_ident()
    return {ident: capture(frame) for ident, frame in current_frames().items() if ident != own}


def _running_task() -> AnyTask | None:
    return asyncio.current_task() if running_loop() is not None else None  # in a step of trio's there is none


def _running_stack() -> list[RawFrame]:
    """The stack of the running task, which has given a call to a worker and awaits nothing yet."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return capture(frame)

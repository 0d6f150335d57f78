"""What the user's probes wait for, who ends the wait, and where the observed requests sit meanwhile.

All of it runs on the loop thread. The ticks call `WaitSampler.sample`. The step that ends a
wait calls `_wait_ended`, whichever request the step belongs to. A worker thread that sets a
future without `call_soon_threadsafe` makes a mistake: it calls `_wait_ended` itself.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_noblock.engine.exchange import CURRENT, OURS, LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing.probes import ProbeInFlight
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.threads import wait_targets, workers
from pytest_noblock.engine.threads.await_chains import (
    await_chain,
    await_chain_through_tasks,
    innermost_future,
    tasks_of,
)
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.concurrency import HolderSighting, Wait
from pytest_noblock.model.frames import user_frame

_MOST_RECORDS = 8
"""How many observed requests a tick locates. To read their await chains is the costly part of a tick."""
_MOST_WAITS = 200
"""How many waits of a run are kept. Later ones repeat them."""
_SHORT_WAIT_NS = 10_000_000
"""ns; two ticks. No more than this counts between two ticks while no observed request sits at an await."""

Future = asyncio.Future[object]
Task = asyncio.Task[object]


@dataclass(slots=True, eq=False)
class _OpenWait:
    """One probe at one future; times in ns. The object is also the callback that the done future schedules."""

    probe: ProbeInFlight
    future: Future
    chain: list[RawFrame]
    """The probe's await chain, innermost first."""
    waited_objects: dict[int, str]
    """The objects in whose methods the probe waits, innermost first: identity and name."""
    began: int
    waited_ns: int = 0
    """How long the probe waited, without the time for which the machine was busy."""
    ended: int | None = None
    by: LiveExchange | None = None
    """The request in whose step the wait ended."""
    let_go: bool = False
    shared: bool = False
    """See `Wait` for both."""
    sightings: dict[tuple[int, str, int], tuple[int, list[RawFrame]]] = field(default_factory=dict)
    """Where observed requests sat, by exchange number, file and line: how often, and the first await chain."""

    def __call__(self, _future: object) -> None:
        """Nothing is left to do: `_intercept_call_soon` has noted the end when this was scheduled."""


class _Moment(NamedTuple):
    """A time (ns), and the run-queue delays of the loop thread and of its worker threads so far (ns)."""

    at: int
    loop_queued: int
    workers_queued: int


class WaitSampler:
    """The waits of one run; `records` are the observed requests."""

    def __init__(self, user: UserCode, records: Sequence[LiveExchange], *, splits_waiting: bool) -> None:
        """`splits_waiting`: whether the run-queue delay of threads can be read, as by the full meter."""
        self._user = user
        self._records = records
        self._splits_waiting = splits_waiting
        self._loop = asyncio.get_running_loop()
        self._all: list[_OpenWait] = []
        self._open: dict[ProbeInFlight, _OpenWait] = {}
        self._futures: dict[LiveExchange, Future | None] = {}
        """What each observed request awaited at the last sample."""
        self._sampled: _Moment | None = None
        """The last sample; None while nothing waits."""
        self._loop_queue, self._worker_queue = workers.RunQueue(), workers.RunQueue()

    def sample(self, under_way: set[ProbeInFlight]) -> bool:
        """To be called in every tick; returns whether a probe waits."""
        for probe in self._open.keys() - under_way:
            del self._open[probe]
        for probe in under_way:
            self._note_wait(probe)
        if not self._open:
            self._sampled = None
            return False
        moment = self._moment()
        if self._sampled is not None:
            self._count(self._sampled, moment)
        self._sampled = moment
        self._locate_requests()
        _intercept_call_soon(self._loop, self._wait_ended)
        return True

    def close(self) -> None:
        """Nothing of ours stays on the loop."""
        vars(self._loop).pop("call_soon", None)

    def waits(self) -> tuple[Wait, ...]:
        """Those that somebody ended, once the run is over."""
        return tuple(self._value(each) for each in self._all if each.ended is not None)

    def _note_wait(self, probe: ProbeInFlight) -> None:
        """Open a wait where the probe awaits another future than at the last sample."""
        known = self._open.get(probe)
        if known is not None and not known.future.done():
            return
        self._open.pop(probe, None)
        record = probe.records[-1] if probe.records else None
        task = self._waiting_task(record) if record is not None else None
        future = innermost_future(task)
        if task is None or future is None or len(self._all) >= _MOST_WAITS:
            return
        wait = _OpenWait(
            probe=probe,
            future=future,
            chain=await_chain_through_tasks(task),
            waited_objects=wait_targets.waited_objects(task, self._user),
            began=now(),
        )
        self._all.append(wait)
        self._open[probe] = wait
        future.add_done_callback(wait)

    def _count(self, last: _Moment, moment: _Moment) -> None:
        """Add the time between two samples to every wait that was open at both.

        While an observed request sits at one await, all of the time counts: the request
        keeps the probe waiting, and a late loop does not. The run-queue delay of worker
        threads is taken off, because the request may wait for a worker. While no request
        sits, the run-queue delay of the loop thread is taken off as well, and at most two
        ticks count.
        """
        passed = moment.at - last.at - (moment.workers_queued - last.workers_queued)
        if not any(future is not None and not future.done() for future in self._futures.values()):
            passed = min(passed - (moment.loop_queued - last.loop_queued), _SHORT_WAIT_NS)
        for wait in self._open.values():
            if wait.began <= last.at:
                wait.waited_ns += max(0, passed)

    def _moment(self) -> _Moment:
        if not self._splits_waiting:
            return _Moment(now(), 0, 0)
        threads = [*workers.of_anyio(self._loop), *workers.of_executor(self._loop)]
        workers_queued = self._worker_queue.read(thread.native_id for thread in threads)
        return _Moment(now(), self._loop_queue.read([threading.get_native_id()]), workers_queued)

    def _locate_requests(self) -> None:
        for record in self._records[:_MOST_RECORDS]:
            task = self._waiting_task(record) if record.returned is None else None
            self._futures[record] = innermost_future(task)
            if task is not None:
                self._note_sighting(record, task)

    def _note_sighting(self, record: LiveExchange, task: Task) -> None:
        """Add to every open wait where the request sits, and whether both wait in methods of one object."""
        chain, waited_objects = await_chain_through_tasks(task), wait_targets.waited_objects(task, self._user)
        at = next(((code.co_filename, line) for code, line, *_ in chain if code.co_filename in self._user), None)
        if at is None:
            return
        key = (record.number, *at)
        for wait in self._open.values():
            times, first = wait.sightings.get(key, (0, chain))
            wait.sightings[key] = (times + 1, first)
            wait.shared = wait.shared or not wait.waited_objects.keys().isdisjoint(waited_objects)

    def _waiting_task(self, record: LiveExchange) -> Task | None:
        """The task that runs the user's code. Under some middleware it is a child of the request's own task."""
        for task in tasks_of(record) if record.task is not None else ():
            if any(code.co_filename in self._user for code, *_ in await_chain(task)):
                return task
        return None

    def _wait_ended(self, wait: _OpenWait) -> None:
        """Whoever runs now has just ended the wait."""
        wait.ended = now()
        by = CURRENT.get()
        wait.by = by if by is not OURS else None
        numbers = {number for number, *_ in wait.sightings}
        seen = [record for record in self._records if record.number in numbers]
        wait.let_go = any(_went_on(record, self._futures.get(record)) for record in seen)

    def _value(self, wait: _OpenWait) -> Wait:
        return Wait(
            path=wait.probe.path,
            began=wait.began,
            ended=wait.ended or wait.began,
            waited_ns=wait.waited_ns,
            stack=as_stack(wait.chain, self._user),
            what=wait_targets.describe(list(wait.waited_objects.values())),
            by=wait.by.number if wait.by is not None else None,
            let_go=wait.let_go,
            shared=wait.shared,
            sightings=tuple(self._sightings(wait)),
        )

    def _sightings(self, wait: _OpenWait) -> Iterator[HolderSighting]:
        for (number, *_), (times, chain) in wait.sightings.items():
            stack = as_stack(chain, self._user)
            if user_frame(stack) is not None:
                yield HolderSighting(number, times, stack)


def _intercept_call_soon(loop: Any, wait_ended: Callable[[_OpenWait], None]) -> None:
    """Have `wait_ended` called when a future schedules an `_OpenWait`, in the step that has the future done.

    Only at that moment the context shows whose step it is. The futures of asyncio, in C and in
    Python, schedule their callbacks by `loop.call_soon` (CPython 3.11 to 3.14). Where a future
    does not, the end of the wait is not seen, and `waits` leaves the wait out.
    """
    if "call_soon" in vars(loop):
        return
    original = loop.call_soon

    def call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
        if type(callback) is _OpenWait:
            wait_ended(callback)
        return original(callback, *args, context=context)

    loop.call_soon = call_soon


def _went_on(record: LiveExchange, future: Future | None) -> bool:
    """Whether the request has left the future at which it was seen."""
    return record.returned is not None or future is None or future.done()

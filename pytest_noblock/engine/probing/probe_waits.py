"""What the user's probes wait for, who ends the wait, and where the request sits meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing.probes import ProbeInFlight
from pytest_noblock.engine.stacks import RawFrame, as_stack
from pytest_noblock.engine.threads import wait_targets, workers
from pytest_noblock.engine.threads.await_chains import await_chain, awaited_task, tasks_of
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.concurrency import HolderSighting, Wait
from pytest_noblock.model.frames import user_frame

_MOST_RECORDS = 8
_MOST_WAITS = 200
_TURNS_NS = 10_000_000


@dataclass(slots=True, eq=False)
class _OpenWait:
    """One probe at one future. Called when the future is done."""

    asked: ProbeInFlight
    future: "asyncio.Future[object]"
    chain: list[RawFrame]
    waited_objects: dict[int, str]
    """The objects whose methods are waited in, innermost first: identity and name."""
    began: int
    waited_ns: int = 0
    """How long it waited, as far as that was not the machine being busy."""
    ended: int | None = None
    by: LiveExchange | None = None
    let_go: bool = False
    shared: bool = False
    sightings: dict[tuple[int, str, int], tuple[int, list[RawFrame]]] = field(default_factory=dict)

    def __call__(self, _future: object) -> None:
        """All that there is to know was noted when this was called for."""


class _Moment(NamedTuple):
    """With the run-queue delays so far."""

    at: int
    loop: int
    workers: int


class WaitSampler:
    """Those of one run; `records` are the observed requests."""

    def __init__(self, user: UserCode, records: Sequence[LiveExchange], *, splits_waiting: bool) -> None:
        self._user = user
        self._records = records
        self._splits_waiting = splits_waiting
        self._loop: Any = asyncio.get_running_loop()
        self._seen: list[_OpenWait] = []
        self._open: dict[ProbeInFlight, _OpenWait] = {}
        self._futures: dict[LiveExchange, asyncio.Future[object] | None] = {}
        self._last: _Moment | None = None
        self._loops, self._workers = workers.RunQueue(), workers.RunQueue()

    def look(self, under_way: set[ProbeInFlight]) -> bool:
        """At every turn that is probed; tells whether anything waits."""
        for asked in self._open.keys() - under_way:
            del self._open[asked]
        for asked in under_way:
            self._look_at(asked)
        if not self._open:
            self._last = None
            return False
        self._last = self._now() if self._last is None else self._counted(self._last)
        self._look_at_requests()
        self._tell_setters()
        return True

    def _counted(self, last: "_Moment") -> "_Moment":
        """What lies between two looks counts for all that waits.

        Whole where a request sat at one await throughout, for that the loop was late
        meanwhile kept nobody; less what worker threads queued, whose doing it may wait for.
        Else no more than a few turns of the loop take.
        """
        moment = self._now()
        passed = moment.at - last.at - (moment.workers - last.workers)
        if not any(future is not None and not future.done() for future in self._futures.values()):
            passed = min(passed - (moment.loop - last.loop), _TURNS_NS)
        for waiting in self._open.values():
            if waiting.began <= last.at:
                waiting.waited_ns += max(0, passed)
        return moment

    def close(self) -> None:
        """Nothing of ours stays on the loop."""
        vars(self._loop).pop("call_soon", None)

    def values(self) -> tuple[Wait, ...]:
        """All of them, once the run is over."""
        return tuple(self._value(each) for each in self._seen if each.ended is not None)

    def _look_at(self, asked: ProbeInFlight) -> None:
        known = self._open.get(asked)
        if known is not None and not known.future.done():
            return
        self._open.pop(asked, None)
        record = asked.records[-1] if asked.records else None
        task = self._waiting_task(record) if record is not None else None
        future = _future_of(task)
        if task is None or future is None or len(self._seen) >= _MOST_WAITS:
            return
        waiting = _OpenWait(asked, future, _chain(task), wait_targets.waited_objects(task, self._user), now())
        self._seen.append(waiting)
        self._open[asked] = waiting
        future.add_done_callback(waiting)

    def _waiting_task(self, record: LiveExchange) -> "asyncio.Task[object] | None":
        """The one that runs the user's code: under some middleware a child of the request's."""
        tasks = tasks_of(record) if record.task is not None else []
        return next((task for task in tasks if self._in_user_code(task)), None)

    def _in_user_code(self, task: "asyncio.Task[object]") -> bool:
        return any(code.co_filename in self._user for code, *_ in await_chain(task))

    def _look_at_requests(self) -> None:
        for record in self._records[:_MOST_RECORDS]:
            task = self._waiting_task(record) if record.returned is None else None
            self._futures[record] = _future_of(task)
            if task is None:
                continue
            chain, waited_objects = _chain(task), wait_targets.waited_objects(task, self._user)
            at = next(((code.co_filename, line) for code, line, *_ in chain if code.co_filename in self._user), None)
            if at is None:
                continue
            key = (record.number, *at)
            for waiting in self._open.values():
                times, first = waiting.sightings.get(key, (0, chain))
                waiting.sightings[key] = (times + 1, first)
                waiting.shared = waiting.shared or not waiting.waited_objects.keys().isdisjoint(waited_objects)

    def _tell_setters(self) -> None:
        """Whoever has a future done schedules its callbacks: in whose context, only this moment shows."""
        if "call_soon" not in vars(self._loop):
            self._loop.call_soon = self._noting(self._loop.call_soon)

    def _noting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call_soon(callback: Any, *args: Any, context: Any = None) -> Any:
            if type(callback) is _OpenWait:
                self._done(callback)
            return original(callback, *args, context=context)

        return call_soon

    def _done(self, waiting: _OpenWait) -> None:
        waiting.ended = now()
        waiting.by = CURRENT.get()
        sat = [record for record in self._records if any(number == record.number for number, *_ in waiting.sightings)]
        waiting.let_go = any(_moved(record, self._futures.get(record)) for record in sat)

    def _now(self) -> "_Moment":
        if not self._splits_waiting:
            return _Moment(now(), 0, 0)
        threads = [*workers.of_anyio(self._loop), *workers.of_executor(self._loop)]
        delays = self._workers.read(thread.native_id for thread in threads)
        return _Moment(now(), self._loops.read([threading.get_native_id()]), delays)

    def _value(self, waiting: _OpenWait) -> Wait:
        stack = as_stack(waiting.chain, self._user)
        return Wait(
            path=waiting.asked.path,
            began=waiting.began,
            ended=waiting.ended or waiting.began,
            waited_ns=waiting.waited_ns,
            stack=stack,
            what=wait_targets.named(list(waiting.waited_objects.values())),
            by=waiting.by.number if waiting.by is not None else None,
            let_go=waiting.let_go,
            shared=waiting.shared,
            sightings=tuple(self._sightings(waiting)),
        )

    def _sightings(self, waiting: _OpenWait) -> Iterator[HolderSighting]:
        for (number, *_), (times, chain) in waiting.sightings.items():
            stack = as_stack(chain, self._user)
            if user_frame(stack) is not None:
                yield HolderSighting(number, times, stack)


def _moved(record: LiveExchange, future: "asyncio.Future[object] | None") -> bool:
    return record.returned is not None or future is None or future.done()


def _future_of(task: "asyncio.Task[object] | None") -> "asyncio.Future[object] | None":
    """What it waits for in the end: not another task, but what that one waits for."""
    if task is None:
        return None
    inner = awaited_task(task)
    future = getattr(task, "_fut_waiter", None) if inner is None else _future_of(inner)
    return future if isinstance(future, asyncio.Future) else None


def _chain(task: "asyncio.Task[object]") -> list[RawFrame]:
    """The await chain, through the tasks that it waits for."""
    inner = awaited_task(task)
    return [*(_chain(inner) if inner is not None else []), *await_chain(task)]

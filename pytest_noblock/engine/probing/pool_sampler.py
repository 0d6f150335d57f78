"""Reads in every tick how full the thread pools are, and who has their threads.

All of it runs on the loop thread. The ticks call `PoolSampler.sample`. The GIL gap detector
calls `PoolSampler.awaited` when the loop thread has waited for the GIL.
"""

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.threads.await_chains import await_chain
from pytest_noblock.engine.threads.pools import Holder, Pool
from pytest_noblock.engine.threads.workers import RunQueue, busy
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.concurrency import PoolReading, PoolUse, SeenIn

if TYPE_CHECKING:
    from pytest_noblock.engine.probing.probes import Probes  # it imports httpx, and a watched test needs none of it

_MS = 1_000_000
_SHORT_USE_NS = 5 * _MS
"""ns; the interval of the ticks. A token that only one of two samples sees was held for half of it, on average."""
_READING_NS = 10 * _MS
_READINGS_PER_DOUBLING = 8
"""A full pool is read every 10 ms (`_READING_NS`), later after each eighth of the time that it has been full: so a long
span has few readings."""

RawStacks = list[list[RawFrame]]


@dataclass(slots=True)
class _History:
    """One pool, and what was read of it; times in ns."""

    pool: Pool
    readings: list[tuple[PoolReading, RawStacks]] = field(default_factory=list)
    full_since: int | None = None
    """When the present span began: the pool was found full for the first time. None while it is not full."""
    next_reading_at: int = 0
    span: int = 0
    """The number of the present span, or of the last."""
    span_readings: int = 0
    """How many readings the present span has."""
    observed: int = 0
    """How many tokens observed requests had at the last sample."""
    taken_ns: int = 0
    """How long observed requests had tokens so far, added up."""
    run_queue: RunQueue = field(default_factory=RunQueue)

    def count(self, observed: int, passed: int) -> None:
        """Add what `observed` tokens mean, `passed` ns after the last sample.

        A token seen at both samples was held all the time between. One seen at one of
        them was held for half of that time on average, if the time was short.
        """
        held = min(self.observed, observed) * passed
        changed = abs(observed - self.observed) * min(passed, _SHORT_USE_NS) // 2
        self.taken_ns += held + changed
        self.observed = observed

    def due(self, moment: int) -> bool:
        """The pool is full: begin a span where there is none; returns whether the span is due for a reading."""
        if self.full_since is None:
            self.full_since = self.next_reading_at = moment
            self.span += 1
            self.span_readings = 0
        if moment < self.next_reading_at:
            return False
        self.next_reading_at = moment + max(_READING_NS, (moment - self.full_since) // _READINGS_PER_DOUBLING)
        self.span_readings += 1
        return True


class PoolSampler:
    """One run's readings; `records` are the observed requests."""

    def __init__(
        self,
        pools: Sequence[Pool],
        user: UserCode,
        records: Container[LiveExchange],
        probes: "Probes",
        *,
        splits_waiting: bool,
        awaited_elsewhere: Callable[[], Sequence[Holder]] = list,
    ) -> None:
        """`splits_waiting`: whether the run-queue delay of threads can be read, as by the full meter.

        `awaited_elsewhere`: who waits for a thread of a pool that is not among `pools`.
        """
        self._awaited_elsewhere = awaited_elsewhere
        self._histories = [_History(pool) for pool in pools]
        self._user = user
        self._records = records
        self._probes = probes
        self._splits_waiting = splits_waiting
        self._sampled_at = now()

    def sample(self) -> bool:
        """To be called in every tick; returns whether an observed request has a token."""
        moment = now()
        passed, self._sampled_at = moment - self._sampled_at, moment
        any_observed = False
        for history in self._histories:
            taken = history.pool.taken()
            observed = self._observed(history.pool) if taken else 0
            history.count(observed, passed)
            any_observed = any_observed or observed > 0
            if not (taken and taken >= history.pool.total and history.pool.waiting()):
                history.full_since = None
            elif history.due(moment):
                history.readings.append(self._reading(history, moment))
        return any_observed

    def awaited(self) -> list[Holder]:
        """The threads that observed requests wait for."""
        in_pools = [each for history in self._histories for each in history.pool.awaited()]
        return [each for each in (*in_pools, *self._awaited_elsewhere()) if each.record in self._records]

    def readings(self) -> tuple[PoolReading, ...]:
        """All of them, once the run is over."""
        return tuple(
            replace(reading, stacks=tuple(as_stack(stack, self._user) for stack in stacks))
            for history in self._histories
            for reading, stacks in history.readings
        )

    def uses(self) -> tuple[PoolUse, ...]:
        """One for each pool of which observed requests had a token, once the run is over; none for one without end."""
        return tuple(
            PoolUse(history.pool.name, int(history.pool.total), history.taken_ns)
            for history in self._histories
            if history.taken_ns and math.isfinite(history.pool.total)
        )

    def _observed(self, pool: Pool) -> int:
        return sum(holder.record in self._records for holder in pool.holders() if holder.record is not None)

    def _reading(self, history: _History, moment: int) -> tuple[PoolReading, RawStacks]:
        """The 1st, 2nd, 4th, 8th ... reading of a span has stacks: they cost most."""
        pool = history.pool
        threads = pool.threads()
        holders = self._holders_but_probes(pool)
        with_stacks = not history.span_readings & (history.span_readings - 1)
        stacks = busy(threads, self._user) if with_stacks else []
        reading = PoolReading(
            at=moment,
            span=history.span,
            pool=pool.name,
            total=int(pool.total),
            waiting=pool.waiting(),
            holders=tuple(self._exchange_number(each) for each in holders),
            at_work=pool.at_work(),
            queued=history.run_queue.read(each.native_id for each in threads) if self._splits_waiting else None,
        )
        if with_stacks and not stacks:
            seen_in, stacks = self._awaiting(holders)
            return replace(reading, seen_in=seen_in), stacks
        return reading, stacks

    def _holders_but_probes(self, pool: Pool) -> list[Holder]:
        of_probes = self._probes.records
        return [each for each in pool.holders() if each.record is None or each.record not in of_probes]

    def _exchange_number(self, holder: Holder) -> int:
        return holder.record.number if holder.record is not None and holder.record in self._records else 0

    def _awaiting(self, holders: Sequence[Holder]) -> tuple[SeenIn, RawStacks]:
        """Where the holders wait. It is asked where no worker runs the user's code.

        With `to_thread(json.dumps, ...)` the task waits at a user line: its await chain is the
        answer. With a FileResponse no user line waits: the answer is the `def` of the endpoint.
        """
        chains, endpoints = [], []
        for holder in holders:
            chain = self._user_chain(holder)
            if chain is not None:
                chains.append(chain)
            elif holder.record is not None and (endpoint := starlette.endpoint_def(holder.record)) is not None:
                endpoints.append([endpoint])
        return ("tasks", chains) if chains else ("responses", endpoints)

    def _user_chain(self, holder: Holder) -> list[RawFrame] | None:
        """The await chain of the holder's task, if the user's code is in it, middleware left aside.

        A task without a user line may be one that the request's own task gathers: the chain goes on with that task's.
        """
        chain: list[RawFrame] = []
        for task in (holder.task, holder.record.task if holder.record is not None else None):
            chain.extend(await_chain(task) if task is not None else [])
            if any(code.co_filename in self._user for code, *_ in takewhile(_before_routing, chain)):
                return chain
        return None


def _before_routing(frame: RawFrame) -> bool:
    """False for a frame of the framework's routing: the frames after it are middleware, which waits for everything."""
    return not starlette.is_routing(frame)

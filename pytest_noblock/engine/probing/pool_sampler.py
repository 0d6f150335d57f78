"""Reads on a timetable how full the thread pools are, and who has the threads."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing.probes import Probes
from pytest_noblock.engine.stacks import RawFrame, as_stack
from pytest_noblock.engine.threads.await_chains import await_chain
from pytest_noblock.engine.threads.pools import Holder, Pool
from pytest_noblock.engine.threads.workers import RunQueue, busy
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.concurrency import PoolReading, PoolUse

_MS = 1_000_000


@dataclass(slots=True)
class _Watched:
    """One pool, and what was read of it."""

    pool: Pool
    readings: list[tuple[PoolReading, list[list[RawFrame]]]] = field(default_factory=list)
    began: int | None = None
    """When it was first found full, while it is."""
    next_at: int = 0
    span: int = 0
    use: int = 0
    looks: int = 0
    """How often it was read in this span."""
    using: int = 0
    queue: RunQueue = field(default_factory=RunQueue)

    def count(self, using: int, passed: int) -> None:
        """In use at both looks: all the time between them. At one of them: half of it, on average, of a short time."""
        self.use += min(self.using, using) * passed + abs(using - self.using) * min(passed, 5 * _MS) // 2
        self.using = using


class PoolSampler:
    """One run's readings; `records` are the observed requests."""

    def __init__(
        self,
        pools: Sequence[Pool],
        user: UserCode,
        records: Container[LiveExchange],
        probes: Probes,
        *,
        splits_waiting: bool,
    ) -> None:
        self._watched = [_Watched(pool) for pool in pools]
        self._user = user
        self._records = records
        self._probes = probes
        self._splits_waiting = splits_waiting
        self._last = now()

    def read(self) -> bool:
        """To be called in the loop; tells whether an observed request has a thread."""
        moment = now()
        in_use = False
        for watched in self._watched:
            taken = watched.pool.taken()
            using = self._in_use(watched.pool) if taken else 0
            watched.count(using, moment - self._last)
            in_use = in_use or using > 0
            if taken and taken >= watched.pool.total and watched.pool.waiting():
                self._full(watched, moment)
            else:
                watched.began = None
        self._last = moment
        return in_use

    def awaited(self) -> list[Holder]:
        """The threads that observed requests wait for."""
        return [each for watched in self._watched for each in watched.pool.awaited() if each.record in self._records]

    def readings(self) -> tuple[PoolReading, ...]:
        """All of them, once the run is over."""
        return tuple(
            replace(reading, stacks=tuple(as_stack(stack, self._user) for stack in stacks))
            for watched in self._watched
            for reading, stacks in watched.readings
        )

    def uses(self) -> tuple[PoolUse, ...]:
        return tuple(PoolUse(each.pool.name, int(each.pool.total), each.use) for each in self._watched if each.use)

    def _in_use(self, pool: Pool) -> int:
        return sum(holder.record in self._records for holder in pool.holders() if holder.record is not None)

    def _full(self, watched: _Watched, moment: int) -> None:
        if watched.began is None:
            watched.began = watched.next_at = moment
            watched.span += 1
            watched.looks = 0
        if moment >= watched.next_at:
            watched.next_at = moment + max(10 * _MS, (moment - watched.began) // 8)
            watched.readings.append(self._reading(watched, moment))

    def _reading(self, watched: _Watched, moment: int) -> tuple[PoolReading, list[list[RawFrame]]]:
        pool = watched.pool
        threads = pool.threads()
        probing = self._probes.records
        holders = [each for each in pool.holders() if each.record is None or each.record not in probing]
        watched.looks += 1
        looked = not watched.looks & (watched.looks - 1)  # ever more rarely: it is what costs most
        stacks = busy(threads, self._user) if looked else []
        reading = PoolReading(
            at=moment,
            span=watched.span,
            pool=pool.name,
            total=int(pool.total),
            waiting=pool.waiting(),
            holders=tuple(self._number(each) for each in holders),
            at_work=pool.at_work(),
            queued=watched.queue.read(thread.native_id for thread in threads) if self._splits_waiting else None,
            seen_in="workers" if stacks else "tasks",
        )
        if stacks or not looked:
            return reading, stacks
        chains, endpoints = self._awaiting(holders)
        return (reading, chains) if chains else (replace(reading, seen_in="responses"), endpoints)

    def _number(self, holder: Holder) -> int:
        return holder.record.number if holder.record is not None and holder.record in self._records else 0

    def _awaiting(self, holders: Sequence[Holder]) -> tuple[list[list[RawFrame]], list[list[RawFrame]]]:
        """Where tasks wait for workers that run no line of the user's, as of `to_thread(json.dumps, ...)`.

        And for those that wait in no line of the user's either, as a FileResponse does, the endpoint that made it.
        """
        chains, endpoints = [], []
        for holder in holders:
            chain = self._to_user(holder)
            if chain is not None:
                chains.append(chain)
            elif holder.record is not None and (endpoint := starlette.definition(holder.record)) is not None:
                endpoints.append([endpoint])
        return chains, endpoints

    def _to_user(self, holder: Holder) -> list[RawFrame] | None:
        """The await chain up to the user's code; a task that runs none may be one that the request's gathers."""
        chain: list[RawFrame] = []
        for task in (holder.task, holder.record.task if holder.record is not None else None):
            chain.extend(await_chain(task) if task is not None else [])
            if any(code.co_filename in self._user for code, *_ in takewhile(_within_route, chain)):
                return chain
        return None


def _within_route(frame: RawFrame) -> bool:
    """Outside of the framework's routing is middleware, which waits for everything."""
    return frame[3].get("__name__") not in ("fastapi.routing", "starlette.routing")

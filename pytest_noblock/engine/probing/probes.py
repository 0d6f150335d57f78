"""Probes: what everybody else feels while the request is under way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TypeVar

import httpx

from pytest_noblock.engine.asgi.transport import EXTENSION, NoResponse
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing.ticks import LoopTicks
from pytest_noblock.engine.threads.pools import Pool
from pytest_noblock.model.observation import LOOP, Probe

_MS = 1_000_000
_SENT = 25 * _MS
_SENT_AT_FIRST = 100
_SENT_LATER = 250 * _MS
"""So many come close together, then a tenth as often: a slow endpoint needs no thousands."""
_ALONE = 3
_ANSWER_S = 5
_SLICES_IN_S = 20

T = TypeVar("T")
Look = Callable[[], bool]
"""Called at every turn of the loop that is probed; tells whether to go on looking often."""


class ProbeFailed(Exception):
    """A probe that does not answer well measures something else; the message is a whole sentence."""


@dataclass(slots=True, eq=False)
class ProbeInFlight:
    """A user's probe under way, and the calls of the app that it made."""

    path: str
    due: int
    records: list[LiveExchange] = field(default_factory=list)


class Probes:
    """The probes of one run: an open loop, due whether or not those before are answered."""

    def __init__(self, client: httpx.AsyncClient, paths: Sequence[str], pools: Sequence[Pool]) -> None:
        self.alone: dict[str, int] = {}
        self.answered: list[Probe] = []
        self.under_way: set[ProbeInFlight] = set()
        self.failed: ProbeFailed | None = None
        """The first that was not answered well beside the request."""
        self._client = client
        self._paths = paths
        self._pools = pools

    async def measure_alone(self) -> None:
        """The median of a few in a row, after a first one that pays what only a first one pays.

        Raises ProbeFailed.
        """
        self.alone[LOOP] = await self._alone(LOOP, _turn)
        for pool in self._pools:
            self.alone[pool.name] = await self._alone(f"of {pool.name}", pool.probe)
        for path in self._paths:
            self.alone[path] = await self._alone(f"GET {path}", partial(self._ask_now, path))
        self.answered.clear()  # those are not part of the run

    async def _alone(self, name: str, send: Callable[[], Awaitable[None]]) -> int:
        times = []
        for _ in range(1 + _ALONE):
            began = now()
            await _within_limit(name, send())
            times.append(now() - began)
        return round(median(times[1:]))

    @asynccontextmanager
    async def running(self, look: Look) -> AsyncIterator[LoopTicks]:
        """Probe until the block is left and what was sent is answered."""
        timetables = [asyncio.create_task(self._requests(path)) for path in self._paths]
        queues = [_Queue(pool, self._answered) for pool in self._pools]
        turns = LoopTicks(partial(self._turn_taken, queues), look)
        try:
            yield turns
        finally:
            for timetable in timetables:
                timetable.cancel()
            turns.stop()
            ended = await asyncio.gather(*timetables, return_exceptions=True)
            await asyncio.gather(*(queue.leave() for queue in queues))
        for failure in (turns.failure, *ended):
            if isinstance(failure, ProbeFailed):
                self.failed = self.failed or failure
            elif isinstance(failure, Exception):
                raise failure

    def _turn_taken(self, queues: Sequence["_Queue"], due: int) -> None:
        """The pools are asked in the same turns."""
        self._answered(LOOP, due)
        for queue in queues:
            queue.turn(due)

    async def _requests(self, path: str) -> None:
        timetable = _Timetable()
        sent: list[asyncio.Task[None]] = []
        try:
            while True:
                await timetable.next()
                sent.append(asyncio.create_task(self._ask(ProbeInFlight(path, timetable.due))))
        finally:
            sent.extend(asyncio.create_task(self._ask(ProbeInFlight(path, due))) for due in timetable.missed())
            await _all_answered(path, sent)

    @property
    def records(self) -> set[LiveExchange]:
        """The calls of the app that probes under way made."""
        return {record for asked in self.under_way for record in asked.records}

    async def _ask_now(self, path: str) -> None:
        await self._ask(ProbeInFlight(path, now()))

    async def _ask(self, asked: ProbeInFlight) -> None:
        """Raises ProbeFailed for an answer that is none, or not a good one."""
        self.under_way.add(asked)
        try:
            response = await self._client.get(asked.path, extensions={EXTENSION: asked.records})
        except NoResponse as error:
            raised = error.record.error
            how = "ended without a response" if raised is None else f"raised {raised!r}"
            raise ProbeFailed(f"the probe GET {asked.path} {how}") from None
        finally:
            self.under_way.discard(asked)
        self.answered.append(Probe(asked.path, asked.due, now(), response.status_code))
        _accept(asked.path, response.status_code)

    def _answered(self, name: str, due: int) -> None:
        self.answered.append(Probe(name, due, now()))


class _Queue:
    """The probes of one pool, one after another: of a full pool no two wait, of a free one nothing is taken."""

    def __init__(self, pool: Pool, answered: Callable[[str, int], None]) -> None:
        self._pool = pool
        self._answered = answered
        self._due = 0
        self._waiting: asyncio.Task[None] | None = None

    def turn(self, due: int) -> None:
        if not self._pool.total or due - self._due < _SENT or (self._waiting and not self._waiting.done()):
            return
        self._due = due
        if self._pool.free():
            self._answered(self._pool.name, due)
        else:
            self._waiting = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        try:
            await self._pool.probe()
        finally:
            for due in range(self._due, now(), _SENT):  # those that fell due meanwhile waited as well
                self._answered(self._pool.name, due)
                self._due = due

    async def leave(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait([self._waiting])


class _Timetable:
    """When a path's probes are due."""

    def __init__(self) -> None:
        self.due = now()
        self._number = 0

    async def next(self) -> None:
        """Waits until the next one is due."""
        self._step()
        await asyncio.sleep(max(0, self.due - now()) / 1e9)

    def missed(self) -> Iterator[int]:
        """What fell due so far and was not sent: the one waited for, and those after it."""
        stopped = now()
        while self.due < stopped:
            yield self.due
            self._step()

    def _step(self) -> None:
        self._number += 1
        self.due += _SENT if self._number <= _SENT_AT_FIRST else _SENT_LATER


async def _turn() -> None:
    await asyncio.sleep(0)


async def _all_answered(path: str, sent: Sequence[asyncio.Task[None]]) -> None:
    """Waits in slices: one that a busy machine draws out counts as one, and not for as long as it took."""
    pending = set(sent)
    for _ in range(_ANSWER_S * _SLICES_IN_S):
        if pending:
            _, pending = await asyncio.wait(pending, timeout=1 / _SLICES_IN_S)
    for each in pending:
        each.cancel()
    for answer in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(answer, Exception):
            raise answer
    if pending:
        raise _late(f"GET {path}")


async def _within_limit(name: str, answer: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(answer, _ANSWER_S)
    except TimeoutError:
        raise _late(name) from None


def _late(name: str) -> ProbeFailed:
    return ProbeFailed(f"the probe {name} did not answer within {_ANSWER_S} s")


def _accept(path: str, status: int) -> None:
    if status >= 400:
        raise ProbeFailed(
            f"the probe GET {path} answered {status}: a probe must be a small request that the app answers well; "
            f'name another with probe="/path"'
        )

"""Probes: what everybody else feels while the request is under way. All of it runs on the loop thread."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TypeVar

from pytest_noblock.engine.asgi.transport import EXTENSION, NoResponse
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing.ticks import LoopTicks
from pytest_noblock.engine.threads.pools import Pool
from pytest_noblock.model.observation import LOOP, Probe
from pytest_noblock.model.shown import without_secrets

_MS = 1_000_000
_INTERVAL_NS = 25 * _MS
"""From one probe of a path, or of a pool, to the next. Two probes fit into the default limit of 50 ms."""
_CLOSE_PROBES = 100
_LATER_INTERVAL_NS = 250 * _MS
"""ns. The first 100 probes of a path come every 25 ms, later ones every 250 ms: thousands would show no more."""
_ALONE_RUNS = 3
_ANSWER_LIMIT_S = 5
"""A probe that takes longer is no small request."""
_SLICES_PER_S = 20

T = TypeVar("T")
Sample = Callable[[], bool]
"""Called in every tick; returns whether ticks are needed often."""


class ProbeFailed(Exception):
    """A probe that does not answer well measures something else; the message is a whole sentence."""


@dataclass(slots=True, eq=False)
class ProbeInFlight:
    """A user's probe under way; times in ns."""

    path: str
    dues: Sequence[int]
    """When it was due. Where the loop was held, one is sent for all that fell due meanwhile: many at once would hold
    the loop themselves, and wait for each other."""
    records: list[LiveExchange] = field(default_factory=list)
    """The calls of the app that it made."""


class Probes:
    """The probes of one run. Each is due at a fixed time, whether or not the earlier ones have been answered."""

    def __init__(self, client: httpx.AsyncClient, paths: Sequence[str], pools: Sequence[Pool]) -> None:
        self.alone: dict[str, int] = {}
        """By path or built-in probe: its time (ns) with nothing else under way."""
        self.answered: list[Probe] = []
        self.under_way: set[ProbeInFlight] = set()
        self.sent: list[ProbeInFlight] = []
        """All of them, in order."""
        self.failed: ProbeFailed | None = None
        """The first failure of a probe while the request was under way."""
        self._client = client
        self._paths = paths
        self._pools = pools

    @property
    def records(self) -> set[LiveExchange]:
        """The calls of the app that the probes under way made."""
        return {record for probe in self.under_way for record in probe.records}

    async def measure_alone(self) -> None:
        """Fill `alone`. Raises ProbeFailed."""
        self.alone[LOOP] = await _median_time(LOOP, partial(asyncio.sleep, 0))
        for pool in self._pools:
            self.alone[pool.name] = await _median_time(f"of {pool.name}", pool.probe)
        for path in self._paths:
            self.alone[path] = await _median_time(f"GET {path}", partial(self._send_now, path))
        self.answered.clear()  # those are not part of the run
        self.sent.clear()

    @asynccontextmanager
    async def running(self, sample: Sample) -> AsyncIterator[LoopTicks]:
        """Probe until the block is left and what was sent is answered. What `sample` raises is raised then."""
        timetables = [asyncio.create_task(self._send_on_timetable(path)) for path in self._paths]
        pool_probes = [_PoolProbes(pool, self._note_answer) for pool in self._pools]
        ticks = LoopTicks(partial(self._on_tick, pool_probes), sample)
        try:
            yield ticks
        finally:
            for timetable in timetables:
                timetable.cancel()
            ticks.stop()
            ended = await asyncio.gather(*timetables, return_exceptions=True)
            await asyncio.gather(*(each.stop() for each in pool_probes))
        for failure in (ticks.failure, *ended):
            if isinstance(failure, ProbeFailed):
                self.failed = self.failed or failure
            elif isinstance(failure, Exception):
                raise failure

    def _on_tick(self, pool_probes: Sequence["_PoolProbes"], due: int) -> None:
        """A tick is a probe of the loop by itself; the pools are probed in the same ticks."""
        self._note_answer(LOOP, due)
        for each in pool_probes:
            each.on_tick(due)

    async def _send_on_timetable(self, path: str) -> None:
        """Until it is cancelled: then what fell due and was not sent is sent, and all answers are waited for."""
        timetable = _Timetable()
        sent: list[asyncio.Task[None]] = []
        try:
            while True:
                dues = await timetable.next()
                sent.append(asyncio.create_task(self._send(ProbeInFlight(path, dues))))
        finally:
            if dues := timetable.missed():
                sent.append(asyncio.create_task(self._send(ProbeInFlight(path, dues))))
            await _all_answered(path, sent)

    async def _send_now(self, path: str) -> None:
        await self._send(ProbeInFlight(path, [now()]))

    async def _send(self, probe: ProbeInFlight) -> None:
        """Raises ProbeFailed where no response comes, or one of status 400 and above."""
        self.under_way.add(probe)
        self.sent.append(probe)
        try:
            response = await self._client.get(probe.path, extensions={EXTENSION: probe.records})
        except NoResponse as error:
            raised = error.record.error_text
            how = "ended without a response" if raised is None else f"raised {raised}"
            raise ProbeFailed(f"the probe GET {probe.path} {how}") from None
        finally:
            self.under_way.discard(probe)
        answered = now()
        self.answered.extend(Probe(probe.path, due, answered, response.status_code) for due in probe.dues)
        _require_success(probe.path, response.status_code)

    def _note_answer(self, name: str, due: int) -> None:
        self.answered.append(Probe(name, due, now()))


class _PoolProbes:
    """The probes of one pool, one after another. In a full pool one waits; in a free pool none takes a thread."""

    def __init__(self, pool: Pool, note_answer: Callable[[str, int], None]) -> None:
        self._pool = pool
        self._note_answer = note_answer
        self._due = 0
        self._waiting: asyncio.Task[None] | None = None

    def on_tick(self, due: int) -> None:
        if not self._pool.total or due - self._due < _INTERVAL_NS or (self._waiting and not self._waiting.done()):
            return
        self._due = due
        if self._pool.free():
            self._note_answer(self._pool.name, due)
        else:
            self._waiting = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        try:
            await self._pool.probe()
        finally:
            for due in range(self._due, now(), _INTERVAL_NS):  # those that fell due meanwhile waited as well
                self._note_answer(self._pool.name, due)
                self._due = due

    async def stop(self) -> None:
        """One that waits counts as answered now."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait([self._waiting])


class _Timetable:
    """When the probes of one path are due (ns)."""

    def __init__(self) -> None:
        self.due = now()
        self._number = 0
        self._advance()

    async def next(self) -> list[int]:
        """Wait until the next one is due; returns when (ns), and when those after it up to now."""
        await asyncio.sleep(max(0, self.due - now()) / 1e9)
        return self.missed() or [self._taken()]

    def missed(self) -> list[int]:
        """The due times (ns) of the probes that were not sent: the next one, and those after it up to now."""
        stopped = now()
        dues = []
        while self.due < stopped:
            dues.append(self._taken())
        return dues

    def _taken(self) -> int:
        due = self.due
        self._advance()
        return due

    def _advance(self) -> None:
        self._number += 1
        self.due += _INTERVAL_NS if self._number <= _CLOSE_PROBES else _LATER_INTERVAL_NS


async def _median_time(name: str, send: Callable[[], Awaitable[None]]) -> int:
    """The median (ns) of three in a row. One before them is not counted: it pays the first-use costs."""
    times = []
    for _ in range(1 + _ALONE_RUNS):
        began = now()
        await _within_limit(name, send())
        times.append(now() - began)
    return round(median(times[1:]))


async def _all_answered(path: str, sent: Sequence[asyncio.Task[None]]) -> None:
    """Raises what the first one raised, or ProbeFailed where one is not answered within the limit.

    The limit is counted in slices. A slice that a busy machine stretches counts as one, however long it took.
    """
    pending = set(sent)
    for _ in range(_ANSWER_LIMIT_S * _SLICES_PER_S):
        if pending:
            _, pending = await asyncio.wait(pending, timeout=1 / _SLICES_PER_S)
    for each in pending:
        each.cancel()
    for answer in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(answer, Exception):
            raise answer
    if pending:
        raise _too_late(f"GET {path}")


async def _within_limit(name: str, answer: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(answer, _ANSWER_LIMIT_S)
    except TimeoutError:
        raise _too_late(name) from None


def _too_late(name: str) -> ProbeFailed:
    return ProbeFailed(f"the probe {without_secrets(name)} did not answer within {_ANSWER_LIMIT_S} s")


def _require_success(path: str, status: int) -> None:
    if status >= 400:
        raise ProbeFailed(
            f"the probe GET {without_secrets(path)} answered {status}: a probe must be a small request that the app "
            f'answers well; name another with probe="/path"'
        )

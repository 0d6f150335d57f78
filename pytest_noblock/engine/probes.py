"""Probes: what everybody else feels while the request is under way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from statistics import median

import httpx

from pytest_noblock.engine.now import now
from pytest_noblock.engine.transport import NoResponse
from pytest_noblock.observation import Probe

LOOP = "the event loop"
"""The built-in probe: one turn of the loop. It passes no middleware, so it disturbs nobody's counters,
rate limits or database sessions."""

_MS = 1_000_000
_ALONE = 3
_ANSWER_S = 5

Send = Callable[[], Awaitable[int | None]]


class ProbeFailed(Exception):
    """A probe that does not answer well measures something else; the message is a whole sentence."""


class Probes:
    """The probes of one run: an open loop, sent when due however late the answers are."""

    def __init__(self, client: httpx.AsyncClient, paths: tuple[str, ...]) -> None:
        self.alone: dict[str, int] = {}
        self.answered: list[Probe] = []
        self._senders: dict[str, Send] = {LOOP: _turn, **{path: _get(client, path) for path in paths}}

    async def measure_alone(self) -> None:
        """The median of a few in a row, after a first one that pays what only a first one pays.

        Raises ProbeFailed.
        """
        for path, send in self._senders.items():
            _accept(path, await send())
            self.alone[path] = round(median([await _timed(send) for _ in range(_ALONE)]))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Probe until the block is left and what was sent is answered. Raises ProbeFailed."""
        timetables = [
            asyncio.create_task(self._timetable(path, send, 5 * _MS if path == LOOP else 25 * _MS))
            for path, send in self._senders.items()
        ]
        try:
            yield
        finally:
            for timetable in timetables:
                timetable.cancel()
            ended = await asyncio.gather(*timetables, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, ProbeFailed):
                raise failure
        for probe in self.answered:
            _accept(probe.path, probe.status)

    async def _timetable(self, path: str, send: Send, every: int) -> None:
        under_way: list[asyncio.Task[None]] = []
        dues = _dues(now(), every)
        due = next(dues)
        try:
            while True:
                await asyncio.sleep(max(0, due - now()) / 1e9)
                under_way.append(asyncio.create_task(self._one(path, send, due)))
                due = next(dues)
        finally:
            stopped = now()
            while due < stopped:  # fell due while the loop did not turn
                under_way.append(asyncio.create_task(self._one(path, send, due)))
                due = next(dues)
            await self._last_answers(under_way)

    async def _last_answers(self, under_way: list[asyncio.Task[None]]) -> None:
        for answer in await asyncio.gather(*under_way, return_exceptions=True):
            if isinstance(answer, ProbeFailed):
                raise answer

    async def _one(self, path: str, send: Send, due: int) -> None:
        status = await send()
        self.answered.append(Probe(path, due, now(), status))


def _dues(start: int, every: int) -> Iterator[int]:
    """Close together at first, a tenth as often once a hundred are sent: a slow endpoint needs no thousands."""
    due = start
    for number in range(1_000_000):
        due += every if number < 100 else 10 * every
        yield due


async def _turn() -> None:
    await asyncio.sleep(0)


def _get(client: httpx.AsyncClient, path: str) -> Send:
    async def get() -> int:
        try:
            response = await asyncio.wait_for(client.get(path), _ANSWER_S)
        except TimeoutError:
            raise ProbeFailed(f"the probe GET {path} did not answer within {_ANSWER_S} s") from None
        except NoResponse as error:
            raised = error.record.error
            how = "ended without a response" if raised is None else f"raised {raised!r}"
            raise ProbeFailed(f"the probe GET {path} {how}") from None
        return response.status_code

    return get


async def _timed(send: Send) -> int:
    began = now()
    await send()
    return now() - began


def _accept(path: str, status: int | None) -> None:
    if status is not None and status >= 400:
        raise ProbeFailed(
            f"the probe GET {path} answered {status}: a probe must be a small request that the app answers well; "
            f'name another with probe="/path"'
        )

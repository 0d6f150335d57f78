"""Sends many requests at once. One that does not end is cancelled, and costs the others nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pytest_noblock.engine.asgi.transport import EXTENSION, NoResponse
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.many.flights import Flight, ManyRun, Patience, exchanges_of
from pytest_noblock.engine.observe import RunContext
from pytest_noblock.engine.threads import await_chains

_BEGIN_IN_ONE_TURN = 10
"""So many requests begin in one turn of the loop: else we would hold the loop ourselves."""
_SLICE_S = 0.25
"""Seconds. A request's patience is counted in slices: one that a held loop stretches counts as one."""


async def fly_all(context: RunContext, run: ManyRun, flights: Sequence[Flight]) -> None:
    waiting = iter(flights)
    turn = asyncio.Lock()
    begun = 0

    async def fly_one_after_another() -> None:
        nonlocal begun
        for flight in waiting:
            async with turn:
                begun += 1
                if begun % _BEGIN_IN_ONE_TURN == 0:
                    await asyncio.sleep(0)
            await _fly(context, run, flight)

    flying = [asyncio.create_task(fly_one_after_another()) for _ in range(min(run.at_once, len(flights)))]
    try:
        await asyncio.gather(*flying)
    finally:
        for task in (*flying, *(each.task for each in exchanges_of(flights))):
            if task is not None and not task.done():
                task.cancel()


async def _fly(context: RunContext, run: ManyRun, flight: Flight) -> None:
    flight.begun = True
    sending = asyncio.create_task(_send(context.client, flight))
    try:
        if await _ended([sending], flight, run):
            await _ended(_calls(flight), flight, run)
    except asyncio.CancelledError:  # the whole run is interrupted
        sending.cancel()
        raise
    if not _all_done([sending, *_calls(flight)]):
        _give_up(context, flight, sending)
    flight.over = True


async def _send(client: httpx.AsyncClient, flight: Flight) -> None:
    request = flight.request
    extensions = {**request.arguments.get("extensions", {}), EXTENSION: flight.exchanges}
    arguments = {**request.arguments, "extensions": extensions}
    try:
        flight.response = await client.request(request.method, request.url, **arguments)
    except NoResponse:
        flight.response = None
    except Exception as error:  # noqa: BLE001  # httpx's own
        flight.refused = error


def _calls(flight: Flight) -> "list[asyncio.Task[Any]]":
    return [each.task for each in flight.exchanges if each.task is not None]


async def _ended(tasks: "list[asyncio.Task[Any]]", flight: Flight, run: ManyRun) -> bool:
    """Waits without cancelling: a stuck task must still show the line where it sits."""
    patience = _Slices(flight, run.patience)
    while not _all_done(tasks):
        if patience.is_over():
            return False
        await asyncio.wait(tasks, timeout=_SLICE_S, return_when=asyncio.ALL_COMPLETED)
    return True


def _all_done(tasks: "list[asyncio.Task[Any]]") -> bool:
    return all(task.done() for task in tasks)


class _Slices:
    """Counts the slices that a request has, before its response starts and after."""

    def __init__(self, flight: Flight, patience: Patience) -> None:
        self._flight = flight
        self._answer = round(patience.answer_s / _SLICE_S)
        self._stream = round(patience.stream_s / _SLICE_S)

    def is_over(self) -> bool:
        last = self._flight.exchanges[-1] if self._flight.exchanges else None
        if last is not None and last.started is not None and last.completed is None:
            self._stream -= 1
            return self._stream < 0
        self._answer -= 1
        return self._answer < 0


def _give_up(context: RunContext, flight: Flight, sending: "asyncio.Task[None]") -> None:
    flight.unfinished = True
    stuck = next((each for each in flight.exchanges if each.returned is None), None)
    flight.sits = await_chains.where(stuck, context.user) if stuck is not None else None
    for task in (sending, *_calls(flight)):
        task.cancel()

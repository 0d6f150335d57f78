"""Sends many requests at once. One that does not end is cancelled, and costs the others nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pytest_noblock.engine.asgi.transport import EXTENSION, AppTransport, NoResponse
from pytest_noblock.engine.frameworks.http_client import BUILT, httpx
from pytest_noblock.engine.many.flights import Flight, Many, ManyRun, Patience, exchanges_of
from pytest_noblock.engine.many.order import Order
from pytest_noblock.engine.observe import RunContext
from pytest_noblock.engine.threads import await_chains

_BEGIN_IN_ONE_TURN = 10
"""So many requests begin in one turn of the loop: else we would hold the loop ourselves."""
_SLICE_S = 0.25
"""Seconds. A request's patience is counted in slices: one that a held loop stretches counts as one."""


class Sending:
    """How the requests of one run are sent."""

    def __init__(self, context: RunContext, transport: AppTransport, run: ManyRun) -> None:
        self._context = context
        self._transport = transport
        self._run = run
        self._turn = asyncio.Lock()
        self._begun = 0

    async def fly_all(self, many: Many) -> None:
        """Ends once all are over, and those that they brought about."""
        order = Order(many.flights)
        lanes = min(self._run.at_once, len(many.flights))
        flying = [asyncio.create_task(self._one_after_another(order, many)) for _ in range(lanes)]
        try:
            await asyncio.gather(*flying)
        finally:
            for task in (*flying, *(each.task for each in exchanges_of(many.flights))):
                if task is not None and not task.done():
                    task.cancel()

    async def _one_after_another(self, order: Order, many: Many) -> None:
        while order:
            flight = order.take()
            async with self._turn:
                self._begun += 1
                if self._begun % _BEGIN_IN_ONE_TURN == 0:
                    await asyncio.sleep(0)
            await self._fly(flight)
            following = self._run.again(flight) if self._run.again is not None else None
            if following is not None:
                many.flights.append(following)
                order.add(following)

    async def _fly(self, flight: Flight) -> None:
        flight.begun = True
        sending = asyncio.create_task(self._send(flight))
        try:
            if await _ended([sending], flight, self._run.patience):
                await _ended(_calls(flight), flight, self._run.patience)
        except asyncio.CancelledError:  # the whole run is interrupted
            sending.cancel()
            raise
        if not _all_done([sending, *_calls(flight)]):
            _give_up(self._context, flight, sending)
        flight.over = True

    async def _send(self, flight: Flight) -> None:
        try:
            flight.response = await self._answer(flight.request.built or self._build(flight), flight)
        except NoResponse:
            flight.response = None
        except Exception as error:  # noqa: BLE001  # httpx's own
            flight.refused = error

    def _build(self, flight: Flight) -> httpx.Request:
        request = flight.request
        arguments = {name: value for name, value in request.arguments.items() if name in BUILT}
        return self._context.client.build_request(request.method, request.url, **arguments)

    async def _answer(self, request: httpx.Request, flight: Flight) -> httpx.Response:
        """As the client's `send`, without redirects, auth and cookies: no sweep has them, and they take 0.2 ms."""
        request.extensions = {**request.extensions, EXTENSION: flight.exchanges}
        response = await self._transport.handle_async_request(request)
        response.request = request
        try:
            await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


def _calls(flight: Flight) -> "list[asyncio.Task[Any]]":
    return [each.task for each in flight.exchanges if each.task is not None]


async def _ended(tasks: "list[asyncio.Task[Any]]", flight: Flight, patience: Patience) -> bool:
    """Waits without cancelling: a stuck task must still show the line where it sits."""
    slices = _Slices(flight, patience)
    while not _all_done(tasks):
        if slices.are_over():
            return False
        await asyncio.wait(tasks, timeout=_SLICE_S, return_when=asyncio.ALL_COMPLETED)
    return True


def _all_done(tasks: "Sequence[asyncio.Task[Any]]") -> bool:
    return all(task.done() for task in tasks)


class _Slices:
    """Counts the slices that a request has, before its response starts and after."""

    def __init__(self, flight: Flight, patience: Patience) -> None:
        self._flight = flight
        self._answer = round(patience.answer_s / _SLICE_S)
        self._stream = round(patience.stream_s / _SLICE_S)

    def are_over(self) -> bool:
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

"""One run of many different requests, all under way at once: each stall of the loop still has one owner.

No probes: who is kept waiting is everybody. A request that does not end is cancelled, and costs the others nothing.
"""

import asyncio
import gc
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import httpx

from pytest_noblock.engine import detached
from pytest_noblock.engine.asgi.transport import EXTENSION, NoResponse
from pytest_noblock.engine.exchange import OURS, LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.instrument import adopt
from pytest_noblock.engine.meters import Metering, metering
from pytest_noblock.engine.now import now
from pytest_noblock.engine.observe import Request, RunContext
from pytest_noblock.engine.probing.pool_sampler import PoolSampler
from pytest_noblock.engine.probing.probes import Probes
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.other_loops import loop_name
from pytest_noblock.engine.threads import await_chains
from pytest_noblock.engine.threads.gil_gaps import GilGapDetector
from pytest_noblock.engine.threads.pools import Pool, awaited_in_own_pools, of_running_loop
from pytest_noblock.engine.threads.wide_pools import wide_pools
from pytest_noblock.engine.tracers import slowdown
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import SAMPLE_AFTER_NS
from pytest_noblock.model.observation import APP, LIFESPAN, Exchange, Observation
from pytest_noblock.model.segment import Segment

AT_ONCE = 100
"""Requests under way at once. More would wait for each other's connections to a database, and for the loop."""
_BEGIN_IN_ONE_TURN = 10
"""So many requests begin in one turn of the loop: else we would hold the loop ourselves."""
_SLICE_S = 0.25
"""Seconds. A request's patience is counted in slices: one that a held loop stretches counts as one."""
_COLLECT_FROM = 20
"""Requests: fewer seldom fill the collector's youngest generations. To collect takes 0.1 s of an app of 500 routes."""
_TURNS_AFTER = 3
"""As in `observe`."""


class Patience(NamedTuple):
    """How long a request may take. Chosen: nobody waits for a route that takes longer."""

    answer_s: float = 10.0
    """Seconds in which a response must start, and in which what comes after the response must end."""
    stream_s: float = 5.0
    """Seconds in which a response that has started must be complete."""


@dataclass(frozen=True, slots=True)
class ManyRun:
    """How the requests are sent, and how the run is measured."""

    patience: Patience
    sample_after: int = SAMPLE_AFTER_NS
    linger: int = 0
    """Ns: how long the run waits for detached work after the last request."""
    at_once: int = AT_ONCE
    exact: bool = False
    """With counters at every user line in the place of the watchdog's samples; nothing beside the steps is recorded."""


@dataclass(slots=True, eq=False)
class Flight:
    """One request to send, and what came of it."""

    request: Request
    exchanges: list[LiveExchange] = field(default_factory=list)
    """The calls of the app that it made."""
    response: httpx.Response | None = None
    refused: Exception | None = None
    """What httpx raised instead of a response."""
    sits: Frame | None = None
    """The user line at which it sat when its patience was over."""
    unfinished: bool = False
    """Whether it was cancelled because it did not end."""
    begun: bool = False
    over: bool = False
    """Whether it ended, or was cancelled because it did not. Of an interrupted run it may be neither."""


class Many:
    """What a run of many requests leaves behind, for another thread to look at meanwhile."""

    def __init__(self, flights: Sequence[Flight]) -> None:
        self.flights = flights
        self.metering: Metering | None = None
        self.observation: Observation | None = None
        """What is recorded: of a run that was interrupted, what was over by then."""
        self.ended = threading.Event()
        """Set once the observation is made."""
        self.steps: list[tuple[int, int]] = []
        """The row of all steps: the turn in which the next one began, and the number of the exchange whose it was."""
        self.culprit: LiveExchange | None = None
        """Who ended the loop, or took it; set by whoever found that out."""
        self.hogs: set[LiveExchange] = set()
        """Requests that had more threads of a pool at once than the pool has when no sweep widens it."""

    @property
    def over(self) -> int:
        """How many requests have ended."""
        return sum(each.over for each in self.flights)

    def holder(self, seconds: float) -> LiveExchange | None:
        """The request whose step has run for so long; None where no step has."""
        steps = self.metering.steps if self.metering is not None else None
        if steps is None or not steps.runs_since or now() - steps.runs_since < seconds * 1e9:
            return None
        return steps.owner

    def flight_of(self, record: LiveExchange | None) -> Flight | None:
        """The flight that the exchange is of."""
        return next((flight for flight in self.flights if any(each is record for each in flight.exchanges)), None)


async def observe_many(context: RunContext, run: ManyRun, many: Many) -> Observation | None:
    """Send all requests; runs on the loop that runs the app. What the app does is part of the observation.

    `many` fills meanwhile, for a thread that wants to know how far it came.
    """
    if len(many.flights) > _COLLECT_FROM:
        gc.collect()  # they would trigger a collection, which takes tens of ms in a test session
    sensors = _Sensors(context, run, many)
    try:
        with wide_pools(run.at_once):
            async with sensors.running() as metered:
                many.metering = metered
                await _fly_all(context, run, many.flights)
                await _settle(many.flights)
                exchanges = list(_exchanges(many.flights))
                if run.linger:
                    await detached.linger(exchanges, now() + run.linger, context.user)
                    detached.note_left(asyncio.get_running_loop(), exchanges, context.user, "lingered")
    finally:
        if many.metering is not None:
            many.observation = sensors.observation(many.metering.segments)
        many.ended.set()
    return many.observation


class _Sensors:
    """Everything that records during the run."""

    def __init__(self, context: RunContext, run: ManyRun, many: Many) -> None:
        self._context = context
        self._run = run
        self._many = many
        pools = of_running_loop()
        self._hogs = _Hogs(pools, many.hogs, run.at_once)
        self._probes = Probes(context.client, (), ())
        self._pools = PoolSampler(
            pools,
            context.user,
            _Requests(),
            self._probes,
            splits_waiting=context.meter == "full",
            awaited_elsewhere=awaited_in_own_pools,
        )
        self._gaps = GilGapDetector(self._pools.awaited, context.user, run.sample_after)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Metering]:
        """The same order as in `observe`: meter, ticks, gap detector."""
        context = self._context
        run = self._run
        with metering(context.meter, context.user, sample_after=run.sample_after, exact=run.exact) as metered:
            adopt(metered.steps, LiveExchange(APP, ""))
            async with self._probes.running(self._sample) as ticks:
                metered.steps.attach_step_begin(partial(self._step_begins, metered.steps, ticks.wake))
                if context.meter == "full" and not run.exact:
                    with self._gaps.detecting(metered.steps):
                        yield metered
                else:
                    yield metered

    def _step_begins(self, meter: StepMeter, wake: Callable[[], None]) -> None:
        wake()
        before = meter.last_owner
        if before is not None:
            self._many.steps.append((meter.present_turn(), before.number))

    def _sample(self) -> bool:
        self._gaps.reset_marks()
        self._hogs.look()
        return any(pool.taken() for pool in self._hogs.pools)

    def observation(self, segments: tuple[Segment, ...]) -> Observation:
        """Once the run is over; on the loop that ran it."""
        return Observation(
            meter=self._context.meter,
            exchanges=tuple(starlette.as_exchange(each, self._context.user) for each in _exchanges(self._many.flights)),
            segments=segments,
            gaps=self._gaps.gaps(),
            loop=loop_name(),
            slowdown=slowdown(),
        )


class _Requests:
    """The live exchanges of all flights: nobody else sends the app a request."""

    def __contains__(self, record: object) -> bool:
        return isinstance(record, LiveExchange) and record is not OURS and record.method not in (APP, LIFESPAN)


class _Hogs:
    """Who has more threads of a pool than there are when the pools are as the app made them."""

    def __init__(self, pools: Sequence[Pool], found: set[LiveExchange], more: int) -> None:
        self.pools = pools
        self._found = found
        self._more = more

    def look(self) -> None:
        for pool in self.pools:
            most = pool.total - self._more
            if most > 0 and pool.taken() >= most:
                taken = Counter(each.record for each in pool.holders() if each.record is not None)
                self._found.update(record for record, count in taken.items() if count >= most)


def _exchanges(flights: Sequence[Flight]) -> Iterator[LiveExchange]:
    """In the order in which they entered the app."""
    return iter(sorted((each for flight in flights for each in flight.exchanges), key=lambda each: each.number))


async def _fly_all(context: RunContext, run: ManyRun, flights: Sequence[Flight]) -> None:
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
        for task in (*flying, *(each.task for each in _exchanges(flights))):
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


async def _settle(flights: Sequence[Flight]) -> None:
    """Let what the requests woke run, as in `observe`."""
    for _ in range(_TURNS_AFTER):
        await asyncio.sleep(0)
    moment = now()
    for each in _exchanges(flights):
        each.settled = moment


def values(exchanges: Sequence[Exchange], flight: Flight) -> list[Exchange]:
    """The frozen exchanges of a flight, among those of the observation."""
    numbers = {each.number for each in flight.exchanges}
    return [each for each in exchanges if each.number in numbers]

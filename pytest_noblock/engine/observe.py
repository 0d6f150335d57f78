"""One run of one or more requests, with everything that can be recorded about it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pytest_noblock.engine import detached
from pytest_noblock.engine.asgi.transport import EXTENSION, NoResponse
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.meters import Metering, metering
from pytest_noblock.engine.now import now
from pytest_noblock.engine.other_threads import switch_interval
from pytest_noblock.engine.probing.beside_steps import BesideSteps
from pytest_noblock.engine.probing.pool_sampler import PoolSampler
from pytest_noblock.engine.probing.probe_waits import WaitSampler
from pytest_noblock.engine.probing.probes import Probes
from pytest_noblock.engine.steps import fallen_due
from pytest_noblock.engine.steps.handles import adopt
from pytest_noblock.engine.steps.other_loops import loop_name
from pytest_noblock.engine.threads import await_chains
from pytest_noblock.engine.threads.pools import awaited_in_own_pools, of_running_loop
from pytest_noblock.engine.tracers import slowdown
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import SAMPLE_AFTER_NS
from pytest_noblock.model.observation import APP, Exchange, Meter, Observation
from pytest_noblock.model.segment import Segment


@dataclass(frozen=True, slots=True)
class Request:
    """One request to send; `arguments` are httpx's own."""

    method: str
    url: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    built: httpx.Request | None = field(default=None, repr=False, compare=False)
    """The same, as a client with the same base URL built it, to see whether it can; a sweep sends this one."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the runs of one app share."""

    client: httpx.AsyncClient
    user: UserCode
    meter: Meter


@dataclass(frozen=True, slots=True)
class Run:
    """What one run sends, and how it is measured. Times in ns."""

    requests: tuple[Request, ...]
    """All of them are under way at once."""
    probes: tuple[str, ...] | None = None
    """Paths besides the built-in probes; None: no probes at all."""
    exact: bool = False
    """With counters at every user line in the place of the watchdog's samples."""
    sample_after: int = SAMPLE_AFTER_NS
    """How old a step is when the watchdog samples it, and how long a GIL gap must be to be recorded."""
    give_up_after: int = 30_000_000_000
    """The run raises Stuck when the app's calls have not returned by then."""
    linger: int = 0
    """How long the run waits for detached work after that."""


_AT_ONCE = 10
"""How many requests begin in one turn of the loop. If all began in one turn, we would block the loop ourselves. If each
had a turn of its own, the first would have ended on a busy machine before the last began."""


_TURNS_AFTER = 3
"""Turns of the loop. A worker of the app's that a request wakes, as by `Queue.put_nowait`, runs in the turn after next
at the latest; an endpoint that awaits nothing has returned before."""


class Stuck(Exception):
    """The request did not end in time; `frame` is the user line where it sits, `exchange` how far it came."""

    def __init__(self, exchange: Exchange | None, frame: Frame | None) -> None:
        super().__init__("the request did not end")
        self.exchange = exchange
        self.frame = frame


class NotAnswered(Exception):
    """The client gave up, on what it was told to send or on what it received. The cause is what it raised."""


async def observe(
    context: RunContext, run: Run, sent: list[LiveExchange] | None = None
) -> tuple[Observation, httpx.Response | None]:
    """Send the requests of the run and wait until the app's calls have returned, and what they started is done.

    Runs on the loop that runs the app. `sent` fills meanwhile, for a thread that wants to know how far it came.

    Returns the first request's response as well; None where the app gave none. Raises
    Stuck, NotAnswered, and ProbeFailed where a probe fails alone. What the app itself raises is part
    of the observation.
    """
    exchanges: list[LiveExchange] = [] if sent is None else sent
    sensors = _Sensors(context, run, exchanges)
    _collect_before(run)
    async with sensors.running() as metering:
        responses = await _responses(context, run, exchanges)
        await _settle(exchanges)
        if run.linger:
            await detached.linger(exchanges, now() + run.linger, context.user)
            detached.note_left(asyncio.get_running_loop(), exchanges, context.user, "lingered")
    return sensors.observation(metering.segments), responses[0]


@contextmanager
def observe_lifespan(
    meter: Meter, user: UserCode, recorded: list[tuple[UserCode, Observation]], record: LiveExchange
) -> Iterator[None]:
    """Record what the app's start, or its stop, does to the loop: the block. Of a block that raises nothing is kept."""
    with metering(meter, user, sample_after=SAMPLE_AFTER_NS) as metered:
        yield
    exchange = starlette.as_exchange(record, user)
    loop = loop_name()
    recorded.append((user, Observation(meter, (exchange,), metered.segments, loop=loop, slowdown=slowdown())))


class _Sensors:
    """Everything that records during one run. `exchanges` fills while the run goes on."""

    def __init__(self, context: RunContext, run: Run, exchanges: list[LiveExchange]) -> None:
        self._context = context
        self._run = run
        self._exchanges = exchanges
        full = context.meter == "full"
        pools = of_running_loop() if run.probes is not None else []
        self._probes = Probes(context.client, run.probes or (), pools)
        self._pools = PoolSampler(
            pools,
            context.user,
            exchanges,
            self._probes,
            splits_waiting=full,
            awaited_elsewhere=awaited_in_own_pools,
        )
        self._waits = WaitSampler(context.user, exchanges, splits_waiting=full)
        self._beside = BesideSteps(self._pools.awaited, context.user, run.sample_after, lambda: exchanges)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Metering]:
        """The order of set-up is a contract.

        `measure_alone` must run without a meter. The ticks must run before the gap
        detector takes its first reading, and both before the first request is sent. What
        was set up last is closed first.
        """
        run, context = self._run, self._context
        async with AsyncExitStack() as stack:
            stack.callback(self._waits.close)
            if run.probes is not None:
                await self._probes.measure_alone()
            meter = metering(context.meter, context.user, sample_after=run.sample_after, exact=run.exact)
            metered = stack.enter_context(meter)
            adopt(metered.steps, LiveExchange(APP, ""))
            if run.probes is not None:
                ticks = await stack.enter_async_context(self._probes.running(self._sample))
                metered.steps.attach_step_begin(ticks.wake)
                if context.meter == "full":
                    stack.enter_context(self._beside.detecting(metered, ticks, exact=run.exact))
            yield metered

    def _sample(self) -> bool:
        self._beside.ticked()
        return self._pools.sample() | self._waits.sample(self._probes.under_way)

    def observation(self, segments: tuple[Segment, ...]) -> Observation:
        """Once the run is over; on the loop that ran it."""
        failed = self._probes.failed
        return Observation(
            meter=self._context.meter,
            exchanges=tuple(starlette.as_exchange(each, self._context.user) for each in self._exchanges),
            segments=segments,
            probes=tuple(self._probes.answered),
            alone=self._probes.alone,
            gaps=self._beside.gaps(),
            long_turns=self._beside.long_turns(),
            pools=self._pools.readings(),
            waits=self._waits.waits(),
            uses=self._pools.uses(),
            loop=loop_name(),
            probe_exchanges=tuple(record.value() for probe in self._probes.sent for record in probe.records),
            probe_failed=str(failed) if failed is not None else None,
            slowdown=slowdown(),
            switch_interval=switch_interval(),
            collections=fallen_due.since(self._exchanges[0].sent) if self._exchanges else (),
        )


def _collect_before(run: Run) -> None:
    """Many requests at once would trigger a collection, which takes tens of ms in a test session: collect before."""
    if len(run.requests) > 1:
        gc.collect()


async def _responses(context: RunContext, run: Run, exchanges: list[LiveExchange]) -> list[httpx.Response | None]:
    """Send all requests and wait for the app's calls, which fill `exchanges`. Cancels what is left if it raises."""
    deadline = now() + run.give_up_after
    sending = []
    for number, request in enumerate(run.requests):
        sending.append(asyncio.create_task(_send(context.client, request, exchanges)))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    try:
        if await _unfinished(sending, deadline):
            raise _stuck(exchanges, context.user)
        responses = [each.result() for each in sending]
        if await _unfinished([each.task for each in exchanges if each.task is not None], deadline):
            raise _stuck(exchanges, context.user)
    finally:
        for task in (*sending, *(each.task for each in exchanges)):
            if task is not None and not task.done():
                task.cancel()
    return responses


async def _settle(exchanges: list[LiveExchange]) -> None:
    """Let what the requests woke run: a task of the app's own that got work from one of them."""
    for _ in range(_TURNS_AFTER):
        await asyncio.sleep(0)
    moment = now()
    for each in exchanges:
        each.settled = moment


async def _unfinished(tasks: Sequence[asyncio.Task[Any]], deadline: int) -> set[asyncio.Task[Any]]:
    """Waits without cancelling: a stuck task must still show the line where it sits."""
    if not tasks:  # all calls have ended, and their records have let go of their tasks
        return set()
    _done, pending = await asyncio.wait(tasks, timeout=max(0, deadline - now()) / 1e9)
    return pending


async def _send(client: httpx.AsyncClient, request: Request, exchanges: list[LiveExchange]) -> httpx.Response | None:
    """None where the app's call ended without a response. Raises NotAnswered."""
    extensions = {**request.arguments.get("extensions", {}), EXTENSION: exchanges}
    arguments = {**request.arguments, "extensions": extensions}
    try:
        return await client.request(request.method, request.url, **arguments)
    except NoResponse:
        return None
    except Exception as error:
        raise NotAnswered from error  # httpx's, or of the user's code in it: an auth flow, an event hook


def _stuck(exchanges: list[LiveExchange], user: UserCode) -> Stuck:
    pending = next((each for each in exchanges if each.returned is None), None)
    if pending is None:
        return Stuck(None, None)
    return Stuck(starlette.as_exchange(pending, user), await_chains.where(pending, user))

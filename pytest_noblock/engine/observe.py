"""One run of a request, with everything that can be recorded about it."""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx

from pytest_noblock.engine.asgi.transport import EXTENSION, NoResponse
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.meters import Metering, metering
from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing.pool_sampler import PoolSampler
from pytest_noblock.engine.probing.probe_waits import WaitSampler
from pytest_noblock.engine.probing.probes import Probes
from pytest_noblock.engine.threads import await_chains
from pytest_noblock.engine.threads.gil_gaps import GilGapDetector
from pytest_noblock.engine.threads.pools import of_running_loop
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Meter, Observation


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `arguments` are httpx's own."""

    method: str
    url: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.method} {self.url}"


@dataclass(frozen=True, slots=True)
class RunContext:
    """What is observed, and by which rules."""

    client: httpx.AsyncClient
    user: UserCode
    meter: Meter


@dataclass(frozen=True, slots=True)
class Run:
    """How one run is made; times in ns."""

    copies: int = 1
    probes: tuple[str, ...] | None = None
    """Paths besides the built-in probe; None: no probes at all."""
    exact: bool = False
    sample_after: int = 10_000_000
    give_up_after: int = 30_000_000_000


_AT_ONCE = 10
"""So many begin in one turn of the loop: all in one would be a wait of our making, and one after another
the first would have ended on a busy machine before the last began."""


class Stuck(Exception):
    """The request did not end in time; `frame` is the user line where it sits, `exchange` how far it came."""

    def __init__(self, exchange: Exchange | None, frame: Frame | None) -> None:
        super().__init__("the request did not end")
        self.exchange = exchange
        self.frame = frame


async def observe(subject: RunContext, request: Request, run: Run) -> tuple[Observation, httpx.Response | None]:
    """Send the request `run.copies` times at once; wait until the app's calls have returned.

    Raises Stuck, and ProbeFailed where a probe fails alone. What the app itself raises is part of the observation.
    """
    records: list[LiveExchange] = []
    pools = of_running_loop() if run.probes is not None else []
    probes = Probes(subject.client, run.probes or (), pools)
    gauge = PoolSampler(pools, subject.user, records, probes, splits_waiting=subject.meter == "full")
    waits = WaitSampler(subject.user, records, splits_waiting=subject.meter == "full")
    gaps = GilGapDetector(gauge.awaited, subject.user, run.sample_after)

    def look() -> bool:
        gaps.reset_marks()
        return gauge.read() | waits.look(probes.under_way)

    _collect_before(run.copies)
    async with AsyncExitStack() as stack:
        stack.callback(waits.close)
        if run.probes is not None:
            await probes.measure_alone()
        meter = stack.enter_context(_metering(subject, run))
        if run.probes is not None:
            meter.steps.on_step_begin = (await stack.enter_async_context(probes.running(look))).wake
            if subject.meter == "full":
                stack.enter_context(gaps.watching(meter.steps))
        responses = await _exchanges(subject, request, run, records)
    return Observation(
        subject.meter,
        tuple(starlette.finished(record, subject.user) for record in records),
        meter.segments,
        tuple(probes.answered),
        probes.alone,
        meter.exact,
        gaps.gaps(),
        gauge.readings(),
        waits.values(),
        gauge.uses(),
        str(probes.failed) if probes.failed is not None else None,
    ), responses[0]


def _metering(subject: RunContext, run: Run) -> AbstractContextManager[Metering]:
    return metering(subject.meter, subject.user, sample_after=run.sample_after, exact=run.exact)


def _collect_before(copies: int) -> None:
    """In a test session a collection takes tens of ms, and so many requests at once would set it off."""
    if copies > 1:
        gc.collect()


async def _exchanges(
    subject: RunContext, request: Request, run: Run, records: list[LiveExchange]
) -> list[httpx.Response | None]:
    deadline = now() + run.give_up_after
    sending = []
    for number in range(run.copies):
        sending.append(asyncio.create_task(_send(subject.client, request, records)))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    try:
        if await _unfinished(sending, deadline):
            raise _stuck(records, subject.user)
        responses = [each.result() for each in sending]
        if await _unfinished([record.task for record in records if record.task is not None], deadline):
            raise _stuck(records, subject.user)
    finally:
        for task in (*sending, *(record.task for record in records)):
            if task is not None and not task.done():
                task.cancel()
    return responses


async def _unfinished(tasks: Sequence[asyncio.Task[Any]], deadline: int) -> set[asyncio.Task[Any]]:
    """Waits without cancelling: a task that is stuck must still show where."""
    _done, pending = await asyncio.wait(tasks, timeout=max(0, deadline - now()) / 1e9)
    return pending


async def _send(client: httpx.AsyncClient, request: Request, records: list[LiveExchange]) -> httpx.Response | None:
    extensions = {**request.arguments.get("extensions", {}), EXTENSION: records}
    arguments = {**request.arguments, "extensions": extensions}
    try:
        return await client.request(request.method, request.url, **arguments)
    except NoResponse:
        return None


def _stuck(records: list[LiveExchange], user: UserCode) -> Stuck:
    pending = next((record for record in records if record.returned is None), None)
    if pending is None:
        return Stuck(None, None)
    return Stuck(starlette.finished(pending, user), await_chains.where(pending, user))

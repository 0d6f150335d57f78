"""One run of many different requests, all under way at once: each stall of the loop still has one owner.

No probes: who is kept waiting is everybody.
"""

import asyncio
from collections.abc import Sequence

from pytest_noblock.engine import detached
from pytest_noblock.engine.asgi.transport import AppTransport
from pytest_noblock.engine.many.flights import Flight, Many, ManyRun, exchanges_of
from pytest_noblock.engine.many.sending import Sending
from pytest_noblock.engine.many.sensors import Sensors
from pytest_noblock.engine.now import now
from pytest_noblock.engine.observe import RunContext
from pytest_noblock.engine.threads.wide_pools import wide_pools
from pytest_noblock.model.observation import Observation

_TURNS_AFTER = 3
"""As in `observe`."""


async def observe_many(context: RunContext, transport: AppTransport, run: ManyRun, many: Many) -> Observation | None:
    """Send all requests; runs on the loop that runs the app. What the app does is part of the observation.

    `many` fills meanwhile, for a thread that wants to know how far it came.
    """
    sensors = Sensors(context, run, many)
    try:
        with wide_pools(run.at_once):
            async with sensors.running() as metered:
                many.metering = metered
                await Sending(context, transport, run).fly_all(many)
                await _settle(many.flights)
                exchanges = list(exchanges_of(many.flights))
                if run.linger:
                    await detached.linger(exchanges, now() + run.linger, context.user)
                    detached.note_left(asyncio.get_running_loop(), exchanges, context.user, "lingered")
    finally:
        if many.metering is not None:
            many.observation = sensors.observation(many.metering.segments)
        many.ended.set()
    return many.observation


async def _settle(flights: Sequence[Flight]) -> None:
    """Let what the requests woke run, as in `observe`."""
    for _ in range(_TURNS_AFTER):
        await asyncio.sleep(0)
    moment = now()
    for each in exchanges_of(flights):
        each.settled = moment

"""Everything that records during a run of many requests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from pytest_noblock.engine.exchange import OURS, LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.many.flights import Many, ManyRun, exchanges_of
from pytest_noblock.engine.many.tokens import Tokens
from pytest_noblock.engine.meters import Metering, metering
from pytest_noblock.engine.observe import RunContext
from pytest_noblock.engine.other_threads import switch_interval
from pytest_noblock.engine.probing.beside_steps import BesideSteps
from pytest_noblock.engine.probing.pool_sampler import PoolSampler
from pytest_noblock.engine.probing.probes import Probes
from pytest_noblock.engine.steps.handles import adopt
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.other_loops import loop_name
from pytest_noblock.engine.threads.pools import Pool, awaited_in_own_pools, of_running_loop
from pytest_noblock.engine.tracers import slowdown
from pytest_noblock.model.observation import APP, LIFESPAN, Observation
from pytest_noblock.model.segment import Segment


class Sensors:
    """Everything that records during the run."""

    def __init__(self, context: RunContext, run: ManyRun, many: Many) -> None:
        self._context = context
        self._run = run
        self._many = many
        pools = of_running_loop()
        self._hogs = _Hogs(pools, many.hogs, run.at_once)
        self._tokens = Tokens(pools, run.at_once)
        self._probes = Probes(context.client, (), ())
        self._pools = PoolSampler(
            pools,
            context.user,
            _Requests(),
            self._probes,
            splits_waiting=context.meter == "full",
            awaited_elsewhere=partial(awaited_in_own_pools, asyncio.get_running_loop()),
        )
        self._beside = BesideSteps(
            self._pools.awaited,
            context.user,
            run.sample_after,
            lambda: list(exchanges_of(many.flights)),
            many=True,
            keepers=many.keepers,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Metering]:
        """The same order as in `observe`: meter, ticks, and what looks beside the steps."""
        context = self._context
        run = self._run
        with metering(context.meter, context.user, sample_after=run.sample_after, exact=run.exact) as metered:
            adopt(metered.steps, LiveExchange(APP, ""))
            async with self._probes.running(self._sample) as ticks:
                metered.steps.attach_step_begin(partial(self._step_begins, metered.steps, ticks.wake))
                if context.meter == "full" and not run.exact:
                    with self._beside.detecting(metered, ticks):
                        yield metered
                else:
                    yield metered

    def _step_begins(self, meter: StepMeter, wake: Callable[[], None]) -> None:
        wake()
        before = meter.last_owner
        if before is not None:
            self._many.steps.append((meter.present_turn(), before.number))

    def _sample(self) -> bool:
        self._beside.ticked()
        self._hogs.look()
        self._tokens.look()
        return any(pool.taken() for pool in self._hogs.pools)

    def observation(self, segments: tuple[Segment, ...]) -> Observation:
        """Once the run is over; on the loop that ran it."""
        ticks = ((tick.due, tick.answered) for tick in self._probes.answered)
        self._many.late = [(due, came) for due, came in ticks if came - due >= self._run.sample_after]
        return Observation(
            meter=self._context.meter,
            exchanges=tuple(
                starlette.as_exchange(each, self._context.user) for each in exchanges_of(self._many.flights)
            ),
            segments=segments,
            gaps=self._beside.gaps(),
            long_turns=self._beside.long_turns(),
            uses=self._tokens.uses(),
            loop=loop_name(),
            slowdown=slowdown(),
            switch_interval=switch_interval(),
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

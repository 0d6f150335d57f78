"""What a watch records beside the steps: who kept the GIL, whose pool was full, turns that no step explains."""

import asyncio
import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.metered_threads import MeteredThreads
from pytest_noblock.engine.steps.meter import STEPPING, StepMeter
from pytest_noblock.engine.threads.held_turns import HeldTurns
from pytest_noblock.engine.threads.under_way import UnderWay
from pytest_noblock.engine.threads.watched_gaps import WatchedGaps
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.observation import Observation

if TYPE_CHECKING:
    from pytest_noblock.engine.probing.watched_pools import WatchedPools
    from pytest_noblock.engine.threads.held_callbacks import HeldCallbacks


class BesideWatchedSteps:
    """Of the requests of one test. `begins` and `enters` run on the threads that run the app."""

    _pools: "WatchedPools | None" = None
    _callbacks: "Sequence[HeldCallbacks]" = ()
    """Of the loops that do not say when they turn."""

    def __init__(
        self, user: UserCode, sample_after: int, metered: MeteredThreads, records: list[LiveExchange], *, full: bool
    ) -> None:
        """`sample_after`: how late the watchdog is where it looks (ns). `full`: whether the meter is."""
        self._user = user
        self._after = sample_after
        self._metered = metered
        self._records = records
        self._full = full
        self.entered: list[UnderWay] = []
        self.gaps = self._new_gaps()
        """True where one was recorded."""
        self._held = HeldTurns(metered.thread_of, STEPPING)
        self.gaps.also.append(self._held.look)

    def _new_gaps(self) -> WatchedGaps:
        """They do not know who made them: in a cycle both would wait for the garbage collector."""
        return WatchedGaps(self._after, functools.partial(_from, self.entered), self._metered.marks)

    def renew(self) -> None:
        """What comes is of the test's fixtures, which end."""
        self.gaps = self._new_gaps()
        self._pools = None

    def begins(self, meter: StepMeter, loop: asyncio.AbstractEventLoop | None) -> None:
        """A thread has got a meter; it runs the loop."""
        if not self._full:
            return
        self.gaps.begin(meter.threads)
        if loop is not None and not isinstance(loop, asyncio.BaseEventLoop):
            self._look_at_callbacks(meter, loop)

    def enters(self, request: UnderWay) -> None:
        """Where another request is under way on the same loop, both may wait for the loop's thread pool."""
        last = self.entered[-1] if self.entered else None
        if self._full and last is not None and last.loop is request.loop and last.record.returned is None:
            self._look_at_pools(request)
        self.entered.append(request)

    def _look_at_pools(self, request: UnderWay) -> None:
        if isinstance(request.loop, asyncio.BaseEventLoop) and "anyio" in sys.modules:
            if self._pools is None:
                from pytest_noblock.engine.probing.watched_pools import WatchedPools  # most tests send one by one

                self._pools = WatchedPools(self._user, self._records)
                self.gaps.also.append(self._pools.sample)
            self._pools.several(request.loop)

    def _look_at_callbacks(self, meter: StepMeter, loop: asyncio.AbstractEventLoop) -> None:
        from pytest_noblock.engine.threads.held_callbacks import HeldCallbacks, runner_of  # most loops are asyncio's

        runner = runner_of(loop)
        if runner is not None:
            callbacks = HeldCallbacks(meter.ident, meter.native, runner, STEPPING)
            self._callbacks = [*self._callbacks, callbacks]
            self.gaps.also.append(callbacks.look)

    def __bool__(self) -> bool:
        """Whether anything was recorded."""
        if self.gaps or any(each.longer_than(NOTE_NS) for each in self._holds()):
            return True
        return self._pools is not None and bool(self._pools.readings())

    def _holds(self) -> "list[HeldTurns | HeldCallbacks]":
        return [self._held, *self._callbacks]

    def added_to(self, observation: Observation) -> Observation:
        return observation._replace(
            gaps=self.gaps.gaps(self._user) if self.gaps else (),
            pools=self._pools.readings() if self._pools is not None else (),
            held=tuple(turn for each in self._holds() for turn in each.turns(self._user)),
        )


def _from(entered: list[UnderWay], first: int) -> list[UnderWay]:
    """On the watchdog's thread."""
    return entered[first:]

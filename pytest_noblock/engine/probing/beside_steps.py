"""What keeps a loop from turning beside the steps of its requests: threads that keep the GIL, and turns that last long.

On asyncio's own loop its selector tells. A loop that does not say when it polls (uvloop) has two others: the watchdog
asks for the GIL now and then, and the clock of the loop's thread is read in each tick.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.meters import Metering
from pytest_noblock.engine.probing.late_ticks import LateTicks
from pytest_noblock.engine.probing.ticks import LoopTicks
from pytest_noblock.engine.threads.gil_gaps import GilGapDetector
from pytest_noblock.engine.threads.pools import Holder
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.concurrency import Gap, LongTurn

if TYPE_CHECKING:
    from pytest_noblock.engine.threads.under_way import UnderWay
    from pytest_noblock.engine.threads.watched_gaps import WatchedGaps


class BesideSteps:
    """The gaps and the long turns of one run. All methods run on the loop thread."""

    def __init__(
        self,
        awaited: Callable[[], Sequence[Holder]],
        user: UserCode,
        shortest: int,
        requests: Callable[[], Sequence[LiveExchange]],
        *,
        many: bool = False,
        keepers: set[int] | None = None,
    ) -> None:
        """`awaited`: see `GapWorkers`; `requests`: all of the run so far, in the order in which they entered the app.

        `shortest`: ns; no shorter gap is recorded. `many`: whether these are many requests, and a gap is to tell whose
        thread it was. `keepers`: see `GilGapDetector`.
        """
        self._awaited = awaited
        self._user = user
        self._shortest = shortest
        self._requests = requests
        self._many = many
        self._keepers = set() if keepers is None else keepers
        self._gaps = GilGapDetector(awaited, user, shortest, also_asleep=many, keepers=self._keepers)
        self._watched: WatchedGaps | None = None
        """None where `_gaps` sees all."""
        self._late: LateTicks | None = None
        """Likewise."""

    @contextmanager
    def detecting(self, metered: Metering, ticks: LoopTicks, *, exact: bool = False) -> Iterator[None]:
        """The ticks run already. `exact`: the run has counters in the place of the watchdog."""
        with ExitStack() as stack:
            stack.enter_context(self._gaps.detecting(metered.steps))
            if not (exact or isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)):
                self._watched = self._new_watched(metered)
                stack.enter_context(metered.watched(self._watched))
                self._late = LateTicks(ticks, self._shortest, metered.steps.deductions)
                stack.callback(self._late.close)
            yield

    def _new_watched(self, metered: Metering) -> "WatchedGaps":
        from pytest_noblock.engine.threads.gap_owners import GapOwners
        from pytest_noblock.engine.threads.watched_gaps import WatchedGaps

        steps = metered.steps
        gaps = WatchedGaps(
            self._shortest,
            partial(self._under_way, steps.ident, asyncio.get_running_loop()),
            lambda: [steps.threads.marks, steps.threads.earlier],
            GapOwners(self._awaited, self._keepers, self._shortest) if self._many else None,
        )
        gaps.begin(steps.threads)
        return gaps

    def _under_way(self, ident: int, loop: asyncio.AbstractEventLoop, known: int) -> "Sequence[UnderWay]":
        from pytest_noblock.engine.threads.under_way import UnderWay

        return [UnderWay(each, ident, loop) for each in self._requests()[known:]]

    def ticked(self) -> None:
        """In each tick."""
        self._gaps.reset_marks()
        if self._late is not None:
            self._late.note()

    def gaps(self) -> tuple[Gap, ...]:
        """Those of the run, once it is over."""
        return self._gaps.gaps() if self._watched is None else self._watched.gaps(self._user)

    def long_turns(self) -> tuple[LongTurn, ...]:
        """Likewise."""
        return self._gaps.long_turns() if self._late is None else self._late.turns()

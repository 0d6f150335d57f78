"""How long each of many requests had threads of the pools: looked at in each tick, on the loop thread."""

import math
from collections import Counter
from collections.abc import Sequence

from pytest_noblock.engine.now import now
from pytest_noblock.engine.threads.pools import Holder, Pool
from pytest_noblock.model.concurrency import PoolUse

_TICK_NS = 5_000_000
"""Ns between two looks while a thread is taken, as in `engine.probing.ticks`."""


class Tokens:
    """Counts what is sure: a look that comes late stands for one interval of the ticks.

    It waited for what others did on the loop, or for the GIL, and a thread that is done is free only then.
    """

    def __init__(self, pools: Sequence[Pool], more: int) -> None:
        """`more`: how many threads the sweep adds to each pool."""
        self._pools = pools
        self._more = more
        self._ns: Counter[tuple[Pool, int]] = Counter()
        """By pool and number of the exchange."""
        self._totals: dict[Pool, float] = {}
        """How many threads each pool has without the sweep, as it was when some were taken."""
        self._looked = now()

    def look(self) -> None:
        """Called in each tick."""
        moment = now()
        passed, self._looked = min(moment - self._looked, _TICK_NS), moment
        for pool in self._pools:
            if pool.taken():
                self._totals[pool] = pool.total - self._more
                self._ns.update({(pool, each): count * passed for each, count in _numbers(pool.holders()).items()})

    def uses(self) -> tuple[PoolUse, ...]:
        """Once the run is over; none of a pool without end."""
        return tuple(
            PoolUse(pool.name, int(total), taken, number)
            for (pool, number), taken in self._ns.items()
            if math.isfinite(total := self._totals[pool]) and total > 0
        )


def _numbers(holders: Sequence[Holder]) -> Counter[int]:
    return Counter(each.record.number for each in holders if each.record is not None)

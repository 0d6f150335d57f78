"""Full thread pools of watched tests, read by the watchdog while no step runs: the loop is the test's own.

anyio's pool only. The default executor of a loop that is not ours does not tell who has its threads.
"""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.probing.pool_sampler import PoolSampler
from pytest_noblock.engine.threads.pools import TokenPool
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.concurrency import PoolReading

_NO_PROBES: Any = SimpleNamespace(records=frozenset())


class WatchedPools:
    """The pools of the loops on which several requests were under way at once."""

    def __init__(self, user: UserCode, records: Sequence[LiveExchange]) -> None:
        self._user = user
        self._records = records
        self._samplers: dict[int, PoolSampler] = {}

    def several(self, loop: object) -> None:
        """On the loop thread, in that loop: a request enters while another is under way."""
        if id(loop) not in self._samplers:
            pools = [TokenPool()]
            self._samplers[id(loop)] = PoolSampler(pools, self._user, self._records, _NO_PROBES, splits_waiting=True)

    def sample(self, _under_way: object = None) -> None:
        """On the watchdog's thread, which no loop runs on."""
        for sampler in list(self._samplers.values()):
            sampler.sample()

    def readings(self) -> tuple[PoolReading, ...]:
        """All of them, once the test is over."""
        readings = (reading for sampler in self._samplers.values() for reading in sampler.readings())
        return tuple(replace(reading, seen_by="watchdog") for reading in readings)

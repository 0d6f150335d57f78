"""How many such requests one worker can serve in a second: by its loop, its threads, the GIL (pure)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_noblock.model.finding import Finding
from pytest_noblock.model.observation import THREADS, Observation
from pytest_noblock.model.units import seconds

_SHORTEST_NS = 10_000_000
"""Ns of a thread, or of the loop, from which on a number is told in words; threads are looked at each 5 ms."""


def unit_of(pool: str) -> str:
    """What the pool hands out: anyio's limiter hands out tokens, all others threads."""
    return "tokens" if pool == THREADS else "threads"


class Share(NamedTuple):
    """What one request takes of something of which a worker has so much."""

    total: int
    unit: str
    taken: int
    """Ns, of one unit."""

    @property
    def ns(self) -> int:
        """Ns for which the worker cannot do without what the request takes: 0.2 s of one of 40 threads are 5 ms."""
        return self.taken // max(1, self.total)

    @property
    def words(self) -> str:
        rate = self.total * 1e9 / self.taken
        told = f"{rate:.{0 if rate >= 9.95 else 1}f} requests per second"
        return f"{self.total} {self.unit} / {seconds(self.taken)} = {told}"


Shares = Sequence[Share]


def shares(observation: Observation, loop_ns: int = 0, findings: Iterable[Finding] = ()) -> Shares:
    """What one of the observed requests takes. `loop_ns`: of the event loop; `findings`: tell who kept the GIL."""
    return [*_of_pools(observation), Share(1, "event loop", loop_ns), *_of_gil(loop_ns, findings)]


def _of_pools(observation: Observation) -> Iterator[Share]:
    copies = max(1, len(observation.exchanges))
    for use in observation.uses:
        yield Share(use.total, unit_of(use.pool), use.taken // copies)


def _of_gil(loop_ns: int, findings: Iterable[Finding]) -> Iterator[Share]:
    """The loop cannot turn while a thread keeps the GIL: both are of the same second."""
    kept = max((each.blocked_ns for each in findings if each.kind == "gil"), default=0)
    if kept:
        yield Share(1, "GIL", kept + loop_ns)


def words(taken: Shares) -> str | None:
    """`40 tokens / 0.3 s = 133 requests per second, 1 event loop / ...`; None where nothing is taken for 10 ms."""
    return ", ".join(each.words for each in taken if each.taken >= _SHORTEST_NS) or None


def scarcest(taken: Shares) -> int:
    """Ns of what there is least of, where that is not the event loop; else 0."""
    loop = max(each.ns for each in taken if each.unit == "event loop")
    most = max(each.ns for each in taken if each.taken >= _SHORTEST_NS or each.unit == "event loop")
    return most if most > loop else 0

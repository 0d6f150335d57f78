"""A stall: one stretch in which a request kept everybody else waiting."""

from typing import NamedTuple

from pytest_noblock.model.finding import Evidence
from pytest_noblock.model.frames import Frame, Stack
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Phase

ALWAYS: frozenset[Kind] = frozenset(("sync-network", "pool-starved"))
"""Whatever the limit."""

BESIDE: frozenset[Kind] = frozenset(("gil", "pool-starved", "contention"))
"""What the request does to others while no step of its own holds the loop."""


class BlamedLine(NamedTuple):
    """A user line and what points to it; `frame` is None where nothing was caught."""

    frame: Frame | None = None
    stack: Stack = ()
    evidence: Evidence = "none"
    syscall: str | None = None
    witnessed: bool = False
    """Whether the thread was seen waiting there."""
    first_use: bool = False
    """Whether it was mostly seen doing what is done once: compiling a template, a schema."""


class Stall(NamedTuple):
    """One stretch in which an exchange held the loop, for one reason."""

    kind: Kind
    exchange: Exchange
    began: int
    ended: int
    cpu: int
    asleep: int
    place: BlamedLine
    sure: bool = True
    """False: a second run has to show it, for the machine might have done it."""
    proof: str | None = None
    """The numbers that show it, in words, where times alone do not."""
    pool: str | None = None
    """Which one was full."""
    waiter: BlamedLine | None = None
    """Where a probe waited for what the exchange held."""

    @property
    def blocked_ns(self) -> int:
        return self.cpu + self.asleep

    @property
    def phase(self) -> Phase:
        return self.exchange.phase_at(self.began)

    def breaks(self, limits: Limits) -> bool:
        """A network round trip always does, in production the other end is a network away; so does a full pool."""
        return self.kind in ALWAYS or self.blocked_ns >= limits.max_block

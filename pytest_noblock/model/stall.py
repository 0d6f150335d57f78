"""A stall: one stretch in which a request kept everybody else waiting."""

from typing import NamedTuple

from pytest_noblock.model.finding import Evidence
from pytest_noblock.model.frames import Frame, Stack
from pytest_noblock.model.kinds import KINDS, StallKind
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.rules import Readings, Rule


class BlamedLine(NamedTuple):
    """A user line and what points to it."""

    frame: Frame | None = None
    """None where no line was caught."""
    stack: Stack = ()
    """Innermost frame first, `frame` among them; files absolute."""
    evidence: Evidence = "none"
    syscall: str | None = None
    """The kernel call in which a sample found the loop thread; None where the line rests on no sample."""
    witnessed: bool = False
    """Whether the thread was seen waiting there, in anything but a wait for the GIL."""
    first_use: bool = False
    """Whether most samples show work that a process does once: compiling a template, building a schema."""


class Stall(NamedTuple):
    """One stretch in which an exchange kept others waiting, for one reason; times in ns.

    `began` and `ended` are those of the step, gap or wait, `time.perf_counter_ns`.
    """

    kind: StallKind
    exchange: Exchange
    began: int
    ended: int
    cpu: int
    """What the loop thread computed for this reason; for `gil` the other thread."""
    asleep: int
    """What the loop thread slept for this reason; for `pool-starved` and `contention` how long others waited."""
    place: BlamedLine
    rule: Rule
    readings: Readings
    """What the rule read."""
    sure: bool = True
    """False: a second run has to show it, for a busy machine may have done it."""
    proof: str | None = None
    """The numbers that show it, in words, where CPU and sleep do not."""
    pool: str | None = None
    """The thread pool that was full; only for `pool-starved`."""
    waiter: BlamedLine | None = None
    """Where a probe waited for what the exchange held; only for `contention`."""

    @property
    def blocked_ns(self) -> int:
        """How long others had to wait, the machine's part taken off."""
        return self.cpu + self.asleep

    @property
    def phase(self) -> Phase:
        """The phase of the exchange in which it began."""
        return self.exchange.phase_at(self.began)

    def breaks(self, limits: Limits) -> bool:
        """Whether it fails a test, as far as its time decides: some kinds do, however short."""
        return KINDS[self.kind].always or self.blocked_ns >= limits.max_block

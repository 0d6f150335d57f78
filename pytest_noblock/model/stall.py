"""A stall: one stretch in which a request kept everybody else waiting."""

from typing import NamedTuple

from pytest_noblock.model.finding import Evidence, Part
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
    """As `Sample.syscall`; None where the line rests on no sample."""
    witnessed: bool = False
    """Whether the line is proof of the wait by itself: a counter, a recorded call or a stack other than a sample names
    the line, or a sample shows the loop thread in a kernel call that is no wait for the GIL."""
    first_use: bool = False
    """Whether most samples of the step show work that a process does once: an import that no hook sees, a compiler."""
    unseen: bool = False
    """Whether nothing shows what ran: no look at the stack came, and no counters stood at the lines."""
    call: str | None = None
    """The call to name instead of the frame's: the library function that computed, where no user line called it."""


class Naps(NamedTuple):
    """Sleeps of one step at one line, one after the other; ns. See `judge.naps`."""

    times: int
    asleep: int
    """What they asked for, and took."""
    last_began: int
    """From the begin of the first one to that of the last one."""
    took: int
    """From the begin of the first one to the end of the last one, by the clock."""


class Polls(NamedTuple):
    """One stay of a step in a loop that waits; ns. See `judge.polls`."""

    loop: tuple[str, int]
    """The loop's file and first line."""
    charged: int
    """What the meter charges the step for: CPU and sleep."""
    known: int
    """From the first moment to the last one at which the time that it waits for was not over; 0 where it may end
    otherwise."""
    took: int
    """For how long the step was in the loop, by the clock."""


class Stall(NamedTuple):
    """One stretch in which an exchange kept others waiting, for one reason; times in ns.

    `began` and `ended` are the moments of the step, gap, wait or span, `time.perf_counter_ns`. The stall itself may be
    shorter: `blocked_ns`.
    """

    kind: StallKind
    exchange: Exchange
    began: int
    ended: int
    cpu: int
    """Ns that the loop thread computed for this reason; for `gil`, ns that the thread that kept the GIL computed."""
    asleep: int
    """Ns that the loop thread slept for this reason; for `pool-starved` and `contention`, ns that others waited."""
    place: BlamedLine
    rule: Rule
    readings: Readings
    """What `rule` read."""
    sure: bool = True
    """False: something other than the request may have caused the stall, a busy machine or another thread. A second run
    has to show it."""
    proof: str | None = None
    """The proof in words and numbers; None where `cpu` and `asleep` say all."""
    pool: str | None = None
    """The thread pool that was full; only for `pool-starved`."""
    waiter: BlamedLine | None = None
    """Where a probe waited for what the exchange held; only for `contention`."""
    held: str | None = None
    """What the probe waited for, `asyncio.Lock`; only for `contention`."""
    parts: tuple[Part, ...] = ()
    """The lines that held the loop together, in one turn, the longest first; empty where one line did."""
    of_app: bool = False
    """Whether the step was none of the exchange's: the app ran it, while the exchange was under way."""
    requests: int = 1
    """How many requests of one endpoint held the loop together, in one turn."""
    in_doubt: int = 0
    """Ns of `asleep`, of `cpu` in a loop that waits, in which the loop thread, or one that it waited for, may have had
    no processor."""
    naps: Naps | None = None
    """The sleeps of a wait of which one run cannot tell whether the machine made it so long; None for all others."""
    polls: Polls | None = None
    """Likewise, a loop that waits."""
    of_phase: Phase | None = None
    """The phase of the greatest part, where several phases held the loop together; None: the phase of `began`."""

    @property
    def blocked_ns(self) -> int:
        """Ns for which others had to wait, without the time in which the machine was busy."""
        return self.cpu + self.asleep

    @property
    def phase(self) -> Phase:
        """The phase of the exchange in which the stall began."""
        if self.of_app:
            return Phase.APP
        return self.of_phase or self.exchange.phase_at(self.began)

    @property
    def is_open(self) -> bool:
        """Whether it is a wait of which one run cannot tell whether the machine made it so long."""
        return self.naps is not None or self.polls is not None

    def breaks(self, limits: Limits) -> bool:
        """Whether the stall is long enough to fail a test; some kinds fail it however short the stall is."""
        return KINDS[self.kind].always or self.blocked_ns >= limits.max_block

"""How a stall was found: the rule that decided, and the readings that the rule rests on.

A user who disagrees with a finding, and a bug report, can show why it was made. Each rule stands
in the module of `judge/` that applies it, beside its thresholds.
"""

from typing import NamedTuple

from pytest_noblock.model.segment import SocketExchange


class Rule(NamedTuple):
    """What decided."""

    id: str
    """A stable id, as `gil-gap`."""
    text: str
    """What the rule goes by, with its thresholds, for readers of a report."""


class Readings(NamedTuple):
    """What was read of one step, gap or wait; ns and counts, None where it was not read or has no meaning there."""

    wall: int
    """From its begin to its end."""
    cpu: int | None = None
    """What the loop thread computed, garbage collection and first imports taken off; for `gil-gap`, what the thread
    that kept the GIL computed."""
    queued: int | None = None
    """Run-queue delay: the thread was runnable and had no processor; for `pool-full`, of all threads of the pool."""
    asleep: int | None = None
    """Neither on a processor nor in the run queue."""
    switches: int | None = None
    """Voluntary context switches of the loop thread."""
    others_cpu: int | None = None
    """What all other threads of the process computed."""
    collected: int | None = None
    """What garbage collection took."""
    samples: int | None = None
    """How often a stack was sampled."""
    exchanged: tuple[SocketExchange, ...] = ()
    """Peer and bytes of each connection that made a round trip."""

"""How a stall was found: the rule that decided, and the readings that the rule rests on.

A user who disagrees with a finding, and a bug report, can show why it was made. Each rule stands
in the module of `judge/` that applies it, beside its thresholds.
"""

from typing import NamedTuple

from pytest_noblock.model.segment import SocketExchange


class Rule(NamedTuple):
    """A rule that decides whether something recorded is a stall."""

    id: str
    """A stable id, as `gil-gap`."""
    text: str
    """What the rule goes by, with its thresholds, for readers of a report."""


class Readings(NamedTuple):
    """What was read of one step, gap, wait or span of a full pool. None: nobody read it, or it has no meaning there."""

    wall: int
    """Ns from its begin to its end."""
    cpu: int | None = None
    """Ns that the loop thread computed, less garbage collection and first imports; for `gil-gap`, ns that the thread
    that kept the GIL computed."""
    queued: int | None = None
    """Ns of run-queue delay: the loop thread was runnable and had no processor; for `pool-full`, of all threads of the
    pool."""
    asleep: int | None = None
    """Ns in which the loop thread was neither on a processor nor in the run queue."""
    switches: int | None = None
    """Voluntary context switches of the loop thread."""
    others_cpu: int | None = None
    """Ns that the other threads of the process computed."""
    collected: int | None = None
    """Ns of CPU that garbage collection took."""
    samples: int | None = None
    """How many samples were taken: of the loop thread's stack; for `gil-gap`, how many threads were seen; for
    `pool-full`, how many readings; for the rules of `contention`, how often a request was seen."""
    exchanged: tuple[SocketExchange, ...] = ()
    """Peer and bytes of each connection that made a round trip."""
    others_queued: int | None = None
    """Ns of `asleep` in which a thread that the loop thread may have waited for had no processor, at most."""

"""When the machine stood still, as a thread of ours that woke late can tell."""

from typing import NamedTuple

from pytest_noblock.engine.clocks import queued
from pytest_noblock.model.segment import Standstill
from pytest_noblock.model.units import NS_OF_ONE_WAKE

_STANDSTILL_NS = 5_000_000
"""Ns that the watchdog wakes late, and neither a run queue nor the GIL explains, from which on the machine stood still.
Measured beside 4 busy processes, in 200 requests that computed: once, 7.5 ms. A process that was stopped for 70 ms: 30
to 65 ms."""


class OwnMark(NamedTuple):
    """The counters of the watchdog's thread at one moment."""

    at: int
    """When it was (ns)."""
    cpu: int
    """CPU time (ns)."""
    delay: bytes
    """As `clocks.QUEUED`."""
    switches: int


def standstill(seen: int, before: OwnMark, after: OwnMark) -> Standstill | None:
    """Between two marks: what no clock, no run queue and no wait for the GIL explains. `seen`: as it was before."""
    for_gil = max(0, after.switches - before.switches) * NS_OF_ONE_WAKE
    delayed = queued(after.delay) - queued(before.delay)
    stood = after.at - before.at - (after.cpu - before.cpu) - delayed - for_gil
    return Standstill(seen, before.at, after.at, stood) if stood >= _STANDSTILL_NS else None

"""What a thread's voluntary context switches say of its waits for the GIL: pure functions.

A thread that waits for the GIL wakes every 5 ms and asks for it again (CPython's `take_gil`). So one long
wait for it shows many switches, and one long sleep shows one.
"""

from pytest_noblock.model.segment import Sample, Segment
from pytest_noblock.model.stall import BlamedLine
from pytest_noblock.model.units import SWITCH_INTERVAL_NS

FEWEST_SWITCHES = 3
"""Voluntary switches of a wait for the GIL, at least. A sleep of 100 ms, and a wait for a processor, show 1 or 2."""

NS_PER_SWITCH = 12_000_000
"""A wait for the GIL shows one voluntary switch in so many ns, at least. The switch interval is 5 ms; measured on a
quiet machine: 99 ms late with 21 switches, 152 ms with 33; 12 ms leaves room for a busy one."""

_NS_OF_ONE_WAKE = 6 * SWITCH_INTERVAL_NS // 5
"""How long one switch of a wait for the GIL takes. Measured beside 4 busy processes: 717 ms with 142 switches,
617 ms with 119."""

_FUTILE_SHARE = 3 / 4
"""Of all switches of one long wait. Measured: 142 switches in 717 ms for one wait beside 4 busy processes,
72 switches in 118 ms for many short waits."""

_LEAST_SHARE_OF_CPU = 1 / 10
"""Of the wait, what the thread that has the GIL computes. Measured: 202 ms in 717 ms beside 4 busy processes."""

_HANDS_OVER_AFTER_NS = 4 * SWITCH_INTERVAL_NS // 5
"""A little under the switch interval: a thread that had the GIL for less was not made to hand it over."""

_GIL_SYSCALLS = ("futex", "running", "unknown")
"""Where a sample may find a thread that waits for the GIL."""


def looks_like_gil_wait(switches: int, waited: int) -> bool:
    """Whether a thread that waited for so many ns, with so many voluntary switches, may have waited for the GIL."""
    return switches >= max(FEWEST_SWITCHES, waited / NS_PER_SWITCH)


def mostly_futile(switches: int, asleep: int) -> bool:
    """Whether the thread woke nearly always in vain, as in one long wait; of many short waits each ends with the GIL.

    `asleep`: ns between the switches, in all.
    """
    return asleep / SWITCH_INTERVAL_NS >= _FUTILE_SHARE * switches - FEWEST_SWITCHES


def may_want_gil(sample: Sample) -> bool:
    """Whether the loop thread computed, or may have waited for the GIL; in any other kernel call it did neither."""
    return sample.syscall in _GIL_SYSCALLS


def waited_for_watchdog(segment: Segment) -> int:
    """Ns of the sleep in which the watchdog, as it took samples, may have kept the GIL from the loop thread."""
    switches = segment.switches or 0
    one_is_longer = segment.asleep > switches * SWITCH_INTERVAL_NS  # then one switch at least was another sleep
    waits = max(0, switches - max(len(segment.calls), one_is_longer))  # each known call slept once itself
    return min(_sampling(segment), waits * SWITCH_INTERVAL_NS)


def waited_for_threads(segment: Segment) -> int:
    """Ns of the sleep in which the loop thread waited for the GIL, and other threads that computed had it.

    The switches bound it, and not the CPU of the others: the thread that has the GIL may wait for a
    processor, and computes less than the loop thread waits.
    """
    waits = max(0, (segment.switches or 0) - len(segment.calls))  # each known call slept once itself
    computed = segment.others_cpu >= segment.asleep * _LEAST_SHARE_OF_CPU
    if not (computed and looks_like_gil_wait(waits, segment.asleep)):
        return 0
    return min(segment.asleep, waits * _NS_OF_ONE_WAKE)


def slept_by_itself(segment: Segment, place: BlamedLine) -> bool:
    """Whether the sleep is the app's own beyond doubt, without a second run; for the full meter.

    After a switch interval another thread may make the loop thread hand over the GIL. On a busy machine
    that thread then waits for a processor, and the loop thread sleeps for as long. This did not happen
    where the loop thread was seen in another wait, or had the GIL for less than the interval. Else a
    user line must have been sampled, and the sampling must not explain the sleep.
    """
    if place.witnessed or segment.cpu + segment.collected + (segment.queued or 0) < _HANDS_OVER_AFTER_NS:
        return True
    by_watchdog = 2 * _sampling(segment) >= segment.asleep
    return segment.cpu < _HANDS_OVER_AFTER_NS and place.frame is not None and not by_watchdog


def _sampling(segment: Segment) -> int:
    """Ns in which the watchdog took samples while the loop thread may have wanted the GIL."""
    return sum(sample.ended - sample.due for sample in segment.samples if may_want_gil(sample))

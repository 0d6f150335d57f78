"""For how long the loop thread slept in a step, and how sure that is (pure).

What a step's thread did not run is not all sleep: it may have waited for the GIL, for a timer that came late, or for a
thread that the machine did not run.
"""

from pytest_noblock.judge import attribution, gil_waits, own_sleeps
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import BlamedLine

_IN_TIME_NS = 15_000_000
"""Ns by which the watchdog may wake late on a machine that is not starved. Without a timerfd the watchdog polls every
5 ms."""


def slept(segment: Segment) -> int:
    """Ns that the loop thread slept in the kernel in this segment, less its waits for the GIL and for late timers."""
    measured = _slept_by_the_meter(segment)
    asked = min(measured, attribution.slept_on_request(segment))
    return max(asked, measured - attribution.overslept(segment) - own_sleeps.stood_still(segment))


def _slept_by_the_meter(segment: Segment) -> int:
    if segment.queued is None:
        return min(segment.off_cpu, attribution.waited_in_known_calls(segment))
    waited = gil_waits.waited_for_watchdog(segment) + gil_waits.waited_for_threads(segment)
    return max(0, segment.asleep - waited - segment.others_queued - segment.children_queued)


def surely_slept(segment: Segment) -> int:
    """Ns of sleep that nothing else explains: while other threads compute, only what known calls asked for.

    The waits for the GIL that `slept` takes off are an estimate: beside a thread that keeps it for 100 ms at a time, 20
    ms of `time.sleep` showed 120 ms. A stall in doubt is confirmed by a run of its own; a sum has none.
    """
    if (segment.others_cpu or 0) < NOTE_NS:
        return slept(segment)
    return min(slept(segment), attribution.slept_on_request(segment))


def in_doubt(segment: Segment) -> int:
    """Ns of the sleep, as `slept` gives it, in which a thread that the loop thread waited for may have been queued."""
    return max(0, segment.others_may_have_queued - segment.others_queued)


def proves(asleep: int, needed: int, segment: Segment, place: BlamedLine) -> bool:
    """Whether one run proves that the app itself slept for the ns that are `needed` to break the limit."""
    if asleep - in_doubt(segment) < needed:
        return False
    seen = segment.calls or segment.round_trips or gil_waits.seen_asleep(segment)
    lost = not seen and gil_waits.is_lost_in_queue(asleep, segment.queued)
    return not lost and _slept_by_itself(segment, place, needed)


def _slept_by_itself(segment: Segment, place: BlamedLine, needed: int) -> bool:
    if segment.queued is None:
        return _machine_had_time(segment)
    return gil_waits.slept_by_itself(segment, place, needed)


def _machine_had_time(segment: Segment) -> bool:
    """Without schedstat: whether the watchdog woke in time, and more than once, while the loop thread waited."""
    late = [sample.began - sample.due for sample in segment.samples]
    return len(late) > 1 and max(late) < _IN_TIME_NS

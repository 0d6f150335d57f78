"""How much of a sleep is shown to be the app's own, and how much of it is the machine's: pure functions.

What a meter takes for sleep is what is left of the wall time. So it also holds the time in which the whole process was
stopped, or in which the host did not run the virtual machine. A look shows what the loop thread did; the watchdog's own
late wake shows that all stood still.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from pytest_noblock.model.segment import BlockingCall, Sample, Segment, Standstill

_GIL_SYSCALLS = ("futex", "running", "unknown")
"""Values of `Sample.syscall` in which a thread may be waiting for the GIL."""

GIL_FREE_NS = 1_000_000
"""Ns that the watchdog waits for the GIL at most where no thread keeps it. Measured beside a sleep, run-queue delay
taken off: 0.01 to 0.2 ms, also beside 4 busy processes; beside a thread that computes: 0 to 137 ms, most over 3 ms."""

Span = tuple[int, int]
"""When it began and ended (ns)."""


def may_want_gil(sample: Sample) -> bool:
    """Whether the sample shows the loop thread computing, or in a kernel call that may be a wait for the GIL."""
    return sample.syscall in _GIL_SYSCALLS


def in_own_wait(sample: Sample) -> bool:
    """Whether the sample shows the loop thread in a kernel call that waits, and not for the GIL."""
    return not may_want_gil(sample)


def found_free(look: Sample) -> bool:
    """Whether the watchdog got the GIL at once."""
    return look.gil_wait is not None and look.gil_wait < GIL_FREE_NS


def shown(segment: Segment, asleep: Callable[[Sample], bool] = in_own_wait) -> int:
    """Ns for which recorded calls, and the looks that meet the loop thread `asleep`, show that the app slept.

    Not those in which the machine may have stood still; on such a machine not those in the run queue either.
    """
    calls = map(_slept_in, segment.calls)
    stood = [(_earliest(each), each.ended) for each in _unslept(segment)]
    others = (segment.queued or 0) + covered(stood) if stood else 0
    return max(0, covered([*calls, *_spans(segment, asleep), *stood]) - others)


def _slept_in(call: BlockingCall) -> Span:
    """A call that is told how long to sleep, and takes longer, was kept by the machine."""
    return call.began, min(call.ended, call.began + call.asked) if call.asked else call.ended


def between_looks(segment: Segment) -> int:
    """Ns between two looks, one after the other, that both meet the loop thread in a wait of its own.

    A thread that waits for the GIL now and then is not met so twice.
    """
    pairs = pairwise(segment.samples)
    return sum(after.began - look.began for look, after in pairs if in_own_wait(look) and in_own_wait(after))


def _earliest(stood: Standstill) -> int:
    """When it began at the earliest: before the watchdog was to wake, where it explains most of the late wake.

    A busy machine makes some that explain little of it.
    """
    return stood.since if 2 * stood.ns >= stood.ended - stood.began else stood.began


def stood_still(segment: Segment) -> int:
    """Ns in which the machine stood still, at least."""
    return sum(
        max(0, min(each.ns, segment.ended - each.began, each.ended - segment.began)) for each in _unslept(segment)
    )


def _unslept(segment: Segment) -> Iterator[Standstill]:
    """Those that the loop thread did not sleep through: it may have computed when the machine stood still."""
    return (each for each in segment.standstills if not _slept_through(each, segment))


def _slept_through(stood: Standstill, segment: Segment) -> bool:
    """Whether a recorded call spans it, or the looks before and after it both show a wait of the loop thread's own."""
    if any(began <= stood.began and stood.ended <= ended for began, ended in map(_slept_in, segment.calls)):
        return True
    before = [look for look in segment.samples if look.began < stood.began]
    after = [look for look in segment.samples if look.began >= stood.began]
    return not any(may_want_gil(look) for look in (*before[-1:], *after[:1])) and bool(before and after)


def _spans(segment: Segment, asleep: Callable[[Sample], bool]) -> Iterator[Span]:
    """The time for which these looks stand. Where a call was recorded it tells its own time."""
    slept = False
    for look, (began, ended) in zip(segment.samples, pairwise(_edges(segment)), strict=False):
        kept = not slept and _kept_gil_until(look, segment)
        slept = asleep(look)
        if slept and not any(call.began <= look.began <= call.ended for call in segment.calls):
            yield (look.began if kept else began), ended


def _kept_gil_until(look: Sample, segment: Segment) -> bool:
    """Whether the watchdog waited for the GIL, and no other thread had it: the loop thread did not sleep without it."""
    return look.gil_wait is not None and not found_free(look) and segment.others_cpu < look.gil_wait


def _edges(segment: Segment) -> list[int]:
    """The borders; the last look stands for what came after it, but for half of it where the machine stood still."""
    *edges, last = borders(segment)
    return [*edges, (last + segment.ended) // 2 if any(_unslept(segment)) else segment.ended]


def borders(segment: Segment) -> list[int]:
    """Where the time begins and ends for which each look stands: half-way to when the next one asked for the GIL.

    What a look saw had the GIL while the look waited for it. The last one stands for nothing that came after it.
    """
    looks = segment.samples
    between = [(look.began + max(look.began, _asked(after))) // 2 for look, after in pairwise(looks)]
    return [segment.began, *between, *(look.began for look in looks[-1:])]


def _asked(look: Sample) -> int:
    """When the watchdog asked for the GIL."""
    return look.due if look.gil_wait is None else look.began - look.gil_wait


def covered(spans: Iterable[Span]) -> int:
    """Ns that the spans cover together; where spans overlap, the time counts once."""
    total = end = 0
    for began, ended in sorted(spans):
        total += max(0, ended - max(began, end))
        end = max(end, ended)
    return total

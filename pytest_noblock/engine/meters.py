"""A meter for the calling thread, made of what this machine has; and what it recorded, as values."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from pytest_noblock.engine.clocks import LinuxClock, PortableClock
from pytest_noblock.engine.instrument import metered
from pytest_noblock.engine.network.awaited_fds import AWAITED
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.watchdog import RawSample, Watchdog
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Meter, Sample, Segment


class Metering:
    """`segments` is complete once the block is left."""

    exact = False
    segments: tuple[Segment, ...] = ()

    def __init__(self, steps: StepMeter) -> None:
        self.steps = steps


@contextmanager
def metering(kind: Meter, user: UserCode, *, sample_after: int, exact: bool = False) -> Iterator[Metering]:
    """Meter this thread's steps.

    `exact`: with counters at every user line, and without the watchdog, whose looking
    would disturb them; where somebody else owns the tracer, as ever.
    """
    with ExitStack() as stack:
        clock = LinuxClock() if kind == "full" else PortableClock()
        stack.callback(clock.close)
        meter = StepMeter(clock, user, _sockets(kind))
        result = Metering(meter)
        stack.enter_context(metered(meter))
        if exact:
            from pytest_noblock.engine.steps.line_costs import LineCounters
            from pytest_noblock.engine.steps.line_tracers import counting

            counters = LineCounters(meter, clock, user, _sockets(kind))
            result.exact = stack.enter_context(counting(meter, counters, user))
        if not result.exact:
            meter.watchdog = Watchdog(sample_after)
            stack.callback(meter.watchdog.stop)
        yield result
    result.segments = with_samples(meter.segments, meter.watchdog.take() if meter.watchdog else [], user)


def _sockets(kind: Meter) -> SocketTable | None:
    return SocketTable(AWAITED) if kind == "full" else None


def with_samples(
    segments: Sequence[tuple[Segment, int]], samples: Sequence[RawSample], user: UserCode
) -> tuple[Segment, ...]:
    """Each segment with the samples of its step: the step's number joins them."""
    by_step: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_step[sample.step].append(_sample(sample, user))
    return tuple(segment._replace(samples=tuple(by_step[step])) for segment, step in segments)


def _sample(sample: RawSample, user: UserCode) -> Sample:
    return Sample(sample.due, sample.began, sample.ended, as_stack(sample.frames, user), sample.syscall)

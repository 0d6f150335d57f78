"""A meter for the calling thread, made of what this machine has."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pytest_noblock.engine.clocks import LinuxClock, PortableClock
from pytest_noblock.engine.instrument import metered
from pytest_noblock.engine.network.awaited_fds import AWAITED
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.sampled import settled
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.watchdog import Watchdog
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Meter, Segment


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
    result.segments = settled(meter.segments, meter.watchdog.take() if meter.watchdog else [], user)


def _sockets(kind: Meter) -> SocketTable | None:
    return SocketTable(AWAITED) if kind == "full" else None

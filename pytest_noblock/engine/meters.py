"""Sets up a meter: a clock, a socket table and a watchdog, by what this machine has. Collects what the meter recorded.

The fixture's run, a watched test and the self-check all make their meters here.
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from itertools import pairwise

from pytest_noblock.engine.clocks import LastingClock, LinuxClock, PortableClock
from pytest_noblock.engine.instrument import cover_c_calls, metered
from pytest_noblock.engine.network.awaited_fds import AWAITED
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.raw_stacks import RawFrame, before_call
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.raw_samples import RawSample
from pytest_noblock.engine.steps.watchdog import BetweenSteps, Watchdog
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.limits import SAMPLE_AFTER_NS
from pytest_noblock.model.observation import Meter
from pytest_noblock.model.segment import Sample, Segment, Standstill, held_together
from pytest_noblock.model.units import SWITCH_INTERVAL_NS

_LATE_NS = 2 * SWITCH_INTERVAL_NS
"""A look that waited longer than this for the GIL waited for a computation in C: Python code hands the GIL over."""


class MeterKit:
    """Makes meters that share one watchdog and one socket table. Each of the two is made when it is first needed.

    The meters share the table because sockets belong to the process. Only the GIL protects it.
    """

    def __init__(self, kind: Meter, user: UserCode) -> None:
        self.kind = kind
        self.user = user
        self._of_main: LastingClock | None = None
        """Of the main thread, once it has had a meter: the test's client may run the app on it, in every test."""

    @cached_property
    def _sockets(self) -> SocketTable | None:
        return self.new_sockets()

    @cached_property
    def watchdog(self) -> Watchdog:
        """The first read starts the watchdog's thread, which costs 0.1 ms: read it before the first request."""
        return Watchdog(after=0)

    def new_sockets(self) -> SocketTable | None:
        """A table that nobody shares; None on the portable meter, which sees no sockets."""
        return SocketTable(AWAITED) if self.kind == "full" else None

    def new_meter(self, born: int | None = None) -> StepMeter:
        """A meter for the calling thread, which was started at `born` (ns), where that is known. The caller closes it.

        Raises OSError and ValueError where the kernel lacks the counters of the full meter.
        """
        clock = self._full_clock(born) if self.kind == "full" else PortableClock()
        return StepMeter(clock, self.user, self._sockets)

    def _full_clock(self, born: int | None) -> LinuxClock:
        """To open the one of an old thread takes as long as 20 readings: it stays open from test to test."""
        if threading.current_thread() is not threading.main_thread():
            return LinuxClock(born)
        if self._of_main is None or not self._of_main.of_this_thread():
            self._of_main = LastingClock()
        return self._of_main

    def with_samples(
        self, segments: Sequence[tuple[Segment, int]], least: int = 0, *, all_over: bool = True
    ) -> tuple[Segment, ...]:
        """Each segment with the samples of its step. `segments` has pairs: a segment, and the number of its step.

        `all_over`: whether no request is under way.

        Several segments may have one number, as they follow each other at once. The watchdog forgets its samples.
        Where the app held the loop for less than `least` ns, and made no call, the machine made the step long: it gets
        none, unless one shows a loop that waits. To name what their frames call costs a millisecond and more.
        """
        if all_over and any(segment.beside for segment, _step in segments):
            from pytest_noblock.engine.steps import going_on  # most steps sleep beside nobody

            segments = going_on.without(segments, 2 * (least or SAMPLE_AFTER_NS))  # it looks at half the limit
        raw = self.watchdog.take() if self._has_watchdog() else []
        standstills = _of_all(self.watchdog.take_standstills(), segments) if self._has_watchdog() else []
        if not raw and not standstills:  # as of most tests; each copy of a segment takes 5 us
            return tuple(segment for segment, _step in segments)
        last = {step: number for number, (_segment, step) in enumerate(segments)}
        by_step: defaultdict[int, list[Sample]] = defaultdict(list)
        wanted = _long(segments, least) | self._polled(segments, least, raw) if raw else frozenset()
        for sample in raw:
            if sample.step in wanted:
                by_step[sample.step].append(_sample(sample, self.user))
        return tuple(
            segment._replace(
                samples=_up_to(None if last[step] == number else segment.ended, by_step[step]),
                standstills=tuple(each for each in standstills if _overlap(each, segment)) if standstills else (),
            )
            for number, (segment, step) in enumerate(segments)
        )

    def _polled(self, segments: Sequence[tuple[Segment, int]], least: int, raw: Sequence[RawSample]) -> frozenset[int]:
        """The numbers of the steps that waited long for a processor, and were in a loop that waits."""
        stretched = {step for segment, step in segments if segment.held < least and segment.wall >= 2 * least}
        if not stretched:
            return frozenset()
        from pytest_noblock.engine.polled import is_polled  # only on a busy machine

        return frozenset(each.step for each in raw if each.step in stretched and is_polled(each.frames, self.user))

    def close(self) -> None:
        if self._has_watchdog():
            self.watchdog.stop()
        if self._of_main is not None:
            self._of_main.close_for_good()

    def _has_watchdog(self) -> bool:
        return "watchdog" in vars(self)


class Metering:
    """What `metering` gives; `segments` is complete once its block is left."""

    segments: tuple[Segment, ...] = ()

    def __init__(self, steps: StepMeter, kit: MeterKit) -> None:
        self.steps = steps
        self._kit = kit

    @contextmanager
    def watched(self, between: BetweenSteps) -> Iterator[None]:
        """Between two steps the watchdog looks for threads that keep the GIL, as it does in watched tests."""
        watchdog = self._kit.watchdog
        watchdog.between_steps = between
        try:
            yield
        finally:
            watchdog.catch_up()
            watchdog.between_steps = None

    def collect(self, kit: MeterKit) -> None:
        """No step is metered any more."""
        self.segments = kit.with_samples(self.steps.segments)


@contextmanager
def metering(kind: Meter, user: UserCode, *, sample_after: int, exact: bool = False) -> Iterator[Metering]:
    """Meter the steps of the calling thread while the block runs.

    The watchdog samples a step that is `sample_after` ns old. An `exact` run has
    counters at every user line and no watchdog, because samples would disturb the
    counters. Where somebody else owns the tracer, the run has the watchdog and no counters;
    so it has from the step on before which the counters gave up, in a hot loop.
    """
    kit = MeterKit(kind, user)
    with ExitStack() as stack:
        collecting = stack.enter_context(ExitStack())  # closed last, and of an interrupted run, too
        stack.callback(kit.close)
        meter = kit.new_meter()
        result = Metering(meter, kit)
        collecting.callback(result.collect, kit)
        stack.callback(meter.close)
        stack.enter_context(metered(meter))
        cover_c_calls(user)

        def by_looks() -> None:
            kit.watchdog.after = sample_after
            meter.attach_lines(None)
            meter.attach_watchdog(kit.watchdog)

        if not (exact and stack.enter_context(_counting_lines(kit, meter, by_looks))):
            by_looks()
        yield result


def _counting_lines(kit: MeterKit, meter: StepMeter, gave_up: Callable[[], None]) -> AbstractContextManager[bool]:
    from pytest_noblock.engine.steps.line_costs import LineCounters  # most runs are not exact
    from pytest_noblock.engine.steps.line_tracers import counting

    return counting(meter, LineCounters(meter, kit.user, kit.new_sockets(), gave_up), kit.user)


def _long(segments: Sequence[tuple[Segment, int]], least: int) -> frozenset[int]:
    """The numbers of the steps in which the app held the loop for so long, together with others of the same turn."""
    turns = held_together(segment for segment, _step in segments)
    return frozenset(
        step for segment, step in segments if segment.has_call or max(segment.held, turns[segment.turn]) >= least
    )


def _up_to(ended: int | None, samples: list[Sample]) -> tuple[Sample, ...]:
    """Takes those samples out of the list that were begun by then; None: all."""
    count = sum(ended is None or sample.began <= ended for sample in samples)
    taken, samples[:count] = tuple(samples[:count]), []
    return taken


def _of_all(standstills: Sequence[Standstill], segments: Sequence[tuple[Segment, int]]) -> list[Standstill]:
    """Those in which no step came or went for half as long as the machine stood still: else one thread was late.

    Half, because a step may go on before the watchdog has a processor. The host may not run the processor of one
    thread, and run that of another. Measured beside two busy processes: 90 ms with twelve steps of 10 ms in them.
    """
    if not standstills:
        return []
    moments = sorted(moment for segment, _step in segments for moment in (segment.began, segment.ended))
    return [each for each in standstills if 2 * _longest_pause(each, moments) >= each.ns]


def _longest_pause(standstill: Standstill, moments: Sequence[int]) -> int:
    """Ns between two of the moments, at most, as far as the standstill covers them."""
    since, ended = standstill.since, standstill.ended
    within = moments[bisect_left(moments, since) : bisect_left(moments, ended)]
    return max(after - before for before, after in pairwise((since, *within, ended)))


def _overlap(standstill: Standstill, segment: Segment) -> bool:
    return standstill.since < segment.ended and segment.began < standstill.ended


def _sample(sample: RawSample, user: UserCode) -> Sample:
    stack = as_stack(_settled(sample), user)
    return Sample(sample.due, sample.began, sample.ended, stack, sample.syscall, sample.gil_wait, sample.left)


def _settled(sample: RawSample) -> Sequence[RawFrame]:
    """The frames of a sample; without those that have done nothing yet, where a computation in C kept the GIL."""
    late = sample.gil_wait is not None and sample.gil_wait > _LATE_NS
    return before_call(sample.frames) if late else sample.frames

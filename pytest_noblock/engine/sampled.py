"""What a meter and a watchdog recorded, together and as values."""

from collections import defaultdict
from collections.abc import Sequence

from pytest_noblock.engine.stacks import settled as stack_of
from pytest_noblock.engine.steps.watchdog import RawSample
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Sample, Segment


def settled(
    segments: Sequence[tuple[Segment, int]], samples: Sequence[RawSample], user: UserCode
) -> tuple[Segment, ...]:
    """The number of the step joins them."""
    by_step: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_step[sample.step].append(_sample(sample, user))
    return tuple(segment._replace(samples=tuple(by_step[step])) for segment, step in segments)


def _sample(sample: RawSample, user: UserCode) -> Sample:
    return Sample(sample.due, sample.began, sample.ended, stack_of(sample.frames, user), sample.syscall)

"""Which threads go on when the requests are over: no loop thread has waited for those.

A loop thread that slept may have waited for any thread that ran meanwhile, and that thread for a processor. Of an
exporter, a scheduler, a poller the step's own counters cannot tell that the loop waited for something else. But when
no request is under way, a worker has nothing to do, and such a thread goes on at its pace.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from threading import get_native_id

from pytest_noblock.engine.now import now, sleep
from pytest_noblock.engine.other_threads import cpu_of
from pytest_noblock.engine.steps.queued_others import all_of
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.segment import Segment

_MOST_LOOKS, _PAUSE_S = 15, 0.02
"""How often they are looked at, and for how many seconds each time. Chosen: 0.3 s is paid where a sleep is in doubt,
and not at all elsewhere."""
_FEWEST_RUNS = 3
"""In so many looks it must have run: a worker ends its last work in one, and falls asleep."""
_ANY_RUNS = 6
"""Looks. Where none has run in so many, none goes on. Measured for a thread that works 20 us every 0.3 ms, at load 23
on two processors: three runs in 4 to 11 looks, and once none in the first four."""
_SHARE = 1 / 6
"""Of its pace in the step, at least. Measured there: 0.2 to 2 times; a worker's falls to nothing."""

Recorded = tuple[Segment, int]
"""A segment, and the number of its step."""


def without(recorded: Sequence[Recorded], least: int) -> Sequence[Recorded]:
    """What was recorded, where such threads explain nothing. To be called when no request is under way.

    `least`: how long (ns) a sleep is for which somebody asks what explains it.
    """
    doubtful = {step for segment, step in recorded if segment.beside and _is_in_doubt(segment, least)}
    if not doubtful:
        return recorded
    beside = (thread for segment, step in recorded if step in doubtful for thread in segment.beside)
    paces = _paces_of(thread.native for thread in beside)
    return [(_without(segment, paces), step) for segment, step in recorded]


def _is_in_doubt(segment: Segment, least: int) -> bool:
    return segment.asleep >= least and segment.others_may_have_queued >= NOTE_NS


def _without(segment: Segment, paces: Mapping[int, float]) -> Segment:
    if not segment.beside:
        return segment
    stay = [each for each in segment.beside if paces.get(each.native, -1.0) < _SHARE * each.pace]
    found = all_of(stay)
    return segment._replace(others_queued=found.surely, others_may_have_queued=found.at_most, beside=found.threads)


def _paces_of(natives: Iterable[int]) -> dict[int, float]:
    """How much those that go on compute, as a share of the time that passes. The calling thread is none of them."""
    first = {each: cpu for each in set(natives) - {get_native_id()} if (cpu := cpu_of(each)) is not None}
    began, latest, runs = now(), dict(first), Counter[int]()
    for looks in range(1, _MOST_LOOKS + 1):
        sleep(_PAUSE_S)
        present = {each: cpu for each in latest if (cpu := cpu_of(each)) is not None}
        runs.update(each for each, cpu in present.items() if cpu != latest[each])
        latest = present
        if all(runs[each] >= _FEWEST_RUNS for each in latest) or (looks == _ANY_RUNS and not runs):
            break
    passed = now() - began
    return {each: (cpu - first[each]) / passed for each, cpu in latest.items() if runs[each] >= _FEWEST_RUNS}

"""Waits of many short sleeps, as `while not done(): time.sleep(0.001)`. Pure functions.

On a busy machine the loop thread waits for a processor after each sleep. A wait that ends by the clock, or when
somebody else is done, holds fewer sleeps then: the meter charges 30 ms for what takes 150 ms on an idle machine. Of a
wait that ends after so many sleeps the meter charges the right time. One run cannot tell the two apart, several may.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pytest_noblock.judge.attribution import Key, key_of, of_call, slept_on_request
from pytest_noblock.judge.sleeps import slept
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.rules import Rule
from pytest_noblock.model.segment import MOST_CALLS, BlockingCall, Segment
from pytest_noblock.model.stall import BlamedLine, Naps, Stall
from pytest_noblock.model.units import words

RULE = Rule("by-the-clock", "from the first sleep at the line to the last one, by the clock")

LOST = 10
"""The part of the limit that a step waits at least for a processor, for the GIL or for late timers where a machine is
busy. Of 45 sleeps of 1 ms an idle machine takes 3 ms more than was asked for."""
_RUNS = 3
"""So many runs, or more, are compared."""
_FEWER = 1.25
"""Times. The numbers of sleeps differ where they differ by more than this: a wait may sleep once for each row."""

Found = tuple[BlamedLine, Naps]


def in_doubt(segment: Segment, limits: Limits) -> Found | None:
    """The sleeps that may be a wait over the limit although the segment is under it; None where there are none.

    Where there are several such lines, the one that took longest.
    """
    counted = charged(segment)
    if counted >= limits.max_block:
        return None
    least = max(limits.max_block, counted + limits.max_block // LOST)
    long = (each for each in _naps_of(segment) if each[1].took >= least)
    return max(long, key=lambda each: each[1].took, default=None)


def charged(segment: Segment) -> int:
    """Ns that the meter charges the step for."""
    return segment.cpu + max(slept_on_request(segment), slept(segment))


def _naps_of(segment: Segment) -> Iterator[Found]:
    """Those of each line that slept more than once."""
    lines: defaultdict[Key | None, list[BlockingCall]] = defaultdict(list)
    for call in segment.calls:
        if call.name == "time.sleep":  # of 0 seconds, too
            lines[key_of(of_call(call))].append(call)
    full = len(segment.calls) >= MOST_CALLS
    for calls in lines.values():
        times = sum(call.times for call in calls)
        if times > 1:
            began, last = calls[0].began, calls[-1]
            ended = max(last.ended, segment.ended) if full else last.ended
            asleep = sum(min(each.asked, each.ended - each.began) for each in calls)
            last_began = (ended if full else last.began) - began
            yield of_call(last), Naps(times, asleep, last_began, max(0, ended - began - segment.imported))


def told(naps: Naps) -> str:
    """The doubt in words and numbers."""
    return (
        f"{naps.times} sleeps, {words(naps.asleep)} in all, the rest without a processor or the GIL: a wait that ends "
        f"by the clock, or when somebody else is done, would have slept {words(naps.took)}, one that counts its "
        "sleeps would not"
    )


def settled(stall: Stall, runs: Sequence[Observation]) -> Stall:
    """The stall, without its doubt where the later `runs` of its request tell how the wait ends."""
    if stall.naps is None:
        return stall
    naps = [stall.naps, *_at(key_of(stall.place), runs)]
    if len(naps) < _RUNS:
        return stall
    times = [each.times for each in naps]
    least, most = max(each.last_began for each in naps), min(each.took for each in naps)
    if least > most and len(set(times)) == 1:
        return stall._replace(asleep=stall.asleep - stall.in_doubt, in_doubt=0, naps=None)
    if least <= most and max(times) > _FEWER * min(times):
        return stall._replace(asleep=least, in_doubt=0, sure=True, naps=None, proof=_by_the_clock(times, least))
    return stall


def _at(line: Key | None, runs: Sequence[Observation]) -> Iterator[Naps]:
    """The longest naps at the line in each run that slept there."""
    for run in runs:
        here = [naps for each in run.segments for place, naps in _naps_of(each) if key_of(place) == line]
        if here:
            yield max(here, key=lambda each: each.took)


def _by_the_clock(times: Sequence[int], took: int) -> str:
    slept = ", ".join(map(str, times[:-1])) + f" and {times[-1]}"
    return f"it ends by the clock: {len(times)} runs slept {slept} times there, and each until {words(took)} had passed"

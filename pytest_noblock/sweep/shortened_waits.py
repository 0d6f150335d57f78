"""Whose wait for another thread or process was made shorter, or needless, by others (pure).

A job of 0.2 s goes on while another request holds the loop. Who then waits for it waits for the rest, or for nothing.
So it does while the loop thread waits for a processor.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_noblock.judge.attribution import slept_on_request
from pytest_noblock.judge.own_sleeps import covered
from pytest_noblock.judge.sleeps import slept
from pytest_noblock.model.limits import NOTE_NS, Limits
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.segment import Segment


def of_run(
    observation: Observation, limits: Limits, waits: Mapping[int, int], late: Sequence[tuple[int, int]]
) -> Iterator[int]:
    """The numbers of the exchanges whose wait may have been longer without the others.

    `waits`: as in `StepMeter`; `late`: as in `Many`.
    """
    last = Counter(waits)
    for segment in observation.segments:
        if _waited_for_others(segment):
            last[segment.exchange] = max(last[segment.exchange], segment.began)
    holds = list(_holds(observation, limits.max_block)) if last else ()
    for each in observation.exchanges:
        at = last.get(each.number, 0)
        held = any(hold.of_others(each.number) >= limits.max_block and hold.lies_in(each.sent, at) for hold in holds)
        if held or (at and 2 * _late_in(each.sent, at, late) >= limits.max_block):
            yield each.number


def _waited_for_others(segment: Segment) -> bool:
    """Whether it slept in the kernel beyond what its calls of `time.sleep` asked for."""
    return slept(segment) - slept_on_request(segment) >= NOTE_NS


class _Hold(NamedTuple):
    """A stretch in which requests held the loop."""

    began: int
    ended: int
    held: Mapping[int | None, int]
    """For how long (ns), by the number of the exchange; None where nobody knows whose thread kept the GIL."""

    def of_others(self, number: int) -> int:
        return sum(self.held.values()) - self.held.get(number, 0)

    def lies_in(self, began: int, ended: int) -> bool:
        return began < self.ended and self.began < ended


def _holds(observation: Observation, least: int) -> Iterator[_Hold]:
    """Turns of the loop that were held for so long by all that ran in them, and gaps that lasted so long."""
    turns: defaultdict[int, list[Segment]] = defaultdict(list)
    for each in observation.segments:
        turns[each.turn or -each.began].append(each)  # on other loops nobody counts the turns
    for segments in turns.values():
        held: Counter[int | None] = Counter()
        for each in segments:
            held[each.exchange] += each.held
        if held.total() >= least:
            yield _Hold(min(each.began for each in segments), max(each.ended for each in segments), held)
    for gap in observation.gaps:
        if gap.late >= least:
            yield _Hold(gap.began, gap.ended, {gap.exchange: gap.late})


def _late_in(began: int, ended: int, late: Sequence[tuple[int, int]]) -> int:
    """Ns for which the loop turned too late, by its ticks. They are apart, and see half of a short stretch at least."""
    return covered((max(began, due), min(ended, came)) for due, came in late if due < ended and came > began)

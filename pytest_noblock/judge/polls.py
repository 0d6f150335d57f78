"""Loops that wait and that a busy machine made long: `while monotonic() < end: pass`, `while not event.wait(0.002)`.

The meter charges a step for what it computed and slept. Of work that is right: what the thread waited for a processor
is the machine's. A loop that ends by the clock, or when somebody else is done, takes as long as it would have taken
alone, and computes and sleeps the less the longer it waits for a processor. How the loop is written tells that there is
a doubt (`calls.poll_loops`). Of a loop that does nothing but to look at the clock, looks tell until when its time was
not over; of all others several runs may tell that it was work. `naps` has the short sleeps, which are counted.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pytest_noblock.calls.poll_loops import is_in_loop, poll_loop
from pytest_noblock.judge.naps import LOST, charged
from pytest_noblock.judge.own_sleeps import borders
from pytest_noblock.judge.sleeps import slept
from pytest_noblock.model.frames import Stack
from pytest_noblock.model.kinds import StallKind
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.rules import Rule
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import BlamedLine, Polls, Stall
from pytest_noblock.model.units import words

RULE = Rule("polled", "for how long looks met the loop thread in a loop that waits, by the clock")

_GOES_ON_NS = 3_000_000
"""Ns of CPU between two looks at the loop. A round takes less: the thread read the clock meanwhile."""
_RUNS = 3
"""So many runs, or more, are compared."""
_SAME, _UNLIKE = 1.15, 1.5
"""Times. Work computes and sleeps the same in each run, and takes what the machine makes of it. Measured beside 4 busy
processes, of 18 runs each: a computation of 30 ms of CPU, 29 to 32 ms of it and 171 to 676 ms of wall; a loop until 150
ms had passed, 10 to 28 and 150 to 214 ms. The CPU of work is no proof the other way: on a shared processor it may
differ from run to run by half, and more."""

_Loop = tuple[str, int]
"""The file of a loop, and its first line."""
Found = tuple[BlamedLine, Polls]


def in_doubt(segment: Segment, limits: Limits) -> Found | None:
    """The loop that may be a wait over the limit although the segment is under it; None where there is none."""
    counted = charged(segment)
    if segment.wall < limits.max_block or counted >= limits.max_block:
        return None
    least = max(limits.max_block, counted + limits.max_block // LOST)
    long = (each for each in _polls_of(segment) if each[1].took >= least)
    return max(long, key=lambda each: each[1].took, default=None)


def kind_of(segment: Segment) -> StallKind:
    """What the loop did when it had a processor."""
    return "cpu" if segment.cpu > slept(segment) else "sync-io"


def _polls_of(segment: Segment) -> Iterator[Found]:
    """Each loop that looks, or recorded calls, met."""
    for loop, place in _met(segment).items():
        took = max(_by_looks(segment, loop), _by_calls(segment, loop))
        yield place, Polls(loop, charged(segment), _known(segment, loop), took)


def _met(segment: Segment) -> dict[_Loop, BlamedLine]:
    """The line at which each loop was met first."""
    met: dict[_Loop, BlamedLine] = {}
    for call in segment.calls:
        if (found := _loop_in(call.stack)) is not None:
            met.setdefault(found.loop, BlamedLine(call.stack[found.depth], call.stack, "call", witnessed=True))
    for look in segment.samples:
        if (found := _loop_in(look.stack)) is not None:
            met.setdefault(found.loop, BlamedLine(look.stack[found.depth], look.stack, "sample", look.syscall))
    return met


class _Within(NamedTuple):
    """A frame that is in a loop that waits, by its place in the stack."""

    depth: int
    loop: _Loop
    only_clock: bool


def _loop_in(stack: Stack) -> _Within | None:
    """The innermost one of the user's."""
    for depth, frame in enumerate(stack):
        found = poll_loop(frame.file, frame.line) if frame.user else None
        if found is not None:
            return _Within(depth, (frame.file, found.line), found.only_clock)
    return None


def _is_in(loop: _Loop, stack: Stack) -> bool:
    found = _loop_in(stack)
    return found is not None and found.loop == loop


def _by_looks(segment: Segment, loop: _Loop) -> int:
    """Ns for which the looks stand that met the loop."""
    looks = zip(segment.samples, pairwise([*borders(segment)[:-1], segment.ended]), strict=False)
    return sum(ended - began for look, (began, ended) in looks if _is_in(loop, look.stack))


def _by_calls(segment: Segment, loop: _Loop) -> int:
    """Ns from the first recorded call in the loop to the last one."""
    calls = [call for call in segment.calls if _is_in(loop, call.stack)]
    return calls[-1].ended - calls[0].began if calls else 0


def _known(segment: Segment, loop: _Loop) -> int:
    """Ns between the first look at one stay in the loop and the last one at which its time was not over.

    A thread that waits for a processor may be met in a loop whose time is over. So the thread must have run on in the
    loop after that look, until another one.
    """
    looks = [look for look in segment.samples if look.left is not None and _is_in_one_stay(loop, look.stack)]
    first = [each for each in looks if _around(each.stack) == _around(looks[0].stack)]
    before = [each.began for each in first if (each.left or 0) - (first[-1].left or 0) >= _GOES_ON_NS]
    return before[-1] - first[0].began if before else 0


def _is_in_one_stay(loop: _Loop, stack: Stack) -> bool:
    """Whether nothing begins the loop anew, which ends by the clock alone."""
    found = _loop_in(stack)
    if found is None or found.loop != loop or not found.only_clock:
        return False
    return not any(each.user and is_in_loop(each.file, each.line) for each in stack[found.depth + 1 :])


def _around(stack: Stack) -> list[tuple[str, int]]:
    """The lines that called the function with the loop."""
    found = _loop_in(stack)
    return [(each.file, each.line) for each in stack[found.depth + 1 :]] if found is not None else []


def told(polls: Polls) -> str:
    """The doubt in words and numbers."""
    return (
        f"a loop that waits, CPU and sleep {words(polls.charged)}, the rest without a processor or the GIL: one that "
        f"ends by the clock, or when somebody else is done, would have held the loop {words(polls.took)} on an idle "
        "machine, one that ends after so many rounds would not"
    )


def settled(stall: Stall, runs: Sequence[Observation], limits: Limits) -> Stall:
    """The stall, without its doubt where the later `runs` of its request tell how the loop ends."""
    polls = stall.polls
    if polls is None:
        return stall
    seen = [polls, *_in(runs, polls.loop)]
    known = max(each.known for each in seen)
    if len(seen) < _RUNS:
        return stall
    if known >= limits.max_block and min(each.took for each in seen) >= limits.max_block:
        return _lasting(stall, known)._replace(sure=True, proof=_by_the_clock(seen, known))
    return _lasting(stall, polls.charged) if _is_work(seen) else stall


def _is_work(seen: Sequence[Polls]) -> bool:
    charges, took = [each.charged for each in seen], [each.took for each in seen]
    return max(charges) <= _SAME * min(charges) and max(took) > _UNLIKE * min(took)


def _lasting(stall: Stall, ns: int) -> Stall:
    cpu, asleep = (ns, 0) if stall.kind == "cpu" else (0, ns)
    return stall._replace(cpu=cpu, asleep=asleep, in_doubt=0, naps=None, polls=None)


def _in(runs: Sequence[Observation], loop: _Loop) -> Iterator[Polls]:
    """The longest stay in the loop in each run that was met there."""
    for run in runs:
        here = [polls for each in run.segments for _, polls in _polls_of(each) if polls.loop == loop]
        if here:
            yield max(here, key=lambda each: each.took)


def _by_the_clock(seen: Sequence[Polls], known: int) -> str:
    took = ", ".join(words(each.took) for each in seen[:-1]) + f" and {words(seen[-1].took)}"
    return (
        f"the loop waits until a moment and does nothing else: {len(seen)} runs were in it for {took}, and after "
        f"{words(known)} of one its time was not over"
    )

"""Loops that wait and that a busy machine made long: `while monotonic() < end: pass`, `while not event.wait(0.002)`.

The meter charges a step for what it computed and slept. Of work that is right: what the thread waited for a processor
is the machine's. A loop that ends by the clock, or when somebody else is done, takes as long as it would have taken
alone, and computes and sleeps the less the longer it waits for a processor. Two witnesses tell the one from the other:
how the loop is written (`calls.poll_loops`), and several runs: work computes the same in each, and takes as long as
the machine lets it; such a loop takes the same in each, and computes as much as the machine lets it. `naps` has the
short sleeps that are counted one by one.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pytest_noblock.calls.poll_loops import poll_loop
from pytest_noblock.judge.naps import LOST, charged
from pytest_noblock.judge.own_sleeps import borders
from pytest_noblock.judge.sleeps import slept
from pytest_noblock.model.frames import Frame, Stack
from pytest_noblock.model.kinds import StallKind
from pytest_noblock.model.limits import NOTE_NS, Limits
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.rules import Rule
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import BlamedLine, Polls, Stall
from pytest_noblock.model.units import words

RULE = Rule("polled", "for how long looks met the loop thread in a loop that waits, by the clock")

_GOES_ON_NS = 5_000_000
"""Ns that the thread still ran or slept after a look. A loop that waits hardly does so once its time is over: one round
at most is left."""
_RUNS = 3
"""So many runs, or more, are compared."""
_ALIKE, _ALIKE_FOR_OTHERS = 1.25, 1.05
"""Times. Runs took the same where they took no more than so many times as long as the shortest. A busy machine may keep
who else has to be done: by chance hardly for so much the same time. Measured beside 4 busy processes, of 18 runs each:
a computation of 30 ms of CPU took 171 to 676 ms, a loop until 150 ms had passed took 150 to 214 ms."""
_APART = 1.5
"""Times. Runs did not compute and sleep the same where one did so many times as much as another. Measured likewise: the
computation 29 to 32 ms, the loop 10 to 28 ms."""
_APART_NS = 5_000_000
"""Ns. And no less than this: who only gives up its turn is charged for nearly nothing."""

_SAME, _UNLIKE = 1.15, 1.5
"""Times: of work. In between nobody can tell."""

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
    met = _met(segment)
    took = {loop: max(_by_looks(segment, loop), _by_calls(segment, loop)) for loop in met}
    for loop, (place, by_clock) in met.items():
        known = _known_until(segment, loop)
        yield place, Polls(loop, by_clock, charged(segment), known, took[loop], segment.others_cpu)


def _met(segment: Segment) -> dict[_Loop, tuple[BlamedLine, bool]]:
    """The line at which each loop was met first, and whether it is written to end by the clock."""
    met: dict[_Loop, tuple[BlamedLine, bool]] = {}
    for call in segment.calls:
        if (found := _loop_in(call.stack)) is not None:
            place = BlamedLine(found.frame, call.stack, "call", witnessed=True)
            met.setdefault(found.loop, (place, found.by_clock))
    for look in segment.samples:
        if (found := _loop_in(look.stack)) is not None:
            place = BlamedLine(found.frame, look.stack, "sample", look.syscall)
            met.setdefault(found.loop, (place, found.by_clock))
    return met


class _Within(NamedTuple):
    """A frame that is in a loop that waits."""

    frame: Frame
    loop: _Loop
    by_clock: bool


def _loop_in(stack: Stack) -> _Within | None:
    """The innermost one of the user's."""
    for frame in stack:
        found = poll_loop(frame.file, frame.line) if frame.user else None
        if found is not None:
            return _Within(frame, (frame.file, found.line), found.by_clock)
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


def _known_until(segment: Segment, loop: _Loop) -> int:
    """Ns between the first and the last moment at which the loop is known to have gone on.

    After a look that met it the thread ran, or slept, for more than a round: the loop was not over then. A thread that
    waits for a processor may be met in a loop whose time is over.
    """
    looks = (look.began for look in segment.samples if (look.left or 0) >= _GOES_ON_NS and _is_in(loop, look.stack))
    calls = (call.began for call in segment.calls if _is_in(loop, call.stack))
    moments = [*looks, *calls]
    return max(moments) - min(moments) if moments else 0


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
    alike = _alike(seen)
    known = max(each.known for each in seen)
    if len(alike) >= _RUNS and _is_apart(alike) and known >= limits.max_block and _hold_by_themselves(seen):
        return _is_red(stall, alike, known)
    if len(seen) >= _RUNS and _is_work(seen):
        return _lasting(stall, polls.charged)
    return stall


def _alike(seen: Sequence[Polls]) -> list[Polls]:
    """Those that took no longer than the shortest."""
    least, times = min(each.took for each in seen), _ALIKE if seen[0].by_clock else _ALIKE_FOR_OTHERS
    return [each for each in seen if each.took <= times * least]


def _is_apart(seen: Sequence[Polls]) -> bool:
    charges = [each.charged for each in seen]
    return max(charges) >= _APART * min(charges) and max(charges) - min(charges) >= _APART_NS


def _is_work(seen: Sequence[Polls]) -> bool:
    """Whether it computed and slept the same in each run, and took what the machine made of it."""
    charges, took = [each.charged for each in seen], [each.took for each in seen]
    return max(charges) <= _SAME * min(charges) and max(took) > _UNLIKE * min(took)


def _hold_by_themselves(seen: Sequence[Polls]) -> bool:
    """Whether nothing of this process's, which the machine may have kept, was waited for."""
    return seen[0].by_clock or all(each.others < NOTE_NS for each in seen)


def _is_red(stall: Stall, seen: Sequence[Polls], known: int) -> Stall:
    """It held the loop at least for as long as it is known to have gone on in one run."""
    proof = _by_the_clock([each.charged for each in seen], min(each.took for each in seen))
    return _lasting(stall, known)._replace(sure=True, proof=proof)


def _lasting(stall: Stall, ns: int) -> Stall:
    cpu, asleep = (ns, 0) if stall.kind == "cpu" else (0, ns)
    return stall._replace(cpu=cpu, asleep=asleep, in_doubt=0, polls=None)


def _in(runs: Sequence[Observation], loop: _Loop) -> Iterator[Polls]:
    """The longest stay in the loop in each run that was met there."""
    for run in runs:
        here = [polls for each in run.segments for _, polls in _polls_of(each) if polls.loop == loop]
        if here:
            yield max(here, key=lambda each: each.took)


def _by_the_clock(charges: Sequence[int], took: int) -> str:
    computed = ", ".join(map(words, charges[:-1])) + f" and {words(charges[-1])}"
    return (
        f"it ends by the clock, or when somebody else is done: {len(charges)} runs ran and slept {computed} there, and "
        f"each until {words(took)} had passed"
    )

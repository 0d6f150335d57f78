"""Which other lines had a share in a step, or in the steps of one turn, that a finding puts down to one line (pure).

Two lines that take the same time take turns at being the longest: a list of known findings must know both.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from pytest_noblock.judge import attribution, cpu_lines
from pytest_noblock.judge.sleeps import slept
from pytest_noblock.model.finding import Part
from pytest_noblock.model.frames import Frame, user_frame
from pytest_noblock.model.kinds import StallKind
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import BlamedLine, Stall

_Shares = list[tuple[Frame | None, int]]


def parts_of(kind: StallKind, segment: Segment, total: int) -> tuple[Part, ...]:
    """The lines that shared in the stall, the longest first; none where one line did. `total`: ns of the stall."""
    took: Counter[tuple[str, int]] = Counter()
    frames: dict[tuple[str, int], Frame] = {}
    counted = kind != "cpu" and any(line.asleep for line in segment.lines)  # of CPU the counters themselves take some
    for frame, ns in _of_cpu(segment) if kind == "cpu" else _of_sleep(segment, total):
        if frame is not None and ns > 0:
            frames.setdefault((frame.file, frame.line), frame)
            took[frame.file, frame.line] += ns
    if len(frames) < 2:
        return ()
    return tuple(Part(frames[key], ns, counted) for key, ns in took.most_common())


def _of_sleep(segment: Segment, total: int) -> _Shares:
    """By counters, else by the calls that were recorded, else by looks."""
    counted: _Shares = [(line.frame, line.asleep) for line in segment.lines if line.asleep]
    calls: _Shares = [(user_frame(call.stack), call.ended - call.began) for call in segment.calls]
    if counted or 2 * sum(ns for _, ns in calls) >= total:
        return counted or calls
    waiting = [each for each in segment.samples if each.syscall != "running"]
    return _by_looks(segment, ((user_frame(each.stack), each.began) for each in waiting), total)


def _of_cpu(segment: Segment) -> _Shares:
    if segment.lines:
        return [(line.frame, line.cpu) for line in segment.lines]
    return _by_looks(segment, ((cpu_lines.burning(each.stack), each.began) for each in segment.samples), segment.cpu)


def _by_looks(segment: Segment, seen: Iterable[tuple[Frame | None, int]], total: int) -> _Shares:
    """A look stands for the time since the one before it."""
    before, weighted = segment.began, []
    for frame, began in seen:
        weighted.append((frame, max(1, began - before)))
        before = began
    whole = sum(weight for _, weight in weighted)
    return [(frame, total * weight // whole) for frame, weight in weighted]


def with_parts(stall: Stall, pieces: Sequence[Segment]) -> Stall:
    """The stall with what each line held the loop for, at the line of the greatest part. As it is, where one did it.

    What each piece shows is closer than what all show together. But where all together show another line, or none, as
    where a framework computes, that stays.
    """
    places: dict[tuple[str, int], BlamedLine] = {}
    held: Counter[tuple[str, int]] = Counter()
    for piece in pieces:
        place = cpu_lines.of_cpu(piece) if stall.kind == "cpu" else attribution.of_sleep(piece)
        if place.frame is not None:
            key = place.frame.file, place.frame.line
            places.setdefault(key, place)
            held[key] += piece.cpu if stall.kind == "cpu" else slept(piece)
    if len(places) < 2:
        return stall
    longest_first = held.most_common()
    counted = stall.kind != "cpu"  # the counters of a run that confirms take CPU themselves
    parts = tuple(Part(frame, ns, counted) for key, ns in longest_first if (frame := places[key].frame) is not None)
    frame = stall.place.frame
    known = frame is not None and (frame.file, frame.line) in places
    return stall._replace(parts=parts, place=places[longest_first[0][0]] if known else stall.place)

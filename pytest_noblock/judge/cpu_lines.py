"""Which line the CPU of a segment is put down to: pure functions.

CPU goes by weight. A user line is blamed where most of the CPU was burned in user lines. Where it was burned outside of
them, in the framework or in a library that no user line called, or where no look at the stack came, the `def` of the
endpoint is blamed, and the library's function is named.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pytest_noblock.calls.known import is_on_the_way, is_plumbing, known
from pytest_noblock.calls.names import source_line
from pytest_noblock.calls.sources import def_line
from pytest_noblock.judge.attribution import of_line
from pytest_noblock.judge.own_sleeps import borders, may_want_gil
from pytest_noblock.model.finding import Evidence
from pytest_noblock.model.frames import Frame, Stack, surely_named
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.segment import FIRST_TIME, Sample, Segment
from pytest_noblock.model.stall import BlamedLine

_HOT = 1000
"""Runs of one line in one segment. Above this number, counting a line costs as much as running it: the counters cannot
say which line of a loop costs most."""

_MOST_LOOKS = 8
"""So many times the watchdog looks at a step. What comes after the last look is like what came before."""

_UNSEEN = 2
"""The end of a step counts as seen by nobody where it is so many times longer than the time from the begin of the step
to the last look: at most, the next look is due after the time between the first and the last one."""

_AWAITS_APP = r"\bawait\b.*\(\s*(?:scope\b|$)"
"""Matches the line, or the first line, of `await self.app(scope, receive, send)`."""

_FIRST_USE = (
    ("importlib/_bootstrap", ""),
    ("<frozen importlib._bootstrap", ""),
    ("fastapi/openapi/utils.py", ""),
    ("django/template/base.py", "compile_nodelist"),
    ("chameleon/template.py", "cook"),
)
"""(part of a file name, function) of work that a process does once and that no wrapper of ours sees (those are in
`engine.steps.first_uses`). An empty function stands for any."""


class _Look(NamedTuple):
    """A sample, and the time for which it stands (ns)."""

    sample: Sample
    weight: int


def of_cpu(segment: Segment, exchange: Exchange | None = None) -> BlamedLine:
    """The line that computed most; see the module's own text."""
    segment = _surely_named(segment)
    if segment.lines:
        return _by_counters(segment, exchange)
    return _by_weight(segment, exchange)


def _surely_named(segment: Segment) -> Segment:
    lines = (each._replace(frame=surely_named((each.frame,))[0]) for each in segment.lines)
    samples = (each._replace(stack=surely_named(each.stack)) for each in segment.samples)
    return segment._replace(lines=tuple(lines), samples=tuple(samples))


def _by_counters(segment: Segment, exchange: Exchange | None) -> BlamedLine:
    lines = [line for line in segment.lines if not _hands_on(line.frame)]
    costliest = max(lines, key=lambda line: line.cpu, default=None)
    explained = sum(line.cpu for line in lines)
    if costliest is None or (segment.counted and 2 * explained < segment.cpu):
        return _of_definition(segment, exchange, [])
    evidence: Evidence = "hot loop" if costliest.hits > _HOT else "line counters"
    if evidence == "hot loop":
        return BlamedLine(costliest.frame, costliest.stack, evidence, witnessed=True)
    return of_line(costliest, segment)


def _by_weight(segment: Segment, exchange: Exchange | None) -> BlamedLine:
    looks = _looks(segment)
    total = sum(look.weight for look in looks)
    seen = [(frame, look) for look in looks if (frame := burning(look.sample.stack)) is not None]
    once = sum(look.weight for look in looks if _is_first_use(look.sample.stack))
    first_use = 2 * once > total and not segment.first_uses  # else a wrapper saw it, and it is off
    if seen and 2 * sum(look.weight for _, look in seen) >= total + _unseen(segment):
        place = _heaviest(seen)
    else:
        place = _of_definition(segment, exchange, [look for look in looks if burning(look.sample.stack) is None])
    return place._replace(first_use=first_use, unseen=not looks)


def _looks(segment: Segment) -> list[_Look]:
    """Samples in a kernel call count only where there are no others. What was taken off the CPU has no looks."""
    looks = []
    for sample, (begins, ends) in zip(segment.samples, pairwise(borders(segment)), strict=True):
        if segment.first_use or not any(frame.function == FIRST_TIME for frame in sample.stack):
            looks.append(_Look(sample, max(1, ends - begins)))
    return [look for look in looks if may_want_gil(look.sample)] or looks


def _unseen(segment: Segment) -> int:
    """Ns at the end of the segment that no look stands for."""
    if not segment.samples or len(segment.samples) >= _MOST_LOOKS:
        return 0
    last = segment.samples[-1].began
    tail = segment.ended - last
    return tail if tail > _UNSEEN * (last - segment.began) else 0


def burning(stack: Stack) -> Frame | None:
    """The innermost frame of the user's, but none that only hands the request on to an app further in."""
    inside = False
    for frame in stack:
        if frame.user and not inside:
            return frame
        inside = inside or frame.asgi
    return None


def _heaviest(seen: Sequence[tuple[Frame, _Look]]) -> BlamedLine:
    """The line with most weight, with that call of the line that has most."""
    at = _most((frame.file, frame.line, look.weight) for frame, look in seen)
    here = [(frame, look) for frame, look in seen if (frame.file, frame.line) == at]
    named = [(frame.call, look.weight) for frame, look in here if frame.call]
    computes_itself = 2 * sum(weight for _, weight in named) < sum(look.weight for _, look in here)  # by an operator
    (call,) = (None,) if computes_itself else _most(named)
    frame, look = next((frame, look) for frame, look in here if frame.call == call)
    return BlamedLine(frame, look.sample.stack, "sample", look.sample.syscall)


def _most(weighted: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Of tuples that end with a weight: what has most of it in sum."""
    weights: Counter[tuple[Any, ...]] = Counter()
    for *what, weight in weighted:
        weights[tuple(what)] += weight
    return weights.most_common(1)[0][0]


def _of_definition(segment: Segment, exchange: Exchange | None, looks: Sequence[_Look]) -> BlamedLine:
    """The `def` of the endpoint, or of the background task, and the library function that most of the looks show."""
    frame = _definition(segment, exchange)
    named = [(name, look.weight) for look in looks if (name := _library(look.sample.stack)) is not None]
    call = _most(named)[0] if named else None
    stack = next((look.sample.stack for look in looks if call in (None, _library(look.sample.stack))), ())
    return BlamedLine(frame, stack, "endpoint" if frame else "none", call=call)


def or_definition(place: BlamedLine, segment: Segment, exchange: Exchange | None) -> BlamedLine:
    """The place; where it has no line, the `def` of the endpoint or of the background task, with the library's call."""
    frame = _definition(segment, exchange) if place.frame is None else None
    if frame is None:
        return place
    evidence: Evidence = "call" if place.evidence == "call" else "endpoint"
    return place._replace(frame=frame, evidence=evidence, call=place.call or library_call(place.stack))


def definition(place: BlamedLine, exchange: Exchange | None) -> BlamedLine:
    """The place; where it has no line, the `def` of the endpoint: a thread ran it, and was not seen while it did."""
    defined = exchange.defined if exchange is not None and place.frame is None else None
    if defined is None:
        return place
    return BlamedLine(_at_def(defined), place.stack, "endpoint")


def _definition(segment: Segment, exchange: Exchange | None) -> Frame | None:
    if exchange is None:
        return None
    frame = exchange.defined
    if exchange.phase_at(segment.began) is Phase.BACKGROUND:
        frame = next((task.defined for task in exchange.tasks if _overlaps(segment, task.began, task.ended)), frame)
    return frame and _at_def(frame)


def _at_def(frame: Frame) -> Frame:
    return frame._replace(line=def_line(frame.file, frame.line, frame.function))


def _overlaps(segment: Segment, began: int | None, ended: int | None) -> bool:
    return began is not None and began < segment.ended and (ended is None or segment.began < ended)


def _library(stack: Stack) -> str | None:
    """The function that the framework called, by its public name; the framework's own where it called none."""
    inner = [frame.name for frame in _inside(stack) if frame.name is not None and not is_on_the_way(frame.name)]
    return next((name for name in reversed(inner) if not is_plumbing(name)), inner[0] if inner else None)


def library_call(stack: Stack) -> str | None:
    """What a library was asked for, where no line of the user's asked: the function next to the framework."""
    return _client(stack) or _library(stack)


def _client(stack: Stack) -> str | None:
    """The outermost function of a library that is known to wait: `InstrumentedAttribute.__get__` of a lazy relation."""
    waits = [frame.name for frame in _inside(stack) if (entry := known(frame.name)) is not None and not entry.cpu]
    return waits[-1] if waits else None


def _inside(stack: Stack) -> Iterable[Frame]:
    for frame in stack:
        if frame.user or frame.asgi:
            return
        yield frame


def _hands_on(frame: Frame) -> bool:
    """Whether the line is that of a middleware of the user's that awaits the app inside of it."""
    return frame.asgi and re.search(_AWAITS_APP, source_line(frame.file, frame.line) or "") is not None


def _is_first_use(stack: Stack) -> bool:
    return any(part in frame.file and name in ("", frame.function) for frame in stack for part, name in _FIRST_USE)

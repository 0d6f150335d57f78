"""From the stalls of one run to its findings: pure functions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from pytest_noblock.calls import written
from pytest_noblock.calls.known import known
from pytest_noblock.calls.names import source_line
from pytest_noblock.judge import advice
from pytest_noblock.judge.cpu_lines import library_call
from pytest_noblock.judge.where import where as where_of
from pytest_noblock.model.finding import Finding, Waiter
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.kinds import KINDS, Kind, StallKind
from pytest_noblock.model.observation import Phase
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.units import words
from pytest_noblock.model.where import Where

Key = tuple[Kind, Phase, str | None, int | str | None]
"""Findings of two runs with the same key are the same: kind, phase, and a place as `KindRow.identity` says."""

Shown = Callable[[str], str]
"""Takes the absolute name of a file and returns the name that reports show, relative to rootdir."""

_Group = tuple[StallKind, Phase, tuple[str, int] | None]
"""Kind, phase, and (file, line), None where no line was caught. The stalls of one group become one finding."""


def findings(found: Iterable[Stall], shown: Shown, *, advised: bool = True) -> list[Finding]:
    """One finding for each kind, phase and line, the longest first.

    `advised`: with what to write instead, which takes a look at the source. No note says it.
    """
    groups: defaultdict[_Group, list[Stall]] = defaultdict(list)
    for stall in found:
        frame = stall.place.frame
        groups[stall.kind, stall.phase, (frame.file, frame.line) if frame else None].append(stall)
    _join_parts(groups)
    _join_unseen(groups)
    return sorted(
        (_finding(group, shown, advised=advised) for group in groups.values()), key=lambda each: -each.blocked_ns
    )


def _join_parts(groups: dict[_Group, list[Stall]]) -> None:
    """Moves the stalls of a kind with `KindRow.part_of` to the other kind, where that has stalls at the same line."""
    for kind, phase, where in list(groups):
        whole = KINDS[kind].part_of
        stalls = groups.get((whole, phase, where)) if whole is not None and where is not None else None
        if whole is not None and stalls:
            parts = groups.pop((kind, phase, where))
            stalls.extend(each._replace(kind=whole, place=stalls[0].place, rule=stalls[0].rule) for each in parts)


_MUCH_LONGER = 2
"""A stretch that nobody saw is another one than those that were seen, where it is so many times longer. Chosen: the
pieces of one stream took 45 to 53 ms each."""


def _join_unseen(groups: dict[_Group, list[Stall]]) -> None:
    """A stretch that no look met is put down to the line that the same request was seen at in its other stretches.

    On a busy machine the watchdog gets no turn in one of a hundred pieces of a stream: it is no finding of its own.
    """
    for kind, phase, where in list(groups):
        unseen = groups[kind, phase, where]
        others = [each for (*same, _), each in groups.items() if same == [kind, phase] and each is not unseen]
        seen = [each for each in others if not all(stall.place.unseen for stall in each)]
        if seen and all(stall.place.unseen for stall in unseen):
            longest = max(seen, key=lambda each: max(stall.blocked_ns for stall in each))
            worst = max(longest, key=lambda stall: stall.blocked_ns)
            if max(stall.blocked_ns for stall in unseen) <= _MUCH_LONGER * worst.blocked_ns:
                longest.extend(each._replace(place=worst.place) for each in groups.pop((kind, phase, where)))


def _finding(group: Sequence[Stall], shown: Shown, *, advised: bool) -> Finding:
    worst = max(group, key=lambda stall: stall.blocked_ns)
    place, frame = worst.place, worst.place.frame
    call = _call(place)
    code = source_line(frame.file, frame.line) if frame else None
    where = _shown(where_of(worst), shown) if advised or frame is None else Where(None)
    return Finding(
        kind=worst.kind,
        phase=worst.phase,
        blocked_ns=worst.blocked_ns,
        cpu=worst.cpu,
        asleep=worst.asleep,
        count=len(group),
        file=shown(frame.file) if frame else None,
        line=frame.line if frame else None,
        function=frame.written_in if frame else None,
        code=code,
        call=call,
        replacement=_advice(worst, call, where, code) if advised else "",
        confirmed=False,
        evidence=place.evidence,
        stalls=tuple((stall.began, stall.ended) for stall in group),
        stack=tuple(each.named(shown(each.file)) for each in place.stack),
        syscall=place.syscall,
        reason=worst.proof,
        pool=worst.pool,
        waiter=_waiter(worst.waiter.frame, shown) if worst.waiter and worst.waiter.frame else None,
        rule=worst.rule,
        readings=worst.readings,
        parts=tuple(part._replace(frame=part.frame.named(shown(part.frame.file))) for part in worst.parts),
        served=_served(where, frame),
        role=where.role,
        requests=worst.requests,
        doubt=_doubt(worst),
    )


def _doubt(worst: Stall) -> str | None:
    if not worst.is_open:
        return None
    from pytest_noblock.judge import open_waits  # only on a busy machine

    return open_waits.told(worst)


def _advice(worst: Stall, call: str | None, where: Where, code: str | None) -> str:
    by_framework = worst.place.evidence == "endpoint"
    return advice.replacement(call, worst.kind, where=where, code=code, by_framework=by_framework, held=worst.held)


def _call(place: BlamedLine) -> str | None:
    frame = place.frame
    call = place.call or (frame.call if frame else library_call(place.stack))
    if place.evidence == "hot loop" and not _is_loop(call, frame):
        return None  # the loop computed, and not what its first line happens to call
    return call


def _is_loop(call: str | None, frame: Frame | None) -> bool:
    """Whether the call that a hot line makes is what computes: a known one, or `sum` of a generator expression."""
    if call is None or frame is None or known(call) is not None:
        return known(call) is not None
    return written.consumes(frame.file, frame.line, call)


def _served(where: Where, frame: Frame | None) -> str | None:
    """Where the endpoint's `def` stands for a library's middleware, that is said; else only where no line is known."""
    return where.served if frame is None or where.middleware else None


def _shown(where: Where, shown: Shown) -> Where:
    """With the names of files that reports show; what is one frame stays one."""
    line = where.line and where.line.named(shown(where.line.file))
    coroutine = line if where.here else where.coroutine and where.coroutine.named(shown(where.coroutine.file))
    thing = line if where.thing is where.line else where.thing and where.thing.named(shown(where.thing.file))
    callee = line if where.callee is where.line else where.callee and where.callee.named(shown(where.callee.file))
    return where._replace(line=line, coroutine=coroutine, thing=thing, callee=callee)


def _waiter(frame: Frame, shown: Shown) -> Waiter:
    return Waiter(shown(frame.file), frame.line, frame.written_in, source_line(frame.file, frame.line))


def one_for_each_line(found: Sequence[Finding]) -> list[Finding]:
    """A line that computes and makes a round trip is one finding, of the kind that always fails, with both remedies."""
    trips = {_line(each): each for each in found if each.kind == "sync-network" and _line(each)}
    joined = {id(trip): trip for trip in trips.values()}
    gone = set()
    for each in found:
        trip = trips.get(_line(each)) if each.kind == "cpu" else None
        if trip is not None:
            joined[id(trip)] = _with_cpu(joined[id(trip)], each)
            gone.add(id(each))
    return [joined.get(id(each), each) for each in found if id(each) not in gone]


def _line(finding: Finding) -> tuple[Phase, str, int | None] | None:
    """The finding's line; None where its `def` only stands for it."""
    if finding.file is None or finding.evidence == "endpoint":
        return None
    return finding.phase, finding.file, finding.line


def _with_cpu(trip: Finding, finding: Finding) -> Finding:
    """Either may have the CPU of both: counters give a line all that it computed."""
    cpu, asleep = max(trip.cpu, finding.cpu), max(trip.asleep, finding.asleep)
    computes = f"for the {words(finding.cpu)} that the line computes {finding.replacement}"
    return replace(
        trip, blocked_ns=cpu + asleep, cpu=cpu, asleep=asleep, replacement=f"{trip.replacement}; and {computes}"
    )


def key(finding: Finding) -> Key:
    match KINDS[finding.kind].identity:
        case "line":
            return finding.kind, finding.phase, finding.file, finding.line
        case "function":
            return finding.kind, finding.phase, finding.file, finding.function
        case "pool":
            return finding.kind, finding.phase, finding.pool, None
        case "task":
            return finding.kind, finding.phase, None, finding.call
        case unknown:
            assert_never(unknown)

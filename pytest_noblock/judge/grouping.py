"""From the stalls of one run to the findings, the waits of probes and the notes of a check: pure functions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from pytest_noblock.calls import written
from pytest_noblock.calls.known import known
from pytest_noblock.calls.names import source_line
from pytest_noblock.judge import advice
from pytest_noblock.judge.cpu_lines import library_call
from pytest_noblock.judge.where import where as where_of
from pytest_noblock.model.check import ProbeWaits
from pytest_noblock.model.finding import Almost, Finding, Waiter
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.kinds import KINDS, Kind, StallKind
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Observation, Phase, Probe
from pytest_noblock.model.stall import Stall
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
    place = worst.place
    frame = place.frame
    call = place.call or (frame.call if frame else library_call(place.stack))
    if place.evidence == "hot loop" and not _is_loop(call, frame):
        call = None  # the loop computed, and not what its first line happens to call
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
        replacement=advice.replacement(
            call, worst.kind, where=where, code=code, by_framework=place.evidence == "endpoint", held=worst.held
        )
        if advised
        else "",
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
    )


def _is_loop(call: str | None, frame: Frame | None) -> bool:
    """Whether the call that a hot line makes is what computes: a known one, or `sum` of a generator expression."""
    if call is None or frame is None or known(call) is not None:
        return known(call) is not None
    return written.consumes(frame.file, frame.line, call)


def _served(where: Where, frame: Frame | None) -> str | None:
    """Where the endpoint's `def` stands for a library's middleware, that is said; else only where no line is known."""
    return where.served if frame is None or where.middleware else None


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


def _shown(where: Where, shown: Shown) -> Where:
    """With the names of files that reports show; what is one frame stays one."""
    line = where.line and where.line.named(shown(where.line.file))
    coroutine = line if where.here else where.coroutine and where.coroutine.named(shown(where.coroutine.file))
    thing = line if where.thing is where.line else where.thing and where.thing.named(shown(where.thing.file))
    return where._replace(line=line, coroutine=coroutine, thing=thing)


def _waiter(frame: Frame, shown: Shown) -> Waiter:
    return Waiter(shown(frame.file), frame.line, frame.written_in, source_line(frame.file, frame.line))


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


def probe_waits(observation: Observation, found: Sequence[Finding]) -> tuple[ProbeWaits, ...]:
    """How long the probes of each path waited, and how many waited for a finding; in the order of the first probes."""
    by_path: defaultdict[str, list[Probe]] = defaultdict(list)
    for probe in observation.probes:
        by_path[probe.path].append(probe)
    return tuple(
        ProbeWaits(
            path,
            sent=len(probes),
            waited=_had_to_wait(probes, [finding for finding in found if _felt(finding, path)]),
            worst=max(probe.waited for probe in probes),
            alone=observation.alone.get(path, 0),
        )
        for path, probes in by_path.items()
    )


def _felt(finding: Finding, path: str) -> bool:
    """Whether a probe of this path can wait for the finding: a built-in probe needs no lock, and one pool at most."""
    if path.startswith("/"):
        return True
    return finding.waiter is None and finding.pool in (None, path)


def _had_to_wait(probes: Iterable[Probe], found: Iterable[Finding]) -> int:
    """How many probes were due in a stall of the findings and answered only after this stall."""
    stalls = [stall for finding in found for stall in finding.stalls]
    return sum(any(began <= each.due < ended <= each.answered for began, ended in stalls) for each in probes)


def notes(
    final: Sequence[Finding], found: Sequence[Finding], cold: Sequence[Finding], limits: Limits
) -> tuple[str, ...]:
    """What is worth knowing and fails nothing, one sentence each.

    `final`: the findings of the check. `found`: all findings of its run. `cold`: the findings of the warm-up.
    """
    known = {key(finding) for finding in final}
    places = {(finding.file, finding.line) for finding in final}
    told = [each for each in found if each.file or _breaks(each, limits)]
    rest = [each for each in told if key(each) not in known and (each.file, each.line) not in places]
    gone = [each for each in cold if key(each) not in known and (each.file, each.line) not in places]
    return tuple(dict.fromkeys([*map(_cold, gone), *(_note(each, limits) for each in rest)]))


def almost(
    final: Sequence[Finding], found: Sequence[Finding], cold: Sequence[Finding], limits: Limits
) -> tuple[Almost, ...]:
    """What is near enough to be a finding in the next run; arguments as of `notes`."""
    known = {key(finding) for finding in final}
    near = (each for each in (*found, *cold) if key(each) not in known and _is_near(each, limits))
    shown = (Almost(each.kind, each.file, each.function, each.code, each.call, each.blocked_ns) for each in near)
    shared = (part for each in final for part in _shares(each, limits))
    return tuple(dict.fromkeys((*shown, *shared)))


def _shares(finding: Finding, limits: Limits) -> Iterator[Almost]:
    """The lines of the finding's step that took half of the limit, or more; none where only its own did."""
    long = [part for part in finding.parts if 2 * part.blocked_ns >= limits.max_block]
    if all((part.frame.file, part.frame.line) == (finding.file, finding.line) for part in long):
        return
    for part in long:
        over = round(part.blocked_ns / limits.max_block, 2) if part.counted else 0.0
        place = part.frame.file, part.frame.written_in, None, part.frame.call
        yield Almost(finding.kind, *place, part.blocked_ns, part=True, over=over)


def _is_near(finding: Finding, limits: Limits) -> bool:
    return KINDS[finding.kind].always or 2 * finding.blocked_ns >= limits.max_block


def said(finding: Finding) -> str:
    """The beginning of a note that the summary tells."""
    return f"{UNSETTLED}{_what(finding)}"


def _what(finding: Finding) -> str:
    return f"{finding.kind}, {words(finding.blocked_ns)} at {finding.place}"


def _note(finding: Finding, limits: Limits) -> str:
    what = _what(finding)
    if finding.phase is Phase.APP and finding.reason is None:
        open_end = UNSETTLED if _breaks(finding, limits) else ""
        return f"{open_end}{what}: the app ran it while no request was under way"
    if _breaks(finding, limits):
        return f"{UNSETTLED}{what}: did not come again, or could not be told from the machine's doing; not counted"
    return f"{what}: under the limit of {words(limits.max_block)}"


def _breaks(finding: Finding, limits: Limits) -> bool:
    return KINDS[finding.kind].always or finding.blocked_ns >= limits.max_block


def _cold(finding: Finding) -> str:
    if KINDS[finding.kind].always:  # what is kept now may be asked for again: a cache runs out, a connection is closed
        return f"{UNSETTLED}{finding.kind}, {words(finding.blocked_ns)} at {finding.place}, in the first request only"
    return f"cold: {finding.kind}, {words(finding.blocked_ns)} at {finding.place}, the first time only"

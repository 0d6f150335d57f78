"""From the stalls of the runs to the findings of a check: pure functions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pytest_noblock.calls.known import known
from pytest_noblock.calls.names import source_line
from pytest_noblock.judge import advice
from pytest_noblock.model.finding import Finding, ProbeWaits, Waiter
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Observation, Phase, Probe
from pytest_noblock.model.stall import ALWAYS, Stall
from pytest_noblock.model.units import words

Key = tuple[str, str, str | None, int | str | None]
"""What makes two stalls of two runs the same: kind, phase, file and line (of a loop that burns CPU, the function)."""


Shown = Callable[[str], str]
"""A file as reports show it."""


def findings(found: Iterable[Stall], shown: Shown) -> list[Finding]:
    """One finding for each kind, phase and line, worst first."""
    groups: defaultdict[tuple[object, ...], list[Stall]] = defaultdict(list)
    for stall in found:
        frame = stall.place.frame
        groups[stall.kind, stall.phase, frame and (frame.file, frame.line)].append(stall)
    _join_waits(groups)
    return sorted((_finding(group, shown) for group in groups.values()), key=lambda each: -each.blocked_ns)


def _join_waits(groups: dict[tuple[object, ...], list[Stall]]) -> None:
    """A line that makes a round trip sleeps for its answer: that is not a second thing."""
    for kind, *where in list(groups):
        trips = groups.get(("sync-network", *where))
        if kind == "sync-io" and where[-1] is not None and trips:
            waits = groups.pop((kind, *where))
            trips.extend(each._replace(kind="sync-network", place=trips[0].place) for each in waits)


def _finding(group: Sequence[Stall], shown: Shown) -> Finding:
    worst = max(group, key=lambda stall: stall.blocked_ns)
    place = worst.place
    frame = place.frame
    call = frame.call if frame else None
    if place.evidence == "hot loop" and known(call) is None:
        call = None  # it was the loop, not what its first line happens to call
    code = source_line(frame.file, frame.line) if frame else None
    return Finding(
        kind=worst.kind,
        phase=worst.phase,
        blocked_ns=worst.blocked_ns,
        cpu=worst.cpu,
        asleep=worst.asleep,
        count=len(group),
        file=shown(frame.file) if frame else None,
        line=frame.line if frame else None,
        function=frame.function if frame else None,
        code=code,
        call=call,
        replacement=advice.replacement(call, worst.kind, background=worst.phase is Phase.BACKGROUND, code=code),
        confirmed=False,
        evidence=place.evidence,
        stalls=tuple((stall.began, stall.ended) for stall in group),
        stack=tuple(each.named(shown(each.file)) for each in place.stack),
        syscall=place.syscall,
        reason=worst.proof,
        pool=worst.pool,
        waiter=_waiter(worst.waiter.frame, shown) if worst.waiter and worst.waiter.frame else None,
    )


def _waiter(frame: Frame, shown: Shown) -> Waiter:
    return Waiter(shown(frame.file), frame.line, frame.function, source_line(frame.file, frame.line))


def key(finding: Finding) -> Key:
    if finding.kind == "pool-starved":  # one pool, many workers: most of them may sit here or there
        return finding.kind, finding.phase, finding.pool, None
    where = finding.function if finding.kind == "cpu" else finding.line
    return finding.kind, finding.phase, finding.file, where


def confirmed(first: Sequence[Finding], again: Sequence[Sequence[Finding]], *, needed: int) -> list[Finding]:
    """The findings that came at the same line in `needed` of the runs, as the later runs name them.

    `first` ran without line counters: its times are the true ones, its lines may be
    unknown. A `cpu` finding must stand there, for the counters themselves burn CPU.
    """
    runs = [{key(finding): finding for finding in run} for run in again]
    candidates = {each: finding for run in reversed(runs) for each, finding in run.items()}
    result = []
    for each, exact in candidates.items():
        before = _matching(first, exact)
        times = sum(each in run for run in runs) + (before is not None)
        if times >= needed and (before is not None or exact.kind != "cpu"):
            result.append(_merged(before, exact))
    return sorted(result, key=lambda finding: -finding.blocked_ns)


def came_again(first: Sequence[Finding], again: Sequence[Sequence[Finding]]) -> list[Finding]:
    """The findings of the first run that a later one shows as well."""
    later = sorted((finding for run in again for finding in run), key=lambda finding: finding.file is None)
    pairs = [(finding, next((each for each in later if _same(finding, each)), None)) for finding in first]
    return [replace(finding if finding.file else match, confirmed=True) for finding, match in pairs if match]


def _same(finding: Finding, other: Finding) -> bool:
    """At the same place, or of the same kind where one's line was not caught."""
    vague = finding.file is None or other.file is None
    return key(finding) == key(other) or (vague and (finding.kind, finding.phase) == (other.kind, other.phase))


def _matching(first: Sequence[Finding], exact: Finding) -> Finding | None:
    """The first run's finding of the same place, or of the same kind where the line was not caught or not sure."""
    same = [each for each in first if (each.kind, each.phase) == (exact.kind, exact.phase)]
    exactly = [each for each in same if key(each) == key(exact)]
    vague = [each for each in same if each.file is None or (exact.kind == "cpu" and each.evidence == "sample")]
    return next(iter(exactly + vague), None)


def _merged(before: Finding | None, exact: Finding) -> Finding:
    if before is None:
        return replace(exact, confirmed=True)
    if exact.kind == "cpu":
        exact = replace(exact, blocked_ns=before.blocked_ns, cpu=before.cpu, asleep=before.asleep, count=before.count)
        if exact.evidence == "hot loop" and before.function == exact.function:  # a look tells the line of a loop better
            exact = replace(exact, line=before.line, code=before.code, call=before.call, stack=before.stack)
    if key(before) == key(exact):
        exact = replace(exact, count=before.count)
    return replace(exact, stalls=before.stalls, syscall=exact.syscall or before.syscall, confirmed=True)


def probe_waits(observation: Observation, found: Sequence[Finding]) -> tuple[ProbeWaits, ...]:
    """How each probe path fared beside these findings; the slowest path first."""
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
    """Whether a probe can feel it: the built-in ones hold nothing, and each needs but one pool or none."""
    if path.startswith("/"):
        return True
    return finding.kind != "contention" and finding.pool in (None, path)


def _had_to_wait(probes: Iterable[Probe], found: Iterable[Finding]) -> int:
    """How many fell due while the loop was held, or what they needed, and were answered only afterwards."""
    stalls = [stall for finding in found for stall in finding.stalls]
    return sum(any(began <= each.due < ended <= each.answered for began, ended in stalls) for each in probes)


def notes(
    final: Sequence[Finding], found: Sequence[Finding], cold: Sequence[Finding], limits: Limits
) -> tuple[str, ...]:
    """What is worth knowing and fails nothing."""
    known = {key(finding) for finding in final}
    places = {(finding.file, finding.line) for finding in final}
    rest = [each for each in found if each.file and key(each) not in known and (each.file, each.line) not in places]
    gone = [each for each in cold if key(each) not in known and (each.file, each.line) not in places]
    return tuple(dict.fromkeys([*map(_cold, gone), *(_note(each, limits) for each in rest)]))


def _note(finding: Finding, limits: Limits) -> str:
    what = f"{finding.kind}, {words(finding.blocked_ns)} at {finding.place}"
    if finding.kind in ALWAYS or finding.blocked_ns >= limits.max_block:
        return f"{what}: did not come again, or could not be told from the machine's doing; not counted"
    return f"{what}: under the limit of {words(limits.max_block)}"


def _cold(finding: Finding) -> str:
    return f"cold: {finding.kind}, {words(finding.blocked_ns)} at {finding.place}, the first time only"

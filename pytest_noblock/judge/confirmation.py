"""Which findings of a first run come again in later runs: pure functions. Only the fixture sends a request again.

The first run has no counters at the user lines. So its times are the true ones, and its lines may be unknown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_noblock.calls.known import known
from pytest_noblock.judge.attribution import key_of
from pytest_noblock.judge.gil_waits import is_lost_in_queue, looks_like_gil_wait, threads_computed
from pytest_noblock.judge.grouping import Key, key
from pytest_noblock.judge.repeats import Repeat
from pytest_noblock.model.finding import Finding, Part
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.stall import Stall

_UNCERTAIN = ("sample", "endpoint")
"""Evidence that may name another function in the next run."""


def is_sleep_of_its_own(stall: Stall) -> bool:
    """Whether a stall of a run with counters counts: no sleep that may have been the machine's, or waits for the GIL.

    Such a sleep comes again in each run of a request that computes beside a thread of its own, on a machine where both
    wait long for a processor.
    """
    if stall.kind != "sync-io" or stall.sure:
        return True
    return not (is_lost_in_queue(stall.asleep, stall.readings.queued) or _may_be_gil_waits(stall))


def is_in_doubt(stall: Stall, limits: Limits) -> bool:
    """Whether the machine alone may have made it break the limits: those that it waited for had no processor."""
    return stall.in_doubt > 0 and stall.blocked_ns - stall.in_doubt < limits.max_block


def is_short_where_in_doubt(stall: Stall, first: Iterable[Stall], limits: Limits) -> bool:
    """Whether a sleep of a later run, at a line whose sleeps the first run left in doubt, is under the limit.

    By the meter the first run is under the limit there: what is a little under it has not come again, and the CPU of a
    run with counters is not the app's alone.
    """
    lines = {key_of(each.place) for each in first if each.is_open}
    short = stall.asleep - stall.in_doubt < limits.max_block
    return stall.kind == "sync-io" and key_of(stall.place) in lines and short


def _may_be_gil_waits(stall: Stall) -> bool:
    read = stall.readings
    if not read.switches or read.others_cpu is None:
        return False
    return looks_like_gil_wait(read.switches, stall.asleep) and threads_computed(read.others_cpu, stall.asleep)


def may_show_more(
    repeat: Repeat, first: Sequence[Finding], again: Sequence[Sequence[Finding]], so_far: Sequence[Finding]
) -> bool:
    """Whether one more run may add to the findings that are confirmed `so_far`. `again`: those of each later run."""
    return len(again) < repeat.needed - 1 or len(so_far) < max(len(first), len(again[0]))


def confirmed(first: Sequence[Finding], again: Sequence[Sequence[Finding]], *, needed: int) -> list[Finding]:
    """The findings that `needed` of the runs show at the same line, as the later runs name it; the longest first.

    The later runs have a lower bar, and counters, which take time. So what the limit decides counts only where the
    first run shows it as well; a kind to which counters add time at that place, any other kind at any line.
    """
    runs = [{key(finding): finding for finding in reversed(run)} for run in again]  # the longest of each key
    candidates = {place: finding for run in reversed(runs) for place, finding in run.items()}
    first = [each for each in first if each.doubt is None or key(each) in candidates]
    result = []
    for exact in candidates.values():
        before = _matching(first, exact)
        if before is not None and key(before) != key(exact) and key(before) in candidates:
            before = None  # it is another one: what came again at its own place came but once
        times = sum(_shows(run, exact) for run in runs) + (before is not None)
        if times >= needed and (before is not None or _needs_no_limit(exact) or _moved(exact, first, runs)):
            result.append(_merged(before, exact) if before else _in_first_run(exact, first, runs))
    return sorted(result, key=lambda finding: -finding.blocked_ns)


def _needs_no_limit(finding: Finding) -> bool:
    return KINDS[finding.kind].always


def _moved(exact: Finding, first: Sequence[Finding], runs: Sequence[dict[Key, Finding]]) -> bool:
    """Whether the first run may have shown the finding at a wrong line, which no later run shows."""
    if KINDS[exact.kind].counters_add_to_it:
        return False
    same = [each for each in first if (each.kind, each.phase) == (exact.kind, exact.phase)]
    return any(all(key(each) not in run for run in runs) for each in same)


def _in_first_run(exact: Finding, first: Sequence[Finding], runs: Sequence[dict[Key, Finding]]) -> Finding:
    """A finding of the later runs, which the first run shows otherwise: at a wrong line, or as another kind.

    The moments are those of the first run: its probes waited then.
    """
    others = [each for each in first if each.phase == exact.phase and all(key(each) not in run for run in runs)]
    ranked = sorted(others, key=lambda each: (_place(each) != _place(exact), each.kind != exact.kind))
    shown = next((each for each in ranked if 2 * each.blocked_ns >= exact.blocked_ns), exact)
    return replace(exact, stalls=shown.stalls, count=shown.count, confirmed=True)


def _place(finding: Finding) -> tuple[str | None, int | None]:
    return finding.file, finding.line


def open_after(first: Sequence[Finding], confirmed: Sequence[Finding]) -> list[Finding]:
    """The findings of the first run that have a line and are not among the confirmed ones."""
    known, before = {key(each) for each in confirmed}, {key(each) for each in first}
    moved = {(each.kind, each.phase) for each in confirmed if key(each) not in before}  # the same, at a better line
    return [each for each in first if each.file and key(each) not in known and (each.kind, each.phase) not in moved]


def all_came_again(first: Sequence[Finding], again: Sequence[Sequence[Finding]]) -> bool:
    """Whether the later runs show each finding of the first run again, and its line is known."""
    return sum(finding.file is not None and not _has_def(finding) for finding in came_again(first, again)) == len(first)


def came_again(first: Sequence[Finding], again: Sequence[Sequence[Finding]]) -> list[Finding]:
    """The findings of the first run that a later run shows as well.

    Where the first run does not know a line, the finding of the later run takes its place; so does one that two later
    runs show at another line than the first.
    """
    later = sorted((finding for run in again for finding in run), key=_is_vague)
    pairs = [(finding, next((each for each in later if _same(finding, each)), None)) for finding in first]
    result = [
        replace(_better(finding, match), stalls=finding.stalls, count=finding.count, confirmed=True)
        for finding, match in pairs
        if match
    ]
    return [*result, *_at_another_line([finding for finding, match in pairs if not match], again)]


def _at_another_line(alone: Sequence[Finding], again: Sequence[Sequence[Finding]]) -> list[Finding]:
    """What two later runs show, and the first run may have shown too late, at a line after the one that did it."""
    kinds = {(finding.kind, finding.phase) for finding in alone if KINDS[finding.kind].identity == "line"}
    *earlier, last = again or [()]
    before = {key(finding) for run in earlier for finding in run}
    moved = [each for each in last if (each.kind, each.phase) in kinds and each.file and key(each) in before]
    return [_in_first_run(finding, alone, ()) for finding in moved]


def _same(finding: Finding, other: Finding) -> bool:
    """Whether both are at the same place. Where one has no line: whether both have the same kind and phase."""
    vague = _is_vague(finding) or _is_vague(other)
    return key(finding) == key(other) or (vague and (finding.kind, finding.phase) == (other.kind, other.phase))


def _is_vague(finding: Finding) -> bool:
    """Whether its line is unknown, or stands for that of a thread which kept the GIL: nobody saw where that was."""
    return finding.file is None or (finding.kind == "gil" and finding.evidence == "await") or _has_def(finding)


def _has_def(finding: Finding) -> bool:
    """Whether nobody saw where the thread was which kept the GIL, nor who awaits it: the endpoint's `def` stands there.

    The next run mostly shows the line.
    """
    return finding.kind == "gil" and finding.evidence == "endpoint"


def _better(finding: Finding, match: Finding) -> Finding:
    """That of the two whose line says more."""
    if finding.file is None or (_is_vague(finding) and not _is_vague(match)):
        return match
    return finding


def _matching(first: Sequence[Finding], exact: Finding) -> Finding | None:
    """The finding of the first run at the same place; else one of the same kind and phase without a certain line."""
    same = [each for each in first if (each.kind, each.phase) == (exact.kind, exact.phase)]
    exactly = [each for each in same if key(each) == key(exact)]
    vague = [each for each in same if each.file is None or _may_be_the_same(each, exact)]
    return next(iter(exactly + vague), None)


def _may_be_the_same(finding: Finding, other: Finding) -> bool:
    """Whether two runs may have named two lines for one computation: of a loop, or of a library below two functions."""
    if (finding.kind, finding.phase) != (other.kind, other.phase) or KINDS[other.kind].identity != "function":
        return False
    return finding.evidence in _UNCERTAIN or other.evidence == "endpoint"


def _shows(run: Mapping[Key, Finding], exact: Finding) -> bool:
    return key(exact) in run or any(_may_be_the_same(each, exact) for each in run.values())


def _merged(before: Finding, exact: Finding) -> Finding:
    """The finding of the later run; where counters add time to its kind, with the times of the first run."""
    longer_before = before.blocked_ns > exact.blocked_ns and key(before) == key(exact) and before.doubt is None
    if longer_before or KINDS[exact.kind].counters_add_to_it:
        exact = _as_in_first_run(before, exact)
    if key(before) == key(exact):
        exact = replace(exact, count=before.count)
    if _saw_the_call(before, exact) or _saw_no_call(before, exact):
        exact = replace(exact, call=before.call, replacement=before.replacement, reason=before.reason)
    return replace(exact, stalls=before.stalls, syscall=exact.syscall or before.syscall, confirmed=True)


def _saw_the_call(before: Finding, exact: Finding) -> bool:
    """Whether the first run saw which call of the line took long. Counters know the line alone, which may have two."""
    same = (before.file, before.line, exact.evidence) == (exact.file, exact.line, "line counters")
    seen = before.call is not None and before.evidence in ("call", "sample")
    return same and seen and (known(before.call) is not None or known(exact.call) is None)


def _saw_no_call(before: Finding, exact: Finding) -> bool:
    """Whether looks met the line outside of its calls: `items[len(rows) :] = (n * n for n in rows)` computes itself."""
    same = (before.file, before.line, before.evidence) == (exact.file, exact.line, "sample")
    return same and before.kind == "cpu" and before.call is None and known(exact.call) is None


def _counted(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """They, where each line's share was accounted for: the looks of the first run only share out a whole."""
    return parts if any(part.counted for part in parts) else ()


def _as_in_first_run(before: Finding, exact: Finding) -> Finding:
    exact = replace(
        exact,
        blocked_ns=before.blocked_ns,
        cpu=before.cpu,
        asleep=before.asleep,
        count=before.count,
        readings=before.readings,
        parts=_counted(exact.parts) or before.parts,
    )
    samples_know_the_line = exact.evidence == "hot loop" and before.evidence == "sample"  # counters see a loop's cost
    samples_know_the_call = exact.evidence == before.evidence == "endpoint"  # counters name no function of a library
    if samples_know_the_line or samples_know_the_call:
        exact = replace(exact, call=before.call, replacement=before.replacement, stack=before.stack)
    if samples_know_the_line:
        exact = replace(exact, file=before.file, line=before.line, function=before.function, code=before.code)
    return exact

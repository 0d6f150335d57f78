"""How a failure reads: the line, the why, the harm, the remedy, in ten seconds (pure)."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, assert_never

from pytest_noblock.model.check import LOOP_HELD, SWEPT, Check, ProbeWaits, TaskRun
from pytest_noblock.model.finding import MOCKED, Evidence, Finding
from pytest_noblock.model.kinds import KINDS, is_background
from pytest_noblock.model.observation import LOOP, Phase
from pytest_noblock.model.shown import printable, without_secrets
from pytest_noblock.model.units import words
from pytest_noblock.report import evidence

_KERNEL_CALLS = {
    "poll": "for the network",
    "ppoll": "for the network",
    "recvfrom": "for the network",
    "recvmsg": "for the network",
    "connect": "for a connection",
    "futex": "for a lock",
    "wait4": "for a process",
    "waitid": "for a process",
    "clock_nanosleep": "in a sleep",
    "nanosleep": "in a sleep",
    "fsync": "for the disk",
    "fdatasync": "for the disk",
}
"""What the loop thread waits for in these calls of Linux; in all others it waits "in the kernel"."""

_QUICK_NS = 1_000_000
"""Ns. A round trip on one machine takes 0.03 to 0.3 ms: that says nothing of the time it takes in production."""

_MOST_PEERS = 2
"""The most connections that one line shows; `-vvv` shows all."""

_WHERE = {Phase.BACKGROUND: " in the background", Phase.DETACHED: " in detached work"}

_UNPROBED = "every other request of this worker waited meanwhile"
_AWAY = "in production the server is a network away, and every other request waits for it"
_IN_PRODUCTION = "in production every other request of this worker waits meanwhile"


class Place(NamedTuple):
    """The line of code and the kind: what is told in full once."""

    kind: str
    file: str
    line: int | None


def places(check: Check) -> set[Place]:
    """The places of the check's findings, but for faults of background tasks: each of these is its own test's."""
    return {place for finding in check.findings if (place := _place(finding)) is not None}


def _place(finding: Finding) -> Place | None:
    if finding.file is None or is_background(finding.kind):
        return None
    return Place(finding.kind, finding.file, finding.line)


def failure(
    check: Check,
    verbosity: int = 0,
    *,
    readings: bool = False,
    told: Mapping[Place, str] | None = None,
    has_baseline: bool = False,
) -> str:
    """The whole report of a check.

    `has_baseline`: whether the run has a list of known findings, which may take in this one.

    `told`: the places that were told in full before, and where: `in test_api.py::test_report`, `above`. A finding there
    is told in one line, unless somebody asks for more (`-v`).

    `verbosity` -1 (`-q`) gives the first line only; 1 (`-v`) adds the lines that shared in the stall and a timeline of
    the exchange, 2 (`-vv`) stacks and probes, 3 (`-vvv`) the readings behind each finding, and the notes. `readings`
    adds these at any verbosity.
    """
    readings = readings or verbosity >= 3
    known = told if told and verbosity < 1 and not readings else {}
    told_all = _failure(check, verbosity, known, readings=readings, has_baseline=has_baseline)
    lines = [printable(line) for line in told_all]
    return "\n".join(lines[:1] if verbosity < 0 else lines)


def _failure(
    check: Check, verbosity: int, told: Mapping[Place, str], *, readings: bool, has_baseline: bool
) -> Iterator[str]:
    if check.findings:
        yield from _findings(check, verbosity, told, readings=readings, has_baseline=has_baseline)
    else:
        yield f"{check.reason}: {_extent(check)}"
    if readings and check.notes:
        yield "  notes   seen, and fails nothing"
        yield from (f"            {note}" for note in check.notes)


def _extent(check: Check) -> str:
    """What an inconclusive check can say: where a background task raised, the request was measured up to there."""
    if check.reason is not None and LOOP_HELD in check.reason:
        return "every other request of this worker waited as long"
    raised = any(run.error is not None and run.response_complete_ms is not None for run in check.background)
    return "what ran until then blocked nobody" if raised else "nothing was measured"


def _findings(
    check: Check, verbosity: int, told: Mapping[Place, str], *, readings: bool, has_baseline: bool
) -> Iterator[str]:
    """First what is red; what is accepted beside that in one line, unless somebody asks for more."""
    known = {place: told[place] for place in places(check) if place in told}
    red = [each for each in check.findings if each.accepted is None]
    for finding in red or check.findings:
        place = _place(finding)
        if place in known:
            yield _again(check, finding, known[place])
            continue
        yield from _whole(check, finding, verbosity, readings=readings, has_baseline=has_baseline)
    for finding in [each for each in check.findings if each not in red] if red else ():
        if verbosity < 1:
            yield f"{headline(check, finding)}, {finding.kind} by {finding.place}: accepted, {finding.accepted}"
        else:
            yield from _whole(check, finding, verbosity, readings=readings, has_baseline=False)
    if verbosity >= 1 and any(_place(finding) not in known for finding in check.findings):
        yield from evidence.timeline(check)
    if verbosity >= 2:
        yield from evidence.probes(check)


def _whole(check: Check, finding: Finding, verbosity: int, *, readings: bool, has_baseline: bool) -> Iterator[str]:
    yield headline(check, finding)
    yield ""
    yield from _rows(check, finding, has_baseline=has_baseline)
    if verbosity >= 1 and finding.kind != "loop-total":
        yield from evidence.parts(finding)
    if readings:
        yield from evidence.readings(finding)
    if verbosity >= 2:
        yield from evidence.stack(finding)
    yield ""


def _again(check: Check, finding: Finding, where: str) -> str:
    """One line for a line of code that was told before."""
    return f"{headline(check, finding)}, {finding.kind} by {finding.place} in {finding.function}, as {where}"


def headline(check: Check, finding: Finding) -> str:
    """One line that survives an 80 column summary: verb, route, what happened, how much, limit."""
    if finding.kind == "background-missing" and not finding.call:
        return f"{check.request}: no background task was added"
    if finding.evidence == MOCKED:
        return f"{check.request} calls {finding.call or 'what blocks'} on the event loop (a mock answers it here)"
    row = KINDS[finding.kind]
    what = row.headline.format(time=words(finding.blocked_ns), pool=finding.pool, call=finding.call)
    if _is_quick(finding):
        times = "a synchronous network call" if finding.count == 1 else f"{finding.count} synchronous network calls"
        what = f"made {times}"
    if is_background(finding.kind):
        return f"{check.request}: {what}"
    if finding.phase is Phase.APP:
        return f"{check.request}: the app itself {what}{_limit(check, finding)}"
    where = _WHERE.get(finding.phase, "") if row.on_loop else ""
    return f"{check.request} {what}{where}{_limit(check, finding)}"


def _is_quick(finding: Finding) -> bool:
    """Whether it is a round trip whose time says nothing: what counts is that it was made."""
    return finding.kind == "sync-network" and finding.blocked_ns < _QUICK_NS and finding.evidence != MOCKED


def _limit(check: Check, finding: Finding) -> str:
    """What is allowed, in words: no round trip, however short; empty for a full pool, which is never allowed."""
    row = KINDS[finding.kind]
    if finding.kind == "loop-total":
        return f" (limit {words(check.max_total)})" if check.max_total else ""
    if row.always and not row.on_loop:
        return ""
    if row.always and finding.blocked_ns < check.limit:
        return " (no network allowed)"
    return f" (limit {words(check.limit)})"


def _background_rows(check: Check, finding: Finding) -> Iterator[str]:
    if finding.file:
        yield from _row("by", f"{finding.place} in {finding.function}")
        yield f"              {finding.code}"
    yield from _row("why", finding.reason or "not known")
    for run in check.background:
        yield from _row("when", _when(run))
    yield from _row("instead", finding.replacement)


def _when(run: TaskRun) -> str:
    """The times of the task, and of its response."""
    began = "never began" if run.began_ms is None else f"began {run.began_ms:.1f} ms"
    ended = "" if run.ended_ms is None else f", ended {run.ended_ms:.1f} ms"
    complete = "never" if run.response_complete_ms is None else f"{run.response_complete_ms:.1f} ms"
    return f"{run.name}({run.arguments}) {began}{ended}; response complete {complete}"


def _rows(check: Check, finding: Finding, *, has_baseline: bool) -> Iterator[str]:
    if is_background(finding.kind):
        yield from _background_rows(check, finding)
        yield from _of_baseline(finding, "accept", has_baseline=has_baseline)
        return
    yield from _total_rows(check, finding) if finding.kind == "loop-total" else _wait_rows(check, finding)
    yield from _row("accept", _acceptance(check, finding))
    yield from _of_baseline(finding, "or", has_baseline=has_baseline)
    if not finding.confirmed:
        yield from _row("seen", _once(check, finding))


def _total_rows(check: Check, finding: Finding) -> Iterator[str]:
    """The endpoint, what it adds up to, and the lines that took most of it."""
    yield from _row("by", finding.by)
    if finding.code:
        yield f"              {finding.code}"
    yield from _row("why", finding.reason or "not known")
    yield from evidence.parts(finding)
    rate = 1e9 / max(check.loop_ns, finding.blocked_ns)
    yield from _row(
        "harm", f"one worker can serve {rate:.{0 if rate >= 9.95 else 1}f} such requests per second, no more"
    )
    yield from _row("instead", finding.replacement)


def _wait_rows(check: Check, finding: Finding) -> Iterator[str]:
    yield from _row("by", finding.by)
    if finding.code:
        yield f"              {finding.code}"
    if finding.waiter is not None:
        yield from _row("waiter", f"{finding.waiter.place} in {finding.waiter.function}")
        yield f"              {finding.waiter.code}"
    for name in _during(check, finding):
        yield from _row("task", name)
    yield from _row("why", _why(finding))
    if finding.near is not None:
        yield from _row("near", finding.near)
    for harm in _harms(check, finding):
        yield from _row("harm", harm)
    yield from _row("instead", finding.replacement)


def _during(check: Check, finding: Finding) -> list[str]:
    """The background tasks that were running when the loop was held."""
    tasks = check.exchange.tasks if check.exchange else ()
    return [
        f"{task.name}({task.arguments})"
        for task in tasks
        if finding.phase is Phase.BACKGROUND
        and any((task.began or ended) < ended and began < (task.ended or ended) for began, ended in finding.stalls)
    ]


def _row(name: str, text: str) -> Iterator[str]:
    yield f"  {name:<7} {text}"


def _why(finding: Finding) -> str:
    if finding.evidence == MOCKED:
        return MOCKED
    if finding.reason is not None:
        return finding.reason
    times = f", {finding.count} times" if finding.count > 1 else ""
    if _is_quick(finding):
        return f"{_doing(finding)}: {_exchanged(finding)}{times}"
    split = f"asleep {words(finding.asleep)}, CPU {words(finding.cpu)}"
    return f"{_doing(finding)}: {'; '.join([split + times, *_carried(finding)])}"


def _exchanged(finding: Finding) -> str:
    """What went over the network, where the meter knows it, and that the time here is not the time there."""
    took = f"over in {words(finding.blocked_ns)} here" if finding.blocked_ns else "over at once here"
    return "; ".join([*_carried(finding), took])


def _carried(finding: Finding) -> list[str]:
    exchanged = finding.readings.exchanged if finding.readings and finding.kind == "sync-network" else ()
    return [
        f"{each.sent} bytes to {each.peer or 'a closed socket'}, {each.received} back"
        for each in exchanged[:_MOST_PEERS]
    ]


def _doing(finding: Finding) -> str:
    """What the thread did meanwhile."""
    where = f"in {finding.call}" if finding.call else _KERNEL_CALLS.get(finding.syscall or "", "in the kernel")
    if finding.kind == "cpu" and finding.call and finding.evidence == "endpoint":
        return f"computing {where}"  # the line is a `def`, and does not show it
    return KINDS[finding.kind].doing.format(where=where)


def _shown(probes: tuple[ProbeWaits, ...], finding: Finding) -> list[ProbeWaits]:
    """The probes that show the harm: the user's probes or, where there are none, those of the event loop.

    For a kind that shows in probes only: the probes that waited for half of the finding's time or longer.
    """
    if KINDS[finding.kind].confirmation == "probes again":
        return [probe for probe in probes if probe.waited and 2 * probe.worst >= finding.blocked_ns]
    users = [probe for probe in probes if probe.path.startswith("/")]
    return users or [probe for probe in probes if probe.path == LOOP]


def _harms(check: Check, finding: Finding) -> list[str]:
    if finding.evidence == MOCKED:
        return [_IN_PRODUCTION]
    waits = [_harm(probe) for probe in _shown(check.probes, finding)]
    if finding.kind == "sync-network" and finding.blocked_ns < check.limit:
        return [*(each for each in waits if not each.startswith("0 of")), _AWAY]
    return [*waits, *_meanwhile(check, finding)] or [_UNPROBED]


def _harm(probe: ProbeWaits) -> str:
    name = f"probes of GET {without_secrets(probe.path)}" if probe.path.startswith("/") else f"turns of {probe.path}"
    if not probe.waited:
        return f"0 of {probe.sent} {name} waited here; where the wait is long, all do"
    alone = f", worst {words(probe.worst)} (alone {words(probe.alone)})"
    return f"{probe.waited} of {probe.sent} {name} waited{alone}"


def _meanwhile(check: Check, finding: Finding) -> Iterator[str]:
    """How late the turns of the event loop were while the probes waited, to show that the loop was free."""
    turns = [
        probe.waited
        for probe in check.probe_runs
        if probe.path == LOOP and any(began <= probe.due < ended for began, ended in finding.stalls)
    ]
    if KINDS[finding.kind].confirmation == "probes again" and turns:
        yield f"none to the event loop: {len(turns)} turns meanwhile, the latest {words(max(turns))} late"


def _acceptance(check: Check, finding: Finding) -> str:
    """What accepts the finding. A route of a sweep has no test to decorate: a hook of conftest.py marks its item."""
    mark = f'pytest.mark.noblock_allow("reason", {_narrowed(finding)})'
    if check.id.startswith(SWEPT):
        return f"item.add_marker({mark}) in conftest.py's pytest_collection_modifyitems, for this item.nodeid"
    return f"@{mark}"


def _of_baseline(finding: Finding, name: str, *, has_baseline: bool) -> Iterator[str]:
    """How the list of known findings takes it in; of an entry that is out of date, that it is."""
    if finding.expired is not None:
        yield from _row("expired", f"the baseline accepted it up to {finding.expired}")
    elif has_baseline and finding.accepted is None:
        yield from _row(name, "--noblock-update-baseline, which makes it a known finding")


def _narrowed(finding: Finding) -> str:
    return f'call="{finding.call}"' if finding.call else f'kinds=["{finding.kind}"]'


def _once(check: Check, finding: Finding) -> str:
    """What an unconfirmed finding rests on, and how to confirm it."""
    hint = "; confirm=True sends the request again and names the exact line" if check.probes else ""
    return f"once, {_evidence(finding.evidence)}{hint}"


def _evidence(evidence: Evidence) -> str:  # noqa: C901, PLR0911  # one for each
    match evidence:
        case "call" | "known blocking call, answered by a mock":
            return "as the call was made"
        case "sample":
            return "by a look at the stack while it lasted"
        case "line counters" | "hot loop":
            return "by counters at every line"
        case "worker":
            return "by the stacks of the worker threads"
        case "await":
            return "by where its tasks waited"
        case "timeline":
            return "by the times of its task"
        case "endpoint":
            return "by the counters of the step; most of it lay outside of the user's lines"
        case "none":
            return "by the counters of the step alone"
        case _:
            assert_never(evidence)


def table(check: Check, finding: Finding) -> Iterator[tuple[str, str]]:
    """What stands below the headline, as pairs of a name and a text; a line of code has the name `code`."""
    for line in _rows(check, finding, has_baseline=False):
        yield line[2:9].strip() or "code", line[10:].strip()

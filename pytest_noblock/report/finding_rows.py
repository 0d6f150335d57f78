"""What is told of a finding below its headline, as pairs of a name and a text (pure). Every format shows these."""

from collections.abc import Iterator
from typing import assert_never

from pytest_noblock.model.check import SWEPT, Check, ProbeWaits, TaskRun
from pytest_noblock.model.finding import MOCKED, Evidence, Finding
from pytest_noblock.model.kinds import KINDS, is_background
from pytest_noblock.model.observation import LOOP, Phase
from pytest_noblock.model.shown import without_secrets
from pytest_noblock.model.units import words

Row = tuple[str, str]
"""A name, as `why`, and a text; a line of code has the name `code`."""

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

_SHORT_NS = 10_000_000
"""Ns. A round trip for which nobody slept: the answer came at once, and `asleep 0 ms` says nothing of it."""

_LONG_COLLECTION_NS = 10_000_000
"""Ns. A collection of the youngest objects takes 0.1 ms; one of all objects takes 50 ms and more in a process with
pytest and a web framework."""

_MOST_PEERS = 2
"""The most connections that one line shows; `-vvv` shows all."""

_UNPROBED = "every other request of this worker waited meanwhile"
_AWAY = "in production the server is a network away, and every other request waits for it"
_NOT_SERVING = "the worker serves nobody until that is over: it starts, or it stops"
_IN_PRODUCTION = "in production every other request of this worker waits meanwhile"

_MOST_PARTS = 5
"""The most lines of one turn that are shown."""


def finding_rows(check: Check, finding: Finding, *, has_baseline: bool = False) -> Iterator[Row]:
    """`has_baseline`: whether the run has a list of known findings, which may take in this one."""
    if is_background(finding.kind):
        yield from _background_rows(check, finding)
        yield from _of_baseline(finding, "accept", has_baseline=has_baseline)
        return
    yield from _total_rows(check, finding) if finding.kind == "loop-total" else _wait_rows(check, finding)
    yield ("accept", _acceptance(check, finding))
    yield from _of_baseline(finding, "or", has_baseline=has_baseline)
    if not finding.confirmed:
        yield ("seen", _once(check, finding))


def parts(finding: Finding) -> Iterator[Row]:
    """What else held the loop in the same turn, where several lines did."""
    for part in finding.parts[:_MOST_PARTS]:
        where = f"{part.frame.file}:{part.frame.line} in {part.frame.function}"
        yield "part", f"{words(part.blocked_ns)} by {where}"


def _background_rows(check: Check, finding: Finding) -> Iterator[Row]:
    if finding.file:
        yield ("by", f"{finding.place} in {finding.function}")
        yield "code", f"{finding.code}"
    yield ("why", finding.reason or "not known")
    for run in check.background:
        yield ("when", _when(run))
    yield ("instead", finding.replacement)


def _when(run: TaskRun) -> str:
    """The times of the task, and of its response."""
    began = "never began" if run.began_ms is None else f"began {run.began_ms:.1f} ms"
    ended = "" if run.ended_ms is None else f", ended {run.ended_ms:.1f} ms"
    complete = "never" if run.response_complete_ms is None else f"{run.response_complete_ms:.1f} ms"
    return f"{run.name}({run.arguments}) {began}{ended}; response complete {complete}"


def _total_rows(check: Check, finding: Finding) -> Iterator[Row]:
    """The endpoint, what it adds up to, and the lines that took most of it."""
    yield ("by", finding.by)
    if finding.code:
        yield "code", f"{finding.code}"
    yield ("why", finding.reason or "not known")
    yield from parts(finding)
    rate = 1e9 / max(check.loop_ns, finding.blocked_ns)
    yield ("harm", f"one worker can serve {rate:.{0 if rate >= 9.95 else 1}f} such requests per second, no more")
    yield ("instead", finding.replacement)


def _wait_rows(check: Check, finding: Finding) -> Iterator[Row]:
    yield ("by", finding.by)
    if finding.code:
        yield "code", f"{finding.code}"
    if finding.waiter is not None:
        yield ("waiter", f"{finding.waiter.place} in {finding.waiter.function}")
        yield "code", f"{finding.waiter.code}"
    for name in _during(check, finding):
        yield ("task", name)
    yield ("why", _why(finding))
    if finding.near is not None:
        yield ("near", finding.near)
    for harm in _harms(check, finding):
        yield ("harm", harm)
    yield ("instead", finding.replacement)


def _during(check: Check, finding: Finding) -> list[str]:
    """The background tasks that were running when the loop was held."""
    tasks = check.exchange.tasks if check.exchange else ()
    return [
        f"{task.name}({task.arguments})"
        for task in tasks
        if finding.phase is Phase.BACKGROUND
        and any((task.began or ended) < ended and began < (task.ended or ended) for began, ended in finding.stalls)
    ]


def is_quick(finding: Finding) -> bool:
    """Whether it is a round trip whose time says nothing: what counts is that it was made."""
    return finding.kind == "sync-network" and finding.blocked_ns < _QUICK_NS and finding.evidence != MOCKED


def _why(finding: Finding) -> str:
    if finding.evidence == MOCKED:
        return MOCKED
    if finding.reason is not None:
        return finding.reason
    times = f", {finding.count} times" if finding.count > 1 else ""
    if is_quick(finding) or (finding.kind == "sync-network" and not finding.asleep and finding.blocked_ns < _SHORT_NS):
        return f"{_round_trip(finding)}: {_exchanged(finding)}{times}"
    split = f"asleep {words(finding.asleep)}, CPU {words(finding.cpu)}"
    return f"{_doing(finding)}: {'; '.join([split + times, *_carried(finding), *_beside(finding)])}"


def _beside(finding: Finding) -> Iterator[str]:
    """What the loop waited for as well, and is not the line's: else nobody knows why turns waited so much longer."""
    collected = finding.readings.collected if finding.readings and finding.kind == "cpu" else None
    if collected and collected >= _LONG_COLLECTION_NS:
        yield f"garbage collection took {words(collected)} more, which is not counted"


def _round_trip(finding: Finding) -> str:
    """What was made, where nobody knows what went over the network: it is no TCP, or the socket is closed."""
    known = finding.call and not _carried(finding)
    return f"a round trip by {finding.call}" if known else KINDS[finding.kind].doing


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
    if finding.phase is Phase.LIFESPAN:
        return [_NOT_SERVING]
    waits = [
        _harm(probe) for probe in _shown(check.probes, finding) if probe.waited
    ]  # of the others none was due in it
    if finding.kind == "sync-network" and finding.blocked_ns < check.limit:
        return [*waits, _AWAY]
    return [*waits, *_meanwhile(check, finding)] or [_UNPROBED]


def _harm(probe: ProbeWaits) -> str:
    name = f"probes of GET {without_secrets(probe.path)}" if probe.path.startswith("/") else f"turns of {probe.path}"
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


def _of_baseline(finding: Finding, name: str, *, has_baseline: bool) -> Iterator[Row]:
    """How the list of known findings takes it in; of an entry that is out of date, that it is."""
    if finding.beside is not None:
        yield ("new", finding.beside)
    if finding.expired is not None:
        yield ("expired", f"the baseline accepted it up to {finding.expired}")
    elif has_baseline and finding.accepted is None:
        yield (name, "--noblock-update-baseline, which makes it a known finding")


def _narrowed(finding: Finding) -> str:
    return f'call="{finding.call}"' if finding.call else f'kinds=["{finding.kind}"]'


def _once(check: Check, finding: Finding) -> str:
    """What an unconfirmed finding rests on, and how to confirm it."""
    again = "to be sure" if finding.evidence == "call" else "and names the exact line"
    hint = f"; confirm=True sends the request again, {again}" if check.probes else ""
    return f"once, {_evidence(finding.evidence)}{hint}"


def _evidence(evidence: Evidence) -> str:  # noqa: C901, PLR0911  # one for each
    match evidence:
        case "call" | "known blocking call, answered by a mock":
            return "as the call was made"
        case "sample":
            return "by a stack sample while it lasted"
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

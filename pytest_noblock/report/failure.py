"""How a failure reads: the line, the why, the harm, the remedy, in ten seconds."""

from collections.abc import Iterator

from pytest_noblock.judge import advice
from pytest_noblock.model.finding import MOCKED, Check, Finding, ProbeWaits, TaskRun
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.observation import LOOP, Exchange, Phase
from pytest_noblock.model.units import words

_WHY = {
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

_UNPROBED = "every other request of this worker waited meanwhile"
_IN_PRODUCTION = "in production every other request of this worker waits meanwhile"

_EVIDENCE = {
    "call": "as the call was made",
    "sample": "by a look at the stack while it lasted",
    "line counters": "by counters at every line",
    "worker": "by the stacks of the worker threads",
    "await": "by where its tasks waited",
    MOCKED: "as the call was made",
    "none": "by the counters of the step alone",
}

_BACKGROUND: dict[Kind, str] = {
    "background-early": "began before the response was complete",
    "background-lost": "was added and never ran",
    "background-missing": "was never added",
    "background-failed": "raised",
    "background-order": "ran out of order",
}

_BESIDE: dict[Kind, str] = {
    "gil": "held the GIL",
    "pool-starved": "used up {pool} for",
    "contention": "kept others waiting",
}


def failure(check: Check, verbosity: int = 0) -> str:
    """The whole report; the first line alone with `-q`, the exchange with `-v`, stacks and probes with `-vv`."""
    lines = list(_failure(check, verbosity))
    return "\n".join(lines[:1] if verbosity < 0 else lines)


def _failure(check: Check, verbosity: int) -> Iterator[str]:
    if not check.findings:
        yield f"{check.reason}: nothing was measured"
        return
    for finding in check.findings:
        yield headline(check, finding)
        yield ""
        yield from _rows(check, finding)
        if verbosity >= 2:
            yield from _stack(finding)
        yield ""
    if verbosity >= 1:
        yield from _timeline(check)
    if verbosity >= 2:
        yield from _probes(check)


def headline(check: Check, finding: Finding) -> str:
    """One line that survives an 80 column summary: verb, route, what happened, how much, limit."""
    if finding.kind == "background-missing" and not finding.call:
        return f"{check.request}: no background task was added"
    if finding.kind in _BACKGROUND:
        return f"{check.request}: background task {finding.call} {_BACKGROUND[finding.kind]}"
    if finding.kind in _BESIDE:
        what = _BESIDE[finding.kind].format(pool=finding.pool)
        return f"{check.request} {what} {words(finding.blocked_ns)}{_allowed(check, finding)}"
    if finding.evidence == MOCKED:
        return f"{check.request} calls {finding.call or 'what blocks'} on the event loop (a mock answers it here)"
    limit = "no network allowed" if finding.kind == "sync-network" and finding.blocked_ns < check.limit else None
    limit = limit or f"limit {words(check.limit)}"
    where = " in the background" if finding.phase is Phase.BACKGROUND else ""
    return f"{check.request} blocked the event loop {words(finding.blocked_ns)}{where} ({limit})"


def _allowed(check: Check, finding: Finding) -> str:
    return "" if finding.kind == "pool-starved" else f" (limit {words(check.limit)})"


def _background_rows(check: Check, finding: Finding) -> Iterator[str]:
    if finding.file:
        yield from _row("by", f"{finding.place} in {finding.function}")
        yield f"              {finding.code}"
    yield from _row("why", finding.reason or "not known")
    for run in check.background:
        yield from _row("when", _when(run))
    yield from _row("instead", finding.replacement)


def _when(run: TaskRun) -> str:
    """The task beside its response."""
    began = "never began" if run.began_ms is None else f"began {run.began_ms:.1f} ms"
    ended = "" if run.ended_ms is None else f", ended {run.ended_ms:.1f} ms"
    complete = "never" if run.response_complete_ms is None else f"{run.response_complete_ms:.1f} ms"
    return f"{run.name}({run.arguments}) {began}{ended}; response complete {complete}"


def _rows(check: Check, finding: Finding) -> Iterator[str]:
    if finding.kind in _BACKGROUND:
        yield from _background_rows(check, finding)
        return
    yield from _row("by", f"{finding.place} in {finding.function}" if finding.file else finding.place)
    if finding.code:
        yield f"              {finding.code}"
    if finding.waiter is not None:
        yield from _row("waiter", f"{finding.waiter.place} in {finding.waiter.function}")
        yield f"              {finding.waiter.code}"
    for name in _during(check, finding):
        yield from _row("task", name)
    yield from _row("why", _why(finding))
    for harm in _harms(check, finding):
        yield from _row("harm", harm)
    yield from _row("instead", _instead(finding))
    yield from _row("accept", f'@pytest.mark.noblock_allow("reason", {_narrowed(finding)})')
    if not finding.confirmed:
        yield from _row("seen", _seen(check, finding))


def _during(check: Check, finding: Finding) -> list[str]:
    """The background tasks in whose time it held the loop."""
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
    split = f"asleep {words(finding.asleep)}, CPU {words(finding.cpu)}"
    times = f", {finding.count} times" if finding.count > 1 else ""
    if finding.kind == "cpu":
        return f"computing: {split}{times}"
    if finding.kind == "sync-network":
        return f"waiting for the network: {split}{times}"
    what = f"in {finding.call}" if finding.call else _WHY.get(finding.syscall or "", "in the kernel")
    return f"waiting {what}: {split}{times}"


def _shown(probes: tuple[ProbeWaits, ...], finding: Finding) -> list[ProbeWaits]:
    """The user's own probes say it in the user's terms; the built-in ones where there are none."""
    if finding.kind in _BESIDE and finding.kind != "gil":
        return [probe for probe in probes if probe.waited and 2 * probe.worst >= finding.blocked_ns]
    users = [probe for probe in probes if probe.path.startswith("/")]
    return users or [probe for probe in probes if probe.path == LOOP]


def _harms(check: Check, finding: Finding) -> list[str]:
    if finding.evidence == MOCKED:
        return [_IN_PRODUCTION]
    waits = [_harm(probe) for probe in _shown(check.probes, finding)]
    return [*waits, *_meanwhile(check, finding)] or [_UNPROBED]


def _harm(probe: ProbeWaits) -> str:
    name = f"probes of GET {probe.path}" if probe.path.startswith("/") else f"turns of {probe.path}"
    if not probe.waited:
        return f"0 of {probe.sent} {name} waited here; where the wait is long, all do"
    alone = f", worst {words(probe.worst)} (alone {words(probe.alone)})"
    return f"{probe.waited} of {probe.sent} {name} waited{alone}"


def _meanwhile(check: Check, finding: Finding) -> Iterator[str]:
    """That it was not the loop that made them wait."""
    turns = [
        probe.waited
        for probe in check.probe_runs
        if probe.path == LOOP and any(began <= probe.due < ended for began, ended in finding.stalls)
    ]
    if finding.kind in ("pool-starved", "contention") and turns:
        yield f"none to the event loop: {len(turns)} turns meanwhile, the latest {words(max(turns))} late"


def _instead(finding: Finding) -> str:
    plain = finding.phase is Phase.HANDLER and advice.helps_plain_def(finding.kind, finding.call)
    return finding.replacement + (", or make the endpoint a plain def" if plain else "")


def _narrowed(finding: Finding) -> str:
    return f'call="{finding.call}"' if finding.call else f'kinds=["{finding.kind}"]'


def _seen(check: Check, finding: Finding) -> str:
    """What the finding rests on, where no second run showed it."""
    hint = "; confirm=True sends the request again and names the exact line" if check.probes else ""
    return f"once, {_EVIDENCE[finding.evidence]}{hint}"


def _stack(finding: Finding) -> Iterator[str]:
    yield "  stack   innermost first"
    for frame in finding.stack:
        yield f"            {frame.file}:{frame.line} in {frame.function}"


def _timeline(check: Check) -> Iterator[str]:
    exchange = check.exchange
    if exchange is None:
        return
    yield "  timeline, from when the request was sent"
    for moment, what in sorted(_moments(check, exchange)):
        yield f"    {words(moment - exchange.sent):>9}  {what}"
    yield ""


def _moments(check: Check, exchange: Exchange) -> Iterator[tuple[int, str]]:
    stages = {
        "the response started": exchange.started,
        "the response was complete": exchange.completed,
        "the app returned": exchange.returned,
    }
    yield from ((moment, what) for what, moment in stages.items() if moment is not None)
    for finding in check.findings:
        for began, ended in finding.stalls[:10]:
            yield began, f"the loop is held, by {finding.place}"
            yield ended, "the loop turns again"


def _probes(check: Check) -> Iterator[str]:
    if check.exchange is None:
        return
    yield "  probes, when they were due and how long they waited"
    for probe in check.probe_runs:
        due = words(probe.due - check.exchange.sent)
        yield f"    {due:>9}  {probe.path}  {words(probe.waited)}"

"""What a check says: the values that tests read, and that every report is rendered from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_noblock.model.frames import Stack
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.observation import Exchange, Meter, Phase, Probe
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.units import milliseconds

if TYPE_CHECKING:
    import httpx

Outcome = Literal["passed", "failed", "accepted", "inconclusive", "not-exercised"]
"""`accepted`: each finding is accepted by the user. `inconclusive`: nothing was measured. `not-exercised`: a route that
a sweep did not reach."""

Mocked = Literal["known blocking call, answered by a mock"]
Evidence = Literal["line counters", "hot loop", "call", "sample", "timeline", "worker", "await", "none"] | Mocked
"""What points to a finding's line.

`line counters`: counters at every user line. `hot loop`: the same, where the counting costs as much as the lines.
`call`: a known blocking call, recorded as it was made. `sample`: the loop thread's stack, sampled by the watchdog.
`worker`: the stacks of worker threads. `await`: the awaits at which tasks sat. `timeline`: the times of a background
task. `none`: no line was caught.
"""

MOCKED: Mocked = "known blocking call, answered by a mock"


class NoblockWarning(UserWarning):
    """A finding under `action="warn"`."""


class Waiter(NamedTuple):
    """Where a probe waited for what the request held; `file` as in a Finding, `code` None where it cannot be read."""

    file: str
    line: int
    function: str
    code: str | None

    @property
    def place(self) -> str:
        """`app/main.py:44`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)  # no named tuple, whose `count` is a method
class Finding:
    """One reason why others had to wait, at one line, or one fault of a background task.

    It is made of all stalls of one kind and phase at one line; its times, its stack and its readings are those
    of the worst of them. Times in ns, with twins in ms for reading.
    """

    kind: Kind
    """A stable id, one of `model.kinds.KINDS`."""
    phase: Phase
    """Where in the life of the request the worst stall began."""
    blocked_ns: int
    """How long others had to wait in one go, the machine's part taken off; of a background task, how long it ran."""
    cpu: int
    """What of `blocked_ns` the loop thread computed; for `gil` what the other thread computed."""
    asleep: int
    """What of `blocked_ns` the loop thread slept in the kernel; for `pool-starved` and `contention` all of it."""
    count: int
    """How many stalls of one request it stands for; 1 and more."""
    file: str | None
    """Relative to rootdir, absolute outside of it; None, as the next three, where no line was caught."""
    line: int | None
    """Counts from 1."""
    function: str | None
    """Its bare name, as `co_name` of the code object."""
    code: str | None
    """The line's text, without indentation; None also where the source cannot be read."""
    call: str | None
    """The call that the line was making, by its public name, `requests.get`; of a background task, its name."""
    replacement: str
    """What to write instead, one sentence for people."""
    confirmed: bool
    """Whether more than one run showed it, or one run is proof by itself."""
    evidence: Evidence
    """What points to the line."""
    stalls: tuple[tuple[int, int], ...] = ()
    """(began, ended) of each stall, `time.perf_counter_ns`."""
    stack: Stack = ()
    """Innermost frame first, files as in `file`; empty where no line was caught."""
    syscall: str | None = None
    """The kernel call in which a sample found the loop thread, `poll`, or `running`; None where none was taken."""
    reason: str | None = None
    """The proof in words and numbers, where CPU and sleep alone do not say why."""
    pool: str | None = None
    """The thread pool that was full; only for `pool-starved`."""
    waiter: Waiter | None = None
    """Where a probe waited; only for `contention`."""
    accepted: str | None = None
    """Why the user accepts it; None where the user does not."""
    route: str = ""
    """Method and template, `GET /users/{id}`; the test's id where the request has no route."""
    rule: Rule | None = None
    """Which rule found the worst stall; None for background tasks."""
    readings: Readings | None = None
    """What the rule read; None for background tasks."""

    @property
    def identity(self) -> "FindingIdentity":
        """What makes findings of two runs the same to the user: no line numbers, no times, no counts."""
        return FindingIdentity(self.kind, self.route, self.file, self.function, self.call)

    @property
    def ms(self) -> float:
        """`blocked_ns` in ms."""
        return milliseconds(self.blocked_ns)

    @property
    def cpu_ms(self) -> float:
        """`cpu` in ms."""
        return milliseconds(self.cpu)

    @property
    def asleep_ms(self) -> float:
        """`asleep` in ms."""
        return milliseconds(self.asleep)

    @property
    def place(self) -> str:
        """`app/main.py:44`, or words that say that no line was caught."""
        return f"{self.file}:{self.line}" if self.file else "a line that was not caught"


class FindingIdentity(NamedTuple):
    """See `Finding.identity`: the key of a baseline, and what fingerprints of reports are made of."""

    kind: Kind
    route: str
    file: str | None
    function: str | None
    call: str | None


@dataclass(frozen=True, slots=True)
class ProbeWaits:
    """How the probes of one path fared while the request was in flight; times in ns, with twins in ms."""

    path: str
    """`/health`, or the name of a built-in probe, `the event loop`."""
    sent: int
    """How many probes were sent."""
    waited: int
    """How many of them fell due in a stall and were answered only after it."""
    worst: int
    """The longest wait of one probe, counted from when it was due."""
    alone: int
    """How long the probe takes with no request in flight; 0 where that was not measured."""

    @property
    def worst_ms(self) -> float:
        """`worst` in ms."""
        return milliseconds(self.worst)

    @property
    def alone_ms(self) -> float:
        """`alone` in ms."""
        return milliseconds(self.alone)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One background task as a check tells it; times in ms since its request was sent, None: it never came to that."""

    name: str
    """The function's `__name__`."""
    response_complete_ms: float | None
    """When the last part of the response was sent."""
    began_ms: float | None
    ended_ms: float | None
    error: str | None
    """The `repr` of what it raised."""
    arguments: str = ""
    """As they stand in a call, shortened: `'seen', user=1`."""
    added_at: str | None = None
    """`app/main.py:12`, the user line that added it; None where no user line did."""


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to one request: does it stop everybody else? Times in ns, unless the name says ms."""

    id: str
    """The test's node id."""
    request: str
    """Method and path, `GET /report`; `LIFESPAN` for the app's start and stop."""
    route: str | None
    """The template of its route, `/users/{id}`; None where none matched or none can be known."""
    endpoint: str | None
    """The endpoint's dotted name, `app.main.report`; None as for `route`."""
    outcome: Outcome
    duration: int
    """From when the request was sent to when its response was complete."""
    limit: int
    """`max_block`: the longest that the request may hold the loop in one go."""
    meter: Meter
    """The rules that it was judged by."""
    findings: tuple[Finding, ...] = ()
    """The worst first; those of background tasks last."""
    probes: tuple[ProbeWaits, ...] = ()
    """One for each probe path; empty where no probes were sent, as in a watched test."""
    background: tuple[TaskRun, ...] = ()
    """The request's background tasks, in the order in which they were added."""
    capacity: str | None = None
    """How many such requests one worker can serve, in words; None where the request needs no thread of a pool."""
    notes: tuple[str, ...] = ()
    """What was seen and fails nothing, one sentence each."""
    reason: str | None = None
    """Why nothing could be said, where `outcome` is `inconclusive`."""
    exchange: Exchange | None = None
    """The request; the last one of several copies or redirects. None where it never entered the app."""
    exchanges: tuple[Exchange, ...] = ()
    """All of them."""
    probe_runs: tuple[Probe, ...] = ()
    """Every probe that was sent, in the order in which they were due."""
    response: "httpx.Response | None" = None
    """What the fixture's client got; None in a watched test, whose client is not ours."""
    loop: str = ""
    """The event loop that ran the request: `asyncio`, `uvloop`, `trio`; empty where it was not sent."""

    @property
    def duration_ms(self) -> float:
        """`duration` in ms."""
        return milliseconds(self.duration)


def outcome_of(findings: Sequence[Finding], reason: str | None) -> Outcome:
    """The one place where an outcome is decided. `reason`: what kept the request from being measured."""
    if not findings:
        return "inconclusive" if reason else "passed"
    return "accepted" if all(finding.accepted is not None for finding in findings) else "failed"


def with_findings(check: Check, findings: Sequence[Finding]) -> Check:
    """The check with these findings in place of its own. Where there are some, something was measured."""
    if not findings and not check.findings:
        return check
    reason = None if findings else check.reason
    return replace(check, findings=tuple(findings), reason=reason, outcome=outcome_of(findings, reason))

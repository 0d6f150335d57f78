"""What a check says. Tests read these values, and every report is rendered from them."""

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
"""The answer of a check; `outcome_of` decides it.

`passed`: the request was measured, and nothing was found. `failed`: a finding is not accepted. `accepted`: the user
accepts each finding. `inconclusive`: nothing was measured. `not-exercised`: a sweep over the routes did not reach this
route; no check of this version has it.
"""

Mocked = Literal["known blocking call, answered by a mock"]
Evidence = Literal["line counters", "hot loop", "call", "sample", "timeline", "worker", "await", "none"] | Mocked
"""What points to a finding's line.

`line counters`: counters at every user line. `hot loop`: counters as well, where counting a line costs as much as
running it. `call`: a known blocking call, recorded as the loop thread made it. `sample`: the loop thread's stack,
sampled by the watchdog. `worker`: the stacks of worker threads. `await`: the awaits at which tasks sat. `timeline`: the
times of a background task. `MOCKED`: a known blocking call that a mock answered. `none`: no line was caught.
"""

MOCKED: Mocked = "known blocking call, answered by a mock"
"""The evidence of a call that stops nobody in the test: its finding has no time."""


class NoblockWarning(UserWarning):
    """The warning for a check that would have failed the test, under `action="warn"`."""


class Waiter(NamedTuple):
    """Where a probe waited for what the request held."""

    file: str
    """Relative to rootdir; absolute outside of rootdir."""
    line: int
    """Counts from 1."""
    function: str
    """The function's bare name, `co_name` of its code object."""
    code: str | None
    """The line's text, without indentation; None where the source cannot be read."""

    @property
    def place(self) -> str:
        """`app/main.py:44`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)  # no named tuple, whose `count` is a method
class Finding:
    """One reason why others had to wait, at one line, or one fault of a background task.

    A finding of time (`StallKind`) stands for all stalls of one kind and one phase at one line. Its times, its stack
    and its readings are those of the longest stall. Times are integers in ns; `ms`, `cpu_ms` and `asleep_ms` are the
    same times as floats in ms, with three decimals. No property raises an error.
    """

    kind: Kind
    """A stable id, one of the keys of `model.kinds.KINDS`."""
    phase: Phase
    """The phase of the request in which the longest stall began."""
    blocked_ns: int
    """Ns for which others had to wait in one go: `cpu` plus `asleep`. The time in which the machine was busy is in
    neither. For a background task: ns for which the task ran; 0 where the task did not run to its end."""
    cpu: int
    """Ns of CPU in `blocked_ns`, by the CPU clock of one thread: of the loop thread or, for `gil`, of the thread that
    kept the GIL. 0 for a background task."""
    asleep: int
    """Ns in `blocked_ns` for which the loop thread slept in the kernel. For `pool-starved` and `contention`: the whole
    of `blocked_ns`, in which others waited. 0 for a background task."""
    count: int
    """How many stalls the finding stands for, 1 or more; 1 for a background task."""
    file: str | None
    """Relative to rootdir; absolute outside of rootdir. None where no line was caught, as are `line`,
    `function` and `code`."""
    line: int | None
    """Counts from 1."""
    function: str | None
    """The function's bare name, `co_name` of its code object."""
    code: str | None
    """The line's text, without indentation; None also where the source cannot be read."""
    call: str | None
    """The public name of the call that the line was making, `requests.get`; None where the call is not known. For a
    background task: the task's name."""
    replacement: str
    """What to write instead, as text for people."""
    confirmed: bool
    """True where a second run showed the finding again, or where one run is proof by itself."""
    evidence: Evidence
    """What points to the line."""
    stalls: tuple[tuple[int, int], ...] = ()
    """(began, ended) of each stall in ns, `time.perf_counter_ns` of the process that ran the test; empty for a
    background task."""
    stack: Stack = ()
    """Innermost frame first, files as in `file`; empty where no line was caught."""
    syscall: str | None = None
    """The kernel call in which a sample found the loop thread, `poll`; `running` where the thread was in none,
    `unknown` where the kernel does not tell. None where the line rests on no sample."""
    reason: str | None = None
    """The proof in words and numbers; None where `cpu` and `asleep` say all."""
    pool: str | None = None
    """The thread pool that was full; only for `pool-starved`."""
    waiter: Waiter | None = None
    """Where a probe waited; only for `contention`."""
    accepted: str | None = None
    """The reason for which the user accepts the finding; None where the user does not accept it."""
    route: str = ""
    """Method and template, `GET /users/{id}`; the test's id where the request has no route."""
    rule: Rule | None = None
    """The rule that found the longest stall; None for a background task."""
    readings: Readings | None = None
    """What this rule read; None for a background task."""

    @property
    def identity(self) -> "FindingIdentity":
        """Two findings with the same identity are the same to the user: it has no line number, no time, no count."""
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
    """The part of a finding that stays the same from run to run; each field is the Finding's field of that name."""

    kind: Kind
    route: str
    file: str | None
    function: str | None
    call: str | None


@dataclass(frozen=True, slots=True)
class ProbeWaits:
    """How long the probes of one path waited while the request was in flight.

    `worst` and `alone` are integers in ns; `worst_ms` and `alone_ms` are the same times as floats in ms, with three
    decimals. No property raises an error.
    """

    path: str
    """The path of the user's probe, `/health`, or the name of a built-in probe, `the event loop`."""
    sent: int
    """How many probes of this path were sent."""
    waited: int
    """How many of the sent probes were due in a stall and answered only after this stall."""
    worst: int
    """The longest wait of one probe in ns, from when the probe was due to its answer."""
    alone: int
    """How long the probe takes in ns with no request in flight; 0 where nobody measured it."""

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
    """One background task of a request.

    Times are floats in ms with three decimals. They count from when the request was sent.
    """

    name: str
    """The function's `__name__`."""
    response_complete_ms: float | None
    """When the app sent the last part of the response; None where the app never did."""
    began_ms: float | None
    """When the task began; None where it never began."""
    ended_ms: float | None
    """When the task ended, by an exception as well; None where it never ended."""
    error: str | None
    """The `repr` of the exception that the task raised; None where it raised none."""
    arguments: str = ""
    """The task's arguments, shortened, as they stand in a call: `'seen', user=1`."""
    added_at: str | None = None
    """`app/main.py:12`, the user line that added the task; None where no user line did."""


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to one request: does it stop everybody else?

    Times are integers in ns, unless the name of a field says ms. No property raises an error.
    """

    id: str
    """The test's node id."""
    request: str
    """Method and path, `GET /report`; `LIFESPAN` for the app's start and stop."""
    route: str | None
    """The template of the matched route, `/users/{id}`; None where no route matched, or where the framework does not
    tell."""
    endpoint: str | None
    """The endpoint's dotted name, `app.main.report`; None as for `route`."""
    outcome: Outcome
    """See `Outcome`."""
    duration: int
    """Ns from when the request was sent to when its response was complete. Without a complete response: to when the
    app's call ended. 0 where neither came, or where nothing was measured."""
    limit: int
    """`max_block` in ns: the longest time for which the request may hold the loop in one go."""
    meter: Meter
    """The rules that judged the request."""
    findings: tuple[Finding, ...] = ()
    """First the findings of time, then the mocked calls, then the background tasks."""
    probes: tuple[ProbeWaits, ...] = ()
    """One for each probe path; empty where no probes were sent, as in a watched test."""
    background: tuple[TaskRun, ...] = ()
    """The request's background tasks, in the order in which they were added."""
    capacity: str | None = None
    """How many such requests one worker can serve in a second, in words: `40 tokens / 0.3 s = 133 requests per second`.
    None where the request needs no thread of a pool for 10 ms, and in a watched test."""
    notes: tuple[str, ...] = ()
    """What was seen and fails nothing, one sentence each."""
    reason: str | None = None
    """Why nothing could be said; None unless `outcome` is `inconclusive`."""
    exchange: Exchange | None = None
    """The request with its times; the last one where `concurrency` or redirects made several. None where no request
    entered the app, and where how far it came is not known."""
    exchanges: tuple[Exchange, ...] = ()
    """All copies and redirects of the request, in the order in which they entered the app; empty where nothing was
    measured."""
    probe_runs: tuple[Probe, ...] = ()
    """Every probe that was sent, in the order of `Probe.due`."""
    response: "httpx.Response | None" = None
    """What the fixture's client received; None where it received nothing, and in a watched test, whose client is its
    own."""
    loop: str = ""
    """The event loops that ran the request, joined by ", ": `asyncio`, `uvloop`, `trio`; empty where nothing was
    measured."""

    @property
    def duration_ms(self) -> float:
        """`duration` in ms."""
        return milliseconds(self.duration)


def outcome_of(findings: Sequence[Finding], reason: str | None) -> Outcome:
    """The one place that decides an outcome. `reason`: what kept the request from being measured; None for nothing."""
    if not findings:
        return "inconclusive" if reason else "passed"
    return "accepted" if all(finding.accepted is not None for finding in findings) else "failed"


def with_findings(check: Check, findings: Sequence[Finding]) -> Check:
    """The check with these findings in place of its own.

    A finding proves that something was measured: a check with findings has no `reason`.
    """
    if not findings and not check.findings:
        return check
    reason = None if findings else check.reason
    return replace(check, findings=tuple(findings), reason=reason, outcome=outcome_of(findings, reason))

"""What a check says: the answer to one request, as tests read it and every report is rendered from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pytest_noblock.model.finding import Almost, Finding
from pytest_noblock.model.measured import is_measured
from pytest_noblock.model.observation import Exchange, Meter, Probe
from pytest_noblock.model.units import milliseconds

if TYPE_CHECKING:
    import httpx

Outcome = Literal["passed", "failed", "accepted", "inconclusive", "not-exercised"]
"""The answer of a check; `outcome_of` decides it.

`passed`: the request was measured, and nothing was found. `failed`: a finding is not accepted. `accepted`: the user
accepts each finding. `inconclusive`: nothing was measured. `not-exercised`: a sweep over the routes did not reach this
route; `Check.reason` says why.
"""


SWEPT = "noblock::"
"""How the ids of the sweep's items begin; `plugin.options` has it too, which every run loads, and this module not."""


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
    """The types of the task's arguments, as they stand in a call: `str, user=int`. Their values may be secret."""
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
    """How many such requests one worker can serve in a second, in words: `40 tokens / 0.3 s = 133 requests per second`,
    `1 event loop / 0.3 s = 3.3 requests per second`. None where the request needs neither a thread of a pool, the GIL
    nor the event loop for 10 ms, and in a watched test."""
    scarce_ns: int = 0
    """Ns of a worker that one request takes of what there is least of, where that is not the event loop: 0.2 s of one
    of 40 threads are 5 ms. 0 where it is the loop, or where nobody counted."""
    notes: tuple[str, ...] = ()
    """What was seen and fails nothing, one sentence each."""
    reason: str | None = None
    """Why nothing could be said; None unless `outcome` is `inconclusive`, or `not-exercised`: then a word of the
    sweep's closed list, as `needs-auth`."""
    exchange: Exchange | None = None
    """The request with its times; the last one where `concurrency` or redirects made several. None where no request
    entered the app, and where how far it came is not known."""
    exchanges: tuple[Exchange, ...] = ()
    """All copies and redirects of the request, in the order in which they entered the app; of a request that did not
    end, the one that did not. Empty where none is known."""
    probe_runs: tuple[Probe, ...] = ()
    """Every probe that was sent, in the order of `Probe.due`."""
    response: "httpx.Response | None" = None
    """What the fixture's client received; None where it received nothing, and in a watched test, whose client is its
    own."""
    loop_ns: int = 0
    """Ns for which the request held the event loop in all: CPU and sleep of all its steps."""
    almost: tuple[Almost, ...] = ()
    """What would be a finding but for the limit, from half of it on, or was not shown again. A baseline keeps it."""
    status: int | None = None
    """The HTTP status of the answer, 500 where the app raised; None where neither is known."""
    max_total: int = 0
    """Ns for which the request may hold the event loop in all; 0 where there is no such limit."""
    steps: tuple[tuple[int, int], ...] = ()
    """(began, ended) of the longest stretches for which the request ran on the loop thread, in order of time; moments
    as in `Finding.stalls`. Empty where none was long enough to be recorded."""
    loop: str = ""
    """The event loops that ran the request, joined by ", ": `asyncio`, `uvloop`, `trio`; empty where nothing was
    measured."""

    @property
    def duration_ms(self) -> float:
        """`duration` in ms."""
        return milliseconds(self.duration)

    @property
    def measured(self) -> bool:
        """Whether its own endpoint was called and answered below 400."""
        return is_measured(self.outcome, self.notes, self.status)

    @property
    def loop_ms(self) -> float:
        """`loop_ns` in ms: one worker can serve `1000 / loop_ms` such requests in a second, if nothing is scarcer."""
        return milliseconds(self.loop_ns)

    @property
    def scarce_ms(self) -> float:
        """`1000 / scarce_ms` such requests are the most that one worker can serve in a second, as far as is known."""
        return milliseconds(max(self.scarce_ns, self.loop_ns))


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

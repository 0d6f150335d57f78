"""What a check says: the values that tests read and every report is rendered from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_noblock.model.frames import Stack
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.observation import Exchange, Meter, Phase, Probe
from pytest_noblock.model.units import milliseconds

if TYPE_CHECKING:
    import httpx

Outcome = Literal["passed", "failed", "accepted", "inconclusive", "not-exercised"]
Mocked = Literal["known blocking call, answered by a mock"]
Evidence = Literal["line counters", "hot loop", "call", "sample", "timeline", "worker", "await", "none"] | Mocked
MOCKED: Mocked = "known blocking call, answered by a mock"


class NoblockWarning(UserWarning):
    """A finding under `action="warn"`."""


class Waiter(NamedTuple):
    """Where a probe waited for what the request held."""

    file: str
    line: int
    function: str
    code: str | None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)  # no named tuple, whose `count` is a method
class Finding:
    """One reason why others had to wait, at one line; times in ns, `ms` twins for reading.

    `blocked_ns` is the longest time in one go, `count` how often it happened in the request.
    `file` is relative to rootdir (absolute outside), None where no line was caught.
    """

    kind: Kind
    phase: Phase
    blocked_ns: int
    cpu: int
    asleep: int
    count: int
    file: str | None
    line: int | None
    function: str | None
    code: str | None
    call: str | None
    replacement: str
    confirmed: bool
    evidence: Evidence
    stalls: tuple[tuple[int, int], ...] = ()
    """When it held the loop: (began, ended)."""
    stack: Stack = ()
    syscall: str | None = None
    reason: str | None = None
    """Why, in words and numbers, where it can be known and times alone do not tell it."""
    pool: str | None = None
    """The thread pool that was full."""
    waiter: Waiter | None = None
    accepted: str | None = None
    """Why the user accepts it."""
    route: str = ""
    """Method and template, `GET /users/{id}`; the test's id where the request has no route."""

    @property
    def identity(self) -> "FindingIdentity":
        """What makes findings of two runs the same to the user: no line numbers, no times, no counts."""
        return FindingIdentity(self.kind, self.route, self.file, self.function, self.call)

    @property
    def ms(self) -> float:
        return milliseconds(self.blocked_ns)

    @property
    def cpu_ms(self) -> float:
        return milliseconds(self.cpu)

    @property
    def asleep_ms(self) -> float:
        return milliseconds(self.asleep)

    @property
    def place(self) -> str:
        """`app/main.py:44`, or where to look when no line was caught."""
        return f"{self.file}:{self.line}" if self.file else "a line that was not caught"


class FindingIdentity(NamedTuple):
    """See `Finding.identity`: the key of a baseline, and what fingerprints of reports are made of."""

    kind: Kind
    route: str
    file: str | None
    function: str | None
    call: str | None


class ProbeWaits(NamedTuple):
    """How one probe path fared: `waited` counts the probes that had to sit through a stall."""

    path: str
    sent: int
    waited: int
    worst: int
    alone: int

    @property
    def worst_ms(self) -> float:
        return milliseconds(self.worst)

    @property
    def alone_ms(self) -> float:
        return milliseconds(self.alone)


class TaskRun(NamedTuple):
    """One background task, times in ms since the request was sent; None: it never came to that."""

    name: str
    response_complete_ms: float | None
    began_ms: float | None
    ended_ms: float | None
    error: str | None
    arguments: str = ""
    added_at: str | None = None
    """`app/main.py:12`, the user line that added it."""


class Check(NamedTuple):
    """The answer to one request: does it stop everybody else?"""

    id: str
    request: str
    route: str | None
    endpoint: str | None
    outcome: Outcome
    duration: int
    limit: int
    meter: Meter
    findings: tuple[Finding, ...] = ()
    probes: tuple[ProbeWaits, ...] = ()
    background: tuple[TaskRun, ...] = ()
    capacity: str | None = None
    """What one worker can serve of it, in words, where it needs threads of a pool."""
    notes: tuple[str, ...] = ()
    reason: str | None = None
    """Why nothing could be said, where the outcome is `inconclusive`."""
    exchange: Exchange | None = None
    """The request, the last of several copies or redirects."""
    exchanges: tuple[Exchange, ...] = ()
    """All of them."""
    probe_runs: tuple[Probe, ...] = ()
    response: "httpx.Response | None" = None

    @property
    def duration_ms(self) -> float:
        return milliseconds(self.duration)


def blank(id: str, request: str, limit: int, meter: Meter) -> Check:
    """A check of which nothing is known yet."""
    return Check(id, request, None, None, "inconclusive", 0, limit, meter)

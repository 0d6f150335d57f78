"""What a check found: one reason why others had to wait, at one line."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from pytest_noblock.model.frames import Frame, Stack
from pytest_noblock.model.identity import FindingIdentity, identity
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.observation import Phase
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.units import milliseconds

Mocked = Literal["known blocking call, answered by a mock"]
Evidence = (
    Literal["line counters", "hot loop", "call", "sample", "timeline", "worker", "await", "endpoint", "none"] | Mocked
)
"""What points to a finding's line.

`line counters`: counters at every user line. `hot loop`: counters as well, where counting a line costs as much as
running it. `call`: a known blocking call, recorded as the loop thread made it. `sample`: the loop thread's stack,
sampled by the watchdog. `worker`: the stacks of worker threads. `await`: the awaits at which tasks sat. `timeline`: the
times of a background task. `endpoint`: the line is the `def` of the endpoint, of the task or of the app, because most
of the CPU was burned outside of the user's lines, or because no look at the stack came. `MOCKED`: a known blocking call
that a mock answered. `none`: no line was caught.
"""

MOCKED: Mocked = "known blocking call, answered by a mock"
"""The evidence of a call that stops nobody in the test: its finding has no time."""


class Part(NamedTuple):
    """What one line did to hold the loop, where several did in one turn of the loop."""

    frame: Frame
    """Its file is absolute in a Stall, and as in `Finding.file` in a Finding."""
    blocked_ns: int
    counted: bool = False
    """Whether the ns were accounted for this line alone. Looks share out a whole, and a busy machine shifts that."""


class Almost(NamedTuple):
    """What is no finding, and near enough that the same code may be one in the next run; fields as in `Finding`."""

    kind: Kind
    file: str | None
    function: str | None
    code: str | None
    call: str | None
    blocked_ns: int
    part: bool = False
    """Whether it is one of several lines that shared in a finding of this kind; the finding's own line is one, too."""
    over: float = 0.0
    """How many times the limit a part took by itself, where that was counted; else 0."""

    @property
    def ms(self) -> float:
        """`blocked_ns` in ms."""
        return milliseconds(self.blocked_ns)


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
    """Relative to rootdir; absolute outside of rootdir. None where no line of the user's ran and no endpoint is known,
    as are `line`, `function` and `code`."""
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
    """Innermost frame first, files as in `file`; empty where no stack was seen."""
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
    near: str | None = None
    """What is to be said of a computation in one run that is over the limit by little; None for all others."""
    doubt: str | None = None
    """Why one run cannot tell whether the machine made it so long, in words; None where that is not the question. No
    finding of a check has it: it is for the notes."""
    rule: Rule | None = None
    """The rule that found the longest stall; None for a background task."""
    readings: Readings | None = None
    """What this rule read; None for a background task."""
    parts: tuple[Part, ...] = ()
    """The lines that held the loop together in one turn, the longest first; empty where one line did."""
    beside: str | None = None
    """Where the baseline knows the finding's line: another line of its step that is too long by itself, and new."""
    expired: str | None = None
    """The last day on which the baseline accepted it, `2026-12-31`; None where none did, or still does."""
    served: str | None = None
    """What of the app it ran for, where it ran in no line of the user's: ``the middleware `Gate` ``, `GET /report`."""
    role: str | None = None
    """What the line's function is to whoever calls it: `dependency teardown`; None where the stack does not tell."""
    requests: int = 1
    """How many requests of one endpoint held the loop together, in one turn: the times are those of all of them."""

    def at_line_of(self, other: "Finding") -> "Finding":
        """With its own times, at the line of another finding of the same thing, whose line is better known."""
        return replace(self, **{name: getattr(other, name) for name in _LINE})

    @property
    def identity(self) -> FindingIdentity:
        """Two findings with the same identity are the same to the user: it has no line number, no time, no count."""
        return identity(self.kind, self.route, self.file, self.function, self.call)

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
        """`app/main.py:44`; where no line is known, what the library was asked for, and for whom."""
        if self.file:
            return f"{self.file}:{self.line}"
        served = self.served or "the request"
        return f"{self.call} in {served}" if self.call else f"a line outside of the user's code, in {served}"

    @property
    def by(self) -> str:
        """The place, with the function and, where a middleware of a library did it, with that."""
        if self.file is None:
            return self.place
        return f"{self.place} in {self.function}" + (f", behind {self.served}" if self.served else "")


_LINE = ("file", "line", "function", "code", "call", "replacement", "evidence", "stack", "served", "role")

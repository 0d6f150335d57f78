"""Everything recorded in one run, raw: frozen values, nanoseconds, no meaning yet.

All times are `time.perf_counter_ns` readings of one process. Meaning (stalls,
phases, blame) is derived from these values by pure functions in `verdict`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_noblock.model.frames import Frame, Stack

if TYPE_CHECKING:
    from pytest_noblock.model.concurrency import Gap, PoolReading, PoolUse, Wait

Meter = Literal["full", "portable"]


class Phase(StrEnum):
    """Where in the life of the app a moment lies."""

    LIFESPAN = "lifespan"
    HANDLER = "handler"
    BACKGROUND = "background"


LOOP = "the event loop"
THREADS = "the thread pool"
EXECUTOR = "the default executor"
"""The built-in probes: a turn of the loop, a token of anyio's default limiter, a thread of asyncio's default executor.
They pass no middleware, so they disturb nobody's counters, rate limits or database sessions."""

LIFESPAN = "LIFESPAN"
"""The method of the exchange that is the app's start and stop."""


class Sample(NamedTuple):
    """What the loop thread was doing when the watchdog looked.

    The watchdog wanted to look at `due` and held the interpreter lock from
    `began` to `ended`; a loop thread that waited for the lock meanwhile waited
    for us. `syscall` is the kernel call that the loop thread sat in, `running`
    when it sat in none, `unknown` where the kernel does not tell.
    """

    due: int
    began: int
    ended: int
    stack: Stack
    syscall: str


class BlockingCall(NamedTuple):
    """A known blocking call, seen on the loop thread while it happened."""

    name: str
    network: bool
    began: int
    ended: int
    stack: Stack
    asked: int = 0
    """The sleep that its argument asked for and that it gave, for that is what `time.sleep` is; 0 where none does."""


class LineCost(NamedTuple):
    """What one user line cost in one segment, callees outside the user's code included."""

    frame: Frame
    stack: Stack
    hits: int
    wall: int
    cpu: int
    asleep: int
    switches: int
    round_trips: int
    others_cpu: int


class Segment(NamedTuple):
    """One uninterrupted run on the loop thread for one exchange.

    `wall` splits into `cpu` (garbage collection taken out, in `collected`),
    `queued` (the thread was runnable and had no processor) and the rest. On the
    portable meter `queued` and `switches` are None: the rest cannot be split.
    `others_cpu` is what the other threads of the process burned meanwhile;
    `doubtful_trips` are round trips that one of them may have made. `imported` is
    the time of first imports, which is taken out of all the rest.
    """

    exchange: int
    began: int
    ended: int
    cpu: int
    collected: int
    queued: int | None
    switches: int | None
    others_cpu: int
    round_trips: int
    doubtful_trips: int
    imported: int = 0
    samples: tuple[Sample, ...] = ()
    calls: tuple[BlockingCall, ...] = ()
    lines: tuple[LineCost, ...] = ()
    answered: tuple[BlockingCall, ...] = ()
    """Known blocking calls that ended without sleeping or using a socket: a mock answered them."""

    @property
    def wall(self) -> int:
        return self.ended - self.began

    @property
    def asleep(self) -> int:
        """Time in the kernel, waiting: zero where no voluntary switch shows that it slept."""
        if self.queued is None or not self.switches:
            return 0
        return max(0, self.wall - self.cpu - self.collected - self.queued)

    @property
    def off_cpu(self) -> int:
        """Time not on a processor, whatever the reason; all that the portable meter knows."""
        return max(0, self.wall - self.cpu - self.collected)


class Task(NamedTuple):
    """One background task. `began`, `ended`: None where it never came to that.

    `added_at` is the user line that added it, `called_at` the user line that awaited it,
    relative to rootdir (None where the framework did, as it should), `batch` tells tasks that one object holds.
    """

    name: str
    module: str
    qualname: str
    arguments: str
    added_at: Frame | None
    began: int | None
    ended: int | None
    error: str | None
    called_at: Frame | None
    batch: int | None
    in_thread: bool

    def is_called(self, name: str) -> bool:
        """By `__name__`, qualified name or `module.qualname`."""
        return name in (self.name, self.qualname, f"{self.module}.{self.qualname}")


class Exchange(NamedTuple):
    """One request with the times of its ASGI messages.

    `started` is `http.response.start`, `completed` the body message whose
    `more_body` is false or absent, `returned` the end of the app's call. `entered`
    tells whether the endpoint itself was called; None where nobody can know.
    `steps` counts the metered steps: none means that nothing was measured.
    """

    number: int
    method: str
    path: str
    sent: int
    started: int | None = None
    completed: int | None = None
    returned: int | None = None
    status: int | None = None
    route: str | None = None
    endpoint: str | None = None
    entered: bool | None = None
    error: str | None = None
    steps: int = 0
    tasks: tuple[Task, ...] = ()
    raised: str | None = None
    """What the endpoint raised, a handled HTTPException included; None also where nobody can know."""
    own_background: bool = False
    """Whether the endpoint returned a Response with a `background` of its own."""
    cancelled: bool = False
    framework: str | None = None
    """Starlette's version, where the app is Starlette's; None: its background tasks have no names."""

    @property
    def request(self) -> str:
        return f"{self.method} {self.path}"

    def phase_at(self, moment: int) -> Phase:
        """Segments are cut where the response is complete, so each lies in one phase."""
        if self.method == LIFESPAN:
            return Phase.LIFESPAN
        if self.completed is not None and moment >= self.completed:
            return Phase.BACKGROUND
        return Phase.HANDLER


class Probe(NamedTuple):
    """One small request; its wait counts from when it was due, not from when it could be sent."""

    path: str
    due: int
    answered: int
    status: int | None = None

    @property
    def waited(self) -> int:
        return self.answered - self.due


class Observation(NamedTuple):
    """All that one run of a request left behind."""

    meter: Meter
    exchanges: tuple[Exchange, ...]
    segments: tuple[Segment, ...] = ()
    probes: tuple[Probe, ...] = ()
    alone: Mapping[str, int] = MappingProxyType({})
    """The time of each probe path with nothing else running."""
    exact: bool = False
    """Whether counters stood at every user line."""
    gaps: "tuple[Gap, ...]" = ()
    pools: "tuple[PoolReading, ...]" = ()
    waits: "tuple[Wait, ...]" = ()
    uses: "tuple[PoolUse, ...]" = ()
    probe_failed: str | None = None
    """How a probe ended that was not answered well; it may have waited in vain for what the request held."""

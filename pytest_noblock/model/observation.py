"""Everything that the engine recorded in one run: frozen values, without a meaning yet.

All moments are `time.perf_counter_ns` readings of one process, all durations ns. Files of frames are absolute.
What the values mean (stalls, blame, findings) the pure functions of `judge` say.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_noblock.model.frames import Frame, Stack

if TYPE_CHECKING:
    from pytest_noblock.model.concurrency import Gap, PoolReading, PoolUse, Wait

Meter = Literal["full", "portable"]
"""`full`: run-queue delay and voluntary switches of each step are known (Linux with schedstat); `portable`: they are
not, and a sleep shows in known calls only."""


class Phase(StrEnum):
    """Where in the life of a request, or of the app, a moment lies."""

    LIFESPAN = "lifespan"
    """The app's start and stop."""
    HANDLER = "handler"
    """Until the response is complete; middleware, dependencies and streaming included."""
    BACKGROUND = "background"
    """From then on."""


LOOP = "the event loop"
THREADS = "the thread pool"
EXECUTOR = "the default executor"
"""The built-in probes: a turn of the loop, a token of anyio's default limiter, a thread of asyncio's default executor.
They pass no middleware, so they change no counter, no rate limit and no database session of the app."""

LIFESPAN = "LIFESPAN"
"""The method of the exchange that is the app's start and stop."""


class Sample(NamedTuple):
    """The loop thread's stack, as the watchdog saw it in the middle of a step."""

    due: int
    """When the watchdog's timer was to wake it."""
    began: int
    """When the watchdog had woken, and had the GIL."""
    ended: int
    """When it let go of the GIL: a loop thread that wanted it meanwhile waited for the watchdog."""
    stack: Stack
    """The loop thread's."""
    syscall: str
    """The kernel call that the loop thread sat in; `running` for none, `unknown` where the kernel does not tell."""


class BlockingCall(NamedTuple):
    """A known blocking call of the loop thread, recorded as it was made."""

    name: str
    """The function that was wrapped, `time.sleep`."""
    network: bool
    """Whether it talks to the network."""
    began: int
    ended: int
    stack: Stack
    """Of the loop thread, without the call's own frames."""
    asked: int = 0
    """The sleep in ns that its argument asked for (`time.sleep(0.1)`: 100,000,000); 0 where none does."""


class SocketExchange(NamedTuple):
    """What one connection carried between two scans in which it made a round trip."""

    peer: str | None
    """`127.0.0.1:5432`; None where it could not be read any more."""
    sent: int
    """Bytes that it sent."""
    received: int
    """Bytes that came and were read."""


class LineCost(NamedTuple):
    """What one user line cost in one segment; what it calls outside the user's code is included."""

    frame: Frame
    stack: Stack
    """The line's stack, innermost frame first."""
    hits: int
    """How often it ran."""
    cpu: int
    asleep: int
    """Neither on a processor nor in the run queue."""
    round_trips: int
    """How many sockets sent and received while it ran."""


class Segment(NamedTuple):
    """One uninterrupted run of the loop thread for one exchange: a step of the loop, or the part of one.

    `wall` splits into `cpu`, `collected`, `queued` and the sleep. The portable meter knows neither `queued` nor
    `switches`, which are None there: the rest cannot be split.
    """

    exchange: int
    """The number of the exchange."""
    began: int
    ended: int
    cpu: int
    """What the loop thread computed; `collected` and `imported` are taken off."""
    collected: int
    """CPU of garbage collection."""
    queued: int | None
    """Run-queue delay: the loop thread was runnable, and no processor was free."""
    switches: int | None
    """Voluntary context switches: how often it went to sleep."""
    others_cpu: int
    """What the other threads of the process computed meanwhile."""
    round_trips: int
    """How many sockets, which no loop awaits, sent and received."""
    doubtful_trips: int
    """The same, where another thread computed meanwhile and may have made them."""
    imported: int = 0
    """Time of first imports; it is taken off all other times, `began` and `ended` excepted."""
    samples: tuple[Sample, ...] = ()
    """In order of time; none in most steps, which are short."""
    calls: tuple[BlockingCall, ...] = ()
    """Known blocking calls that slept or used a socket, in order of time."""
    lines: tuple[LineCost, ...] = ()
    """Empty unless counters stood at every user line."""
    answered: tuple[BlockingCall, ...] = ()
    """Known blocking calls that ended without sleeping and without using a socket: a mock answered them."""
    exchanged: tuple[SocketExchange, ...] = ()
    """One for each of the `round_trips` and `doubtful_trips` that the sockets showed."""

    @property
    def wall(self) -> int:
        """From `began` to `ended`."""
        return self.ended - self.began

    @property
    def asleep(self) -> int:
        """Time asleep in the kernel; 0 where no voluntary switch shows that the thread slept at all."""
        if self.queued is None or not self.switches:
            return 0
        return max(0, self.wall - self.cpu - self.collected - self.queued)

    @property
    def off_cpu(self) -> int:
        """Time not on a processor, whatever the reason; all that the portable meter knows."""
        return max(0, self.wall - self.cpu - self.collected)


class Task(NamedTuple):
    """One background task that a request added."""

    name: str
    """The function's `__name__`."""
    module: str
    qualname: str
    arguments: str
    """As they stand in a call, shortened."""
    added_at: Frame | None
    """The user line that added it; None where no user line did."""
    began: int | None
    """None where it never began."""
    ended: int | None
    """None where it never ended; an exception ends it, too."""
    error: str | None
    """The `repr` of what it raised."""
    called_at: Frame | None
    """The line of the endpoint that awaited it; None where the framework did, as it should."""
    batch: int | None
    """The same for all tasks that one object runs; None for a task of its own."""

    def is_called(self, name: str) -> bool:
        """By `__name__`, qualified name or `module.qualname`."""
        return name in (self.name, self.qualname, f"{self.module}.{self.qualname}")


class Exchange(NamedTuple):
    """One request with the moments of its ASGI messages; None: it never came to that."""

    number: int
    """Unique in the process; segments, readings and waits name it."""
    method: str
    path: str
    """Without the query."""
    sent: int
    """When the client's transport called the app."""
    started: int | None = None
    """When `http.response.start` passed."""
    completed: int | None = None
    """When the body message passed whose `more_body` is false or absent."""
    returned: int | None = None
    """When the app's call ended: after the background tasks."""
    status: int | None = None
    route: str | None = None
    """The template of its route, `/users/{id}`; None where none matched or the framework does not tell."""
    endpoint: str | None = None
    """The endpoint's dotted name; None as for `route`."""
    entered: bool | None = None
    """Whether the endpoint itself was called; None where nobody can know."""
    error: str | None = None
    """The `repr` of what the app's call raised."""
    steps: int = 0
    """How many of its steps were metered; 0: nothing was measured."""
    tasks: tuple[Task, ...] = ()
    """Its background tasks, in the order in which they were added."""
    raised: str | None = None
    """What the endpoint raised, a handled HTTPException included; None also where nobody can know."""
    own_background: bool = False
    """Whether the endpoint returned a Response with a `background` of its own."""
    cancelled: bool = False
    """Whether the app's call was cancelled."""
    framework: str | None = None
    """Starlette's version, where the app is Starlette's; None: its background tasks have no names."""

    @property
    def request(self) -> str:
        """`GET /report`."""
        return f"{self.method} {self.path}"

    def phase_at(self, moment: int) -> Phase:
        """Each segment lies in one phase: the engine cuts a step where the response is complete."""
        if self.method == LIFESPAN:
            return Phase.LIFESPAN
        if self.completed is not None and moment >= self.completed:
            return Phase.BACKGROUND
        return Phase.HANDLER


class Probe(NamedTuple):
    """One small request, or one turn of the loop, that was sent on a timetable while the request was in flight."""

    path: str
    """`/health`, or the name of a built-in probe."""
    due: int
    """When the timetable wanted it sent."""
    answered: int
    status: int | None = None
    """None for the built-in probes."""

    @property
    def waited(self) -> int:
        """Counts from when it was due: a loop that is held does not even send it."""
        return self.answered - self.due


class Observation(NamedTuple):
    """All that one run of a request, or of a watched test, left behind."""

    meter: Meter
    exchanges: tuple[Exchange, ...]
    """In the order in which they entered the app."""
    segments: tuple[Segment, ...] = ()
    """In order of time."""
    probes: tuple[Probe, ...] = ()
    alone: Mapping[str, int] = MappingProxyType({})
    """By probe path: how long the probe takes with no request in flight, in ns."""
    gaps: "tuple[Gap, ...]" = ()
    pools: "tuple[PoolReading, ...]" = ()
    """In order of time; readings of one `span` follow each other."""
    waits: "tuple[Wait, ...]" = ()
    uses: "tuple[PoolUse, ...]" = ()
    loop: str = ""
    """The event loop that ran the app: `asyncio`, `uvloop`, `rloop`, `trio`, another's package; several are joined by
    ", ", and "" says that none ran."""
    probe_failed: str | None = None
    """How a probe ended that got no answer below 400, as a sentence; it may have waited for what the request held."""

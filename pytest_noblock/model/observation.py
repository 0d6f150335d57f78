"""Everything that the engine recorded in one run: frozen values, without a meaning yet.

All moments are `time.perf_counter_ns` readings of one process, all durations ns. Files of frames are absolute.
What the values mean (stalls, blame, findings) the pure functions of `judge` say.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_noblock.model.frames import Frame
from pytest_noblock.model.segment import Segment

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

"""Everything that the engine recorded in one run: frozen values.

All moments are `time.perf_counter_ns` readings of one process. All durations are ns. Files of frames are absolute.
The values have no meaning yet: the pure functions of `judge` find the stalls, the lines and the findings.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_noblock.model.frames import Frame
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.units import SWITCH_INTERVAL_NS

if TYPE_CHECKING:
    from pytest_noblock.model.concurrency import Collection, Gap, HeldTurn, LongTurn, PoolReading, PoolUse, Wait

Meter = Literal["full", "portable"]
"""The rules of a machine. `full`: run-queue delay and voluntary switches of each step are known (Linux with schedstat).
`portable`: neither is known, and a sleep shows in known calls only."""


class Phase(StrEnum):
    """Where in the life of a request, or of the app, a moment lies."""

    LIFESPAN = "lifespan"
    """The app's start and stop."""
    HANDLER = "handler"
    """Until the response is complete; middleware, dependencies and streaming included."""
    BACKGROUND = "background"
    """From when the response is complete, until the app's call has returned."""
    DETACHED = "detached"
    """After the app's call has returned: what the request started and nobody awaited."""
    APP = "app"
    """A step of the app that no request of the run owns, while a request was under way."""


LOOP = "the event loop"
THREADS = "the thread pool"
EXECUTOR = "the default executor"
"""The built-in probes `LOOP`, `THREADS` and `EXECUTOR`: a turn of the loop, a token of anyio's default limiter, a
thread of asyncio's default executor. Built-in probes pass no middleware: they change no counter, no rate limit and
no database session of the app."""

WEBSOCKET = "WEBSOCKET"
"""`Exchange.method` of a websocket connection."""

LIFESPAN = "LIFESPAN"
"""`Exchange.method` of the app's start and stop, which is recorded as an exchange with an empty path. Its `started` is
when the app had started, its `completed` when the app was told to stop."""

GO_ON = (LIFESPAN, WEBSOCKET)
"""`Exchange.method` of what may go on after the test that began it, and is not told of: an app, a connection."""

NO_REQUEST = "the test"
"""`Check.request` of a test that asked to be measured and made no request."""

APP = "APP"
"""`Exchange.method` of what the app runs by itself, of no request and not of its lifespan. It is in no observation."""


class Task(NamedTuple):
    """One background task that a request added."""

    name: str
    """The function's `__name__`."""
    module: str
    qualname: str
    arguments: str
    """The types of the task's arguments, as they stand in a call: `str, user=int`. Their values may be secret."""
    added_at: Frame | None
    """The user line that added the task; None where no user line did."""
    began: int | None
    """When the task began; None where it never began."""
    ended: int | None
    """When the task ended, by an exception as well; None where it never ended."""
    error: str | None
    """The `repr` of the exception that the task raised; None where it raised none."""
    called_at: Frame | None
    """The line of the endpoint that awaited the task; None where the framework awaited it, as it should."""
    batch: int | None
    """A number that all tasks of one `BackgroundTasks` object share; None for a task outside of such an object."""
    defined: Frame | None = None
    """The first line of the function's code, a decorator's where it has one; None for a function in C."""
    raised_at: str | None = None
    """`app/main.py:12 in write_log`: the user line that raised `error`; None where it was no line of the user's."""

    @property
    def raised(self) -> str:
        """What it raised, and where; for a task that has an `error`."""
        return f"{self.error} at {self.raised_at}" if self.raised_at else str(self.error)

    def is_called(self, name: str) -> bool:
        """Whether `name` is the function's `__name__`, its qualified name or `module.qualname`."""
        return name in (self.name, self.qualname, f"{self.module}.{self.qualname}")


OwnLoop = Literal["asyncio", "uvloop", "trio"]
"""What the fixture's own loop can be."""
Ending = Literal["running", "lingered", "cancelled", "due"]
"""How detached work was left: it still ran when the watched test ended; it still ran after `noblock_linger`; the loop
of the test's client closed and cancelled it; its timer was not due yet."""


class Left(NamedTuple):
    """Work that a request started, and that was not measured to its end."""

    ending: Ending
    frame: Frame
    """Where it waited; for a timer or a callback, the function's `def`."""


class Answerer(NamedTuple):
    """What answered a request in the place of its endpoint."""

    name: str
    """`TrustedHostMiddleware`, `key`, `the validation of query.item`."""
    frame: Frame | None
    """Its line, where that is the user's; of a dependency, the line that raised."""


class Exchange(NamedTuple):
    """One request with the moments of its ASGI messages. A moment is None where its message never passed."""

    number: int
    """Unique in the process; segments, pool readings and waits refer to the exchange by it."""
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
    """The HTTP status of the response; None where no response started."""
    route: str | None = None
    """The template of the matched route, `/users/{id}`; None where no route matched, or where the framework does not
    tell."""
    endpoint: str | None = None
    """The endpoint's dotted name, `app.main.report`; None as for `route`."""
    entered: bool | None = None
    """Whether the endpoint itself was called; None where nobody can know, as in an app that is not Starlette's."""
    error: str | None = None
    """The `repr` of the exception that the app's call raised; None where it raised none."""
    steps: int = 0
    """How many steps of the request were metered; 0: nothing was measured."""
    brief: int = 0
    """Ns of wall time that those steps took, all together, of which no segment is made, because they were short."""
    tasks: tuple[Task, ...] = ()
    """The background tasks of the request, in the order in which they were added."""
    raised: str | None = None
    """What the endpoint raised, a handled HTTPException included; None also where the framework does not tell."""
    own_background: bool = False
    """Whether the endpoint returned a Response whose `background` the endpoint set itself."""
    cancelled: bool = False
    """Whether the app's call was cancelled."""
    framework: str | None = None
    """Starlette's version, where the app is Starlette's. None for any other app: no background task of it is seen."""
    left: tuple[Left, ...] = ()
    """Detached work that was not measured to its end."""
    defined: Frame | None = None
    """The first line of the endpoint's code, a decorator's where it has one; of the app's own code where no endpoint is
    known. None where neither is written in Python, or where the app is a framework's own object."""
    settled: int | None = None
    """Until when a step that the app makes by itself counts as woken by the request: a few turns of the loop after
    `returned`. None where nobody waited for them, as in a watched test."""
    answered: Answerer | None = None
    """What answered where the endpoint was not entered; None where it was, and where that is not known."""

    @property
    def request(self) -> str:
        """`GET /report`."""
        return f"{self.method} {self.path}"

    @property
    def is_over(self) -> bool:
        """Whether the app's call has returned; of what may go on after its test nobody expects that."""
        return self.returned is not None or self.method in GO_ON

    @property
    def over_at(self) -> int | None:
        """From when on no step of the app is laid to the request (ns); None: it was under way to the end."""
        return self.returned if self.settled is None else self.settled

    def phase_at(self, moment: int) -> Phase:
        """The phase of a moment. A segment lies in one phase: the engine cuts a step where a phase ends."""
        if self.method == LIFESPAN:
            runs = self.started is not None and self.started <= moment < (self.completed or moment + 1)
            return Phase.APP if runs else Phase.LIFESPAN
        if self.returned is not None and moment >= self.returned:
            return Phase.DETACHED
        if self.completed is not None and moment >= self.completed:
            return Phase.BACKGROUND
        return Phase.HANDLER


class Probe(NamedTuple):
    """One small request, or one turn of the loop, that was sent on a timetable while the request was in flight."""

    path: str
    """`/health`, or the name of a built-in probe."""
    due: int
    """When the timetable wanted the probe sent."""
    answered: int
    """When the probe had its answer, or its turn."""
    status: int | None = None
    """The HTTP status of the answer; None for the built-in probes."""

    @property
    def waited(self) -> int:
        """Ns from when the probe was due: a loop that is held does not even send the probe."""
        return self.answered - self.due


class Observation(NamedTuple):
    """All that one run of a request, or of a watched test, left behind."""

    meter: Meter
    exchanges: tuple[Exchange, ...]
    """In the order in which they entered the app."""
    segments: tuple[Segment, ...] = ()
    """In order of time. Also those that the app ran by itself (in the fixture), or for earlier requests: their
    `exchange` is none of `exchanges`."""
    probes: tuple[Probe, ...] = ()
    alone: Mapping[str, int] = MappingProxyType({})
    """Ns that each probe takes with no request in flight, by the probe's path."""
    gaps: "tuple[Gap, ...]" = ()
    """In a watched test the watchdog records them, and `pools`; `waits` and `uses` are the fixture's alone."""
    pools: "tuple[PoolReading, ...]" = ()
    """In order of time; readings of one `span` follow each other."""
    waits: "tuple[Wait, ...]" = ()
    """The awaits at which probes of the user waited."""
    uses: "tuple[PoolUse, ...]" = ()
    """One for each thread pool that was sampled."""
    loop: str = ""
    """The event loops that ran the app, joined by ", ": `asyncio`, `uvloop`, `rloop`, `trio`, or the package of another
    loop; empty where none ran."""
    long_turns: "tuple[LongTurn, ...]" = ()
    """The turns of the loop that took long; only the fixture's full meter records them."""
    probe_exchanges: tuple[Exchange, ...] = ()
    """The calls of the app that the probes of the user made."""
    probe_failed: str | None = None
    """A sentence that says how a probe of the user ended without a status below 400; None where none did. The probe may
    have waited for what the request held."""
    slowdown: int = 1
    """How many times slower a tracer, as coverage's, may have made Python code meanwhile; 1 without a tracer."""
    switch_interval: int = SWITCH_INTERVAL_NS
    """Ns after which a thread that computes in Python lets go of the GIL: `sys.getswitchinterval()`."""
    held: "tuple[HeldTurn, ...]" = ()
    """Of watched tests."""
    earlier: Mapping[int, str] = MappingProxyType({})
    """By `Exchange.number`: requests of earlier tests that left work behind, `GET /report of test_a.py::test_it`. In a
    watched test steps may be theirs that are of none of `exchanges`."""
    collections: "tuple[Collection, ...]" = ()
    """The long ones that fell due since the first exchange entered."""

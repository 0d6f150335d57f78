"""The request under way: which steps are its own, and when its ASGI messages passed."""

import asyncio
import contextvars
import gc
import itertools
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, TracebackType
from typing import Any, NamedTuple, TypedDict, TypeVar, Unpack

from pytest_noblock.engine.endpoints import REST, EndpointCode, code_of, dotted, route_in, template_of, undecorated
from pytest_noblock.engine.errors import Raised, shown
from pytest_noblock.engine.live_tasks import LiveTask
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import GO_ON, Answerer, Ending, Exchange, Left, Task

Scope = MutableMapping[str, Any]  # ASGI says "a dictionary"; its values are the server's and the framework's
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

T = TypeVar("T")

_numbers = itertools.count(1)


class Remains(NamedTuple):
    """What is kept of the app's objects when a request has ended: words and code, and none of the objects."""

    route: str | None
    endpoint: str | None
    entered: bool | None
    of_starlette: bool
    """Whether the scope shows that it is an app of Starlette's."""
    error: Raised | None
    """What the app's call raised."""
    cancelled: bool
    raised: Raised | None
    """What the endpoint raised."""
    endpoint_code: "EndpointCode | None"
    routed: bool
    """Whether a function of the endpoint is known."""
    answers: CodeType | None
    """The code of that function; None where it is written in C."""
    apps: tuple[CodeType, ...]
    """Where no such function is known: the code of the apps, from the outermost middleware in."""


class Refusal(NamedTuple):
    """Where an exception came from that an exception handler answered; holds neither the exception nor a frame."""

    where: tuple[tuple[CodeType, int], ...]
    """Code and line of the traceback's frames, the innermost first."""
    invalid: str | None
    """`query.item`: what did not validate, where FastAPI refused the request's parameters; else None."""


class Known(TypedDict, total=False):
    """Fields of `Exchange` that only the framework or a traceback tells."""

    entered: bool | None
    error: str | None
    tasks: tuple[Task, ...]
    raised: str | None
    framework: str | None
    left: tuple[Left, ...]
    defined: Frame | None
    answered: Answerer | None


class LiveExchange:
    """A request while it happens; `value()` is what remains of it. Times in ns, None until they come.

    When the app's call has ended, `let_go` drops all objects of the app's.
    """

    # No defaults on the class for what each request, or each step, reads and sets: see `StepMeter`.
    settled: int | None = None
    entered: bool | None
    steps: int
    """How many of its steps a meter has begun."""
    brief: int
    """Ns of wall time that its steps took of which no segment is made, because they were short."""
    phase_began: int
    """When the present phase began, where it is not the first: no segment may lie in two phases."""
    raised: BaseException | None
    raised_at: TracebackType | None = None
    """Kept apart from `raised`: Starlette's handlers take the traceback off an exception that they answer."""
    own_background = False
    """Whether the endpoint returned a response that has a `background`."""
    app: object
    """The app that was called."""
    began_inside = False
    """Whether the function inside a decorated endpoint began, where somebody waits for that."""
    refused: Refusal | None = None
    """Where the exception came from that refused the request before its endpoint was called."""
    answered: tuple[CodeType, int] | None = None
    """Code and line of what sent the response, where that was not the endpoint."""
    body: bytes
    """What the client sent, up to a length: an error of the app's may quote it."""
    mounted: str
    """The templates of the mounts, and of the host, that the request has passed: `/api`, `api.example.org`."""
    mount: object = None
    """The last of these mounts: Starlette leaves it in the scope as the route until one within it is found."""
    remains: Remains | None
    """What is kept when the app's call has ended."""

    def __init__(self, method: str, path: str, scope: Scope | None = None) -> None:
        self.method = method
        self.path = path
        self.scope = {} if scope is None else scope
        self.tasks: list[LiveTask] = []
        self.left: list[tuple[Ending, list[RawFrame]]] = []
        """Detached work that was not measured to its end, each with its stack."""
        self.number = next(_numbers)
        self.started: int | None = None
        self.completed: int | None = None
        self.returned: int | None = None
        self.status: int | None = None
        self.error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None
        """The task that runs the app's call, where the fixture's transport made one."""
        self.entered = self.raised = self.app = self.remains = None
        self.steps = self.brief = self.phase_began = 0
        self.body = b""
        self.mounted = ""
        self.sent = now()

    def let_go(self, remains: Remains) -> None:
        """Keep the words in the place of the app's objects, which a test may expect to be freed."""
        self.remains = remains
        self.scope = {}
        self.app = None
        self.body = b""
        if self.task is not None:
            self.task = None
        if self.mount is not None:
            self.mount = None
        if self.error is not None or self.raised is not None:
            self.error = self.raised = self.raised_at = None

    @property
    def request(self) -> str:
        """Method and path; the method alone where there is no path, as of a lifespan."""
        return f"{self.method} {self.path}".strip()

    @property
    def route(self) -> str | None:
        """The whole path template, that of the mounts included, where the framework left it in the scope."""
        if self.remains is not None:
            return self.remains.route
        route = route_in(self.scope)
        if route is not None and route is self.mount:
            return f"{self.mounted}{REST}"
        path = template_of(route)
        return self.mounted + path if path is not None and self.mounted else path

    @property
    def endpoint(self) -> str | None:
        """`module.qualname` of the endpoint, where the framework left it in the scope."""
        return self.remains.endpoint if self.remains is not None else dotted(self.scope.get("endpoint"))

    @property
    def endpoint_code(self) -> EndpointCode | None:
        """None before the request is routed, and where the endpoint is not written in Python."""
        if self.remains is not None:
            return self.remains.endpoint_code
        endpoint = self.scope.get("endpoint")
        function = undecorated(endpoint) if callable(endpoint) else None
        code = code_of(function)
        return None if code is None else (code, getattr(function, "__globals__", {}))

    @property
    def cancelled(self) -> bool:
        """Whether the app's call was cancelled."""
        return self.remains.cancelled if self.remains is not None else isinstance(self.error, asyncio.CancelledError)

    @property
    def error_text(self) -> str | None:
        """What the app's call raised, as `repr` shows it; None where it raised nothing."""
        if self.remains is not None:
            return self.remains.error.text if self.remains.error is not None else None
        return None if self.error is None else shown(self.error)

    @property
    def is_over(self) -> bool:
        """Whether the app's call has returned; of what may go on after its test nobody expects that."""
        return self.returned is not None or self.method in GO_ON

    @property
    def duration(self) -> int:
        """From the sending until the response was complete, or else the app returned (ns); 0 if neither came."""
        return (self.completed or self.returned or self.sent) - self.sent

    def value(self, **known: Unpack[Known]) -> Exchange:
        return Exchange(
            number=self.number,
            method=self.method,
            path=self.path,
            sent=self.sent,
            started=self.started,
            completed=self.completed,
            returned=self.returned,
            status=self.status,
            route=self.route,
            endpoint=self.endpoint,
            steps=self.steps,
            brief=self.brief,
            own_background=self.own_background,
            cancelled=self.cancelled,
            settled=self.settled,
            **known,
        )


CURRENT: ContextVar[LiveExchange | None] = ContextVar("pytest_noblock_exchange", default=None)
"""The request that a callback belongs to. asyncio runs each callback in a copy of the context of whoever scheduled it,
so child tasks, timers and background tasks inherit the value."""


OURS = LiveExchange("", "")
"""Stands in the context of our own tasks on the fixture's loop: their steps are neither a request's nor the app's."""


@contextmanager
def owned(exchange: LiveExchange) -> Iterator[None]:
    """Tasks that the block starts belong to the exchange."""
    before = CURRENT.get()
    CURRENT.set(exchange)
    try:
        yield
    finally:
        CURRENT.set(before)


def as_ours(function: Callable[..., T], *args: object) -> T:
    """Call the function; the tasks and callbacks that it starts are our own."""
    context = contextvars.copy_context()
    context.run(CURRENT.set, OURS)
    return context.run(function, *args)


def record_of(task: "asyncio.Task[Any]") -> LiveExchange | None:
    """The request that a task belongs to."""
    if sys.version_info >= (3, 12):
        return task.get_context().get(CURRENT)
    # the first context among the referents is the task's own
    context = next((each for each in gc.get_referents(task) if isinstance(each, contextvars.Context)), None)
    return context.get(CURRENT) if context is not None else None

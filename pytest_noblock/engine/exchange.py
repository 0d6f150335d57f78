"""The request under way: whose step is it, and when did its ASGI messages pass."""

import asyncio
import contextvars
import gc
import itertools
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypedDict, Unpack

from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import RawFrame
from pytest_noblock.model.observation import Exchange, Task

Scope = MutableMapping[str, Any]  # ASGI: "a dictionary"; its values are the server's and the framework's
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

_numbers = itertools.count(1)


class LiveTask:
    """A background task while it happens; see `observation.Task`."""

    batch: int | None = None
    began: int | None = None
    ended: int | None = None
    error: BaseException | None = None
    called: Sequence[RawFrame] = ()

    def __init__(self, task: object, added: list[RawFrame]) -> None:
        self.task = task
        self.added = added


class Known(TypedDict, total=False):
    """What only the framework or a traceback can tell of an exchange."""

    entered: bool | None
    error: str | None
    tasks: tuple[Task, ...]
    raised: str | None
    framework: str | None


class LiveExchange:
    """An exchange while it happens; `value()` is what remains of it."""

    started: int | None = None
    completed: int | None = None
    returned: int | None = None
    status: int | None = None
    entered: bool | None = None
    error: BaseException | None = None
    steps = 0
    task: "asyncio.Task[None] | None" = None
    raised: BaseException | None = None
    raised_at: TracebackType | None = None
    """Kept apart: Starlette's handlers take the traceback off an exception that they answer."""
    own_background = False

    def __init__(self, method: str, path: str, scope: Scope | None = None) -> None:
        self.method = method
        self.path = path
        self.scope = {} if scope is None else scope
        self.tasks: list[LiveTask] = []
        self.number = next(_numbers)
        self.sent = now()

    @property
    def request(self) -> str:
        return f"{self.method} {self.path}".strip()

    @property
    def route(self) -> str | None:
        return getattr(self.scope.get("route"), "path", None)

    @property
    def endpoint(self) -> str | None:
        endpoint = self.scope.get("endpoint")
        return _dotted(endpoint) if endpoint is not None else None

    @property
    def duration(self) -> int:
        return (self.completed or self.returned or self.sent) - self.sent

    def value(self, **known: Unpack[Known]) -> Exchange:
        return Exchange(
            self.number,
            self.method,
            self.path,
            self.sent,
            self.started,
            self.completed,
            self.returned,
            self.status,
            route=self.route,
            endpoint=self.endpoint,
            steps=self.steps,
            own_background=self.own_background,
            cancelled=isinstance(self.error, asyncio.CancelledError),
            **known,
        )


CURRENT: ContextVar[LiveExchange | None] = ContextVar("pytest_noblock_exchange", default=None)
"""Read from each callback's context: child tasks, timers and background tasks inherit it."""


@contextmanager
def owned(record: LiveExchange) -> Iterator[None]:
    """Tasks that are started in the block belong to the record."""
    CURRENT.set(record)
    try:
        yield
    finally:
        CURRENT.set(None)


def record_of(task: "asyncio.Task[Any]") -> LiveExchange | None:
    """The request that a task belongs to."""
    if sys.version_info >= (3, 12):
        return task.get_context().get(CURRENT)
    context = next((each for each in gc.get_referents(task) if isinstance(each, contextvars.Context)), None)
    return context.get(CURRENT) if context is not None else None  # its own is the first that it refers to


def _dotted(endpoint: object) -> str:
    name = getattr(endpoint, "__qualname__", type(endpoint).__qualname__)
    return f"{getattr(endpoint, '__module__', '?')}.{name}"

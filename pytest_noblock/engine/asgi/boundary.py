"""Where a request enters the app: from here on the step is the request's, before it was somebody else's.

What the test, a fixture or the client does in the same step, and in `receive` and
`send`, which are the client's, is never charged to the request.
"""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from pytest_noblock.engine.exchange import CURRENT, ASGIApp, LiveExchange, Message, Receive, Scope, Send
from pytest_noblock.engine.frameworks.background_tasks import let_begin
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import border
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.other_loops import metered_coroutine
from pytest_noblock.model.observation import LIFESPAN

_WEBSOCKET = "WEBSOCKET"

border(__file__)

T = TypeVar("T")


class Watcher(Protocol):
    """Who wants to know of requests."""

    def entered(self, app: ASGIApp, record: LiveExchange) -> StepMeter:
        """The meter of the running loop's thread."""


async def enter(watcher: Watcher, call: ASGIApp, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call the app by `call`, with everything noted that passes. One called within a request is part of it."""
    record = _record(scope)
    if record is None or CURRENT.get() is not None:
        return await call(scope, receive, send)
    meter = watcher.entered(app, record)
    CURRENT.set(record)
    meter.switch_owner(record)
    border = _Border(record, meter, receive, send)
    try:
        await metered_coroutine(call(scope, border.receive, border.send), meter)
    except BaseException as error:
        record.error = error
        raise
    finally:
        record.returned = now()
        CURRENT.set(None)
        meter.end()


def _record(scope: Scope) -> LiveExchange | None:
    kind = scope.get("type")
    if kind == "lifespan":
        return LiveExchange(LIFESPAN, "", scope)
    if kind in ("http", "websocket"):
        method = scope.get("method", "GET") if kind == "http" else _WEBSOCKET
        return LiveExchange(method, scope.get("path", ""), scope)
    return None


class _Border:
    """The client's side of `receive` and `send`, cut out of the request's steps."""

    def __init__(self, record: LiveExchange, meter: StepMeter, receive: Receive, send: Send) -> None:
        self._record = record
        self._meter = meter
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        return await self._outside(self._receive())

    async def send(self, message: Message) -> None:
        if self._record.tasks:
            await self._outside(let_begin(self._record, message))
        note(self._record, message)
        await self._outside(self._send(message))

    async def _outside(self, call: Awaitable[T]) -> T:
        owner = self._meter.owner  # None where a framework calls from a context of its own
        request = CURRENT.get()
        CURRENT.set(None)
        self._meter.end()
        try:
            return await call
        finally:
            CURRENT.set(request)
            self._meter.switch_owner(owner)


def note(record: LiveExchange, message: Message) -> None:
    """The times of the response's messages."""
    moment = now()
    if message["type"] == "http.response.start":
        record.started = moment
        record.status = message["status"]
    elif message["type"] == "http.response.body" and not message.get("more_body", False):
        record.completed = moment

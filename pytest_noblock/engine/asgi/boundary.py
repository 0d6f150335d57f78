"""The border between client and app: where a request enters the app, and what passes there.

A request enters in the middle of a step. Until then the step belongs to the test, to a
fixture or to the client. `receive` and `send` run the client's code. None of that is
charged to the request. Everything here runs on the thread that runs the app.
"""

from collections.abc import Awaitable, Coroutine
from typing import TypeVar

from pytest_noblock.engine.asgi.client_side import ClientSide, Watcher
from pytest_noblock.engine.asgi.messages import type_of
from pytest_noblock.engine.errors import shown
from pytest_noblock.engine.exchange import CURRENT, ASGIApp, LiveExchange, Receive, Scope, Send
from pytest_noblock.engine.guard import noted
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps import other_loops
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.model.observation import LIFESPAN, WEBSOCKET

border(__file__)

T = TypeVar("T")
Side = TypeVar("Side", bound=ClientSide)


async def enter(watcher: Watcher, call: ASGIApp, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Await `call`, which calls `app`, and record the request.

    A call within a request, as of a mounted app, is part of that request. A scope that is
    neither http nor websocket nor lifespan is passed on unrecorded.
    """
    __tracebackhide__ = True
    client = entered(watcher, app, scope, receive, send) if CURRENT.get() is None else None
    if client is None:
        return await call(scope, receive, send)
    try:
        await in_steps(call(scope, client.receive, client.send), client.meter)
    except BaseException as error:
        client.record.error = error
        raise
    finally:
        client.left()


class Beside:
    """A request that entered past `enter`: nobody wraps the app's call, so somebody tells when it waits and goes on."""

    def __init__(self, client: "ClientSide") -> None:
        self.client = client
        self.calls = client.receive, client.send
        self._by_steps = other_loops.ends_no_steps(client.meter)

    def suspend(self) -> None:
        """The app's call waits for something. Where each step of the loop is metered, its end is seen by itself."""
        if self._by_steps:
            self.client.meter.end()

    def resume(self) -> None:
        """It goes on."""
        if self._by_steps:
            self.client.meter.switch_owner(CURRENT.get())

    def leave(self, error: BaseException | None) -> None:
        """It has ended."""
        self.client.record.error = error
        self.client.left()


def entered(watcher: Watcher, app: object, scope: Scope, receive: Receive, send: Send) -> ClientSide | None:
    """A request enters: the client's side of it. None where it is not to be recorded, or where we failed."""
    return entered_as(ClientSide, watcher, app, scope, receive, send)


def entered_as(
    side: type[Side], watcher: Watcher, app: object, scope: Scope, receive: Receive, send: Send
) -> Side | None:
    """The same, for a client with a side of its own."""
    try:
        record = _new_record(scope)
        if record is None:
            return None
        meter = watcher.request_enters(app, record)
        client = side(record, meter, receive, send, watcher.current() or watcher)
        CURRENT.set(record)
        meter.switch_owner(record)
    except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
        CURRENT.set(None)
        noted(error)
        return None
    return client


def in_steps(call: Awaitable[T], meter: StepMeter) -> Awaitable[T]:
    """The app's call, in a form in which its steps can be metered; an app may return any awaitable."""
    try:
        return other_loops.metered_coroutine(call if isinstance(call, Coroutine) else _awaited(call), meter)
    except Exception as error:  # noqa: BLE001  # as above
        noted(error)
        return call


async def _awaited(call: Awaitable[T]) -> T:
    return await call


def _new_record(scope: Scope) -> LiveExchange | None:
    kind = type_of(scope)
    if kind == "lifespan":
        return LiveExchange(LIFESPAN, "", scope)
    if kind in ("http", "websocket"):
        method = scope.get("method", "GET") if kind == "http" else WEBSOCKET
        return LiveExchange(_text(method), _text(scope.get("path", "")), scope)
    return None


def _text(value: object) -> str:
    """Clients in process may put anything into the scope; what is no text is shown as it is."""
    if type(value) is str:
        return value
    return str.__str__(value) if isinstance(value, str) else shown(value)

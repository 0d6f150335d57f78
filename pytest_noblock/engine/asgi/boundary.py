"""The border between client and app: where a request enters the app, and what passes there.

A request enters in the middle of a step. Until then the step belongs to the test, to a
fixture or to the client. `receive` and `send` run the client's code. None of that is
charged to the request. Everything here runs on the thread that runs the app.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pytest_noblock.engine.errors import shown
from pytest_noblock.engine.exchange import CURRENT, ASGIApp, LiveExchange, Message, Receive, Scope, Send
from pytest_noblock.engine.frameworks.background_tasks import let_begin
from pytest_noblock.engine.frameworks.starlette import let_go
from pytest_noblock.engine.guard import guarded, noted
from pytest_noblock.engine.instrument import current_meter
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import border
from pytest_noblock.engine.steps import other_loops
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.model.observation import LIFESPAN, WEBSOCKET

if TYPE_CHECKING:
    from pytest_noblock.engine.frameworks.noting import Streams

_OF_MESSAGES = ("send", "receive", "_leave", "_return", "_go_on", "_of_body", "cut_segment", "before", "passed")
border(__file__, sending=_OF_MESSAGES)

T = TypeVar("T")

_SUSPENDS_IN_SEND = "starlette.testclient"
"""The client in process whose `send` waits until the test has read the part before (Starlette 1.10). No server does so:
it hands a part to the kernel and returns. Where this `send` suspends, the app's turn of the loop counts as going on."""

PIECE = 65_536
"""Bytes. uvicorn stops to read the socket at so many that are unread (`HIGH_WATER_LIMIT`), hypercorn reads so many."""
MOST_AT_ONCE = 5 * PIECE
"""Bytes. uvicorn may add what asyncio reads at once, 256 KiB. A longer message comes from a client in process."""

MOST_UNREAD = 16 << 20
"""Bytes. No server sends more in one turn of the loop: the kernel's buffers of both ends are full, and it waits for the
client. Linux gives them 4 and 6 MiB at most (`tcp_wmem`, `tcp_rmem`), uvicorn's own buffer has 64 KiB."""


class Watcher(Protocol):
    """Who wants to know of requests."""

    asks_for_tasks: bool
    """Whether somebody asks when the background tasks began."""

    def request_enters(self, app: object, record: LiveExchange) -> StepMeter:
        """A request is about to enter `app`; returns the meter of the calling thread."""

    def current(self) -> "Watcher | None":
        """Who wants to know now: a connection may outlive the test that opened it."""

    def lifespan_stops(self, record: LiveExchange) -> StepMeter | None:
        """An app is told to stop whose start was watched, in a test that is over; None where nobody wants to know."""


class ExchangeRecorder:
    """Writes into the record when the messages of the response passed and how the app's call ended.

    `with recorder:` stands around the app's call; `before` and `passed` frame each
    message that the app sends. The caller cuts the request's segment, because only the
    caller knows whether the client's code runs in `send`.
    """

    def __init__(self, record: LiveExchange, *, asks_for_tasks: bool) -> None:
        """`asks_for_tasks`: see `before`."""
        self.record = record
        self._asks_for_tasks = asks_for_tasks

    def __enter__(self) -> None:
        """The app's call begins; `sent` stands in the record already."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.record.error = error
        self.record.returned = self.record.phase_began = now()

    async def before(self, message: Message) -> None:
        """Yield to the loop before the body passes, so that a background task can show that it begins too early.

        Only where somebody asks: the turn of the loop changes which of several requests goes first.
        """
        if self._asks_for_tasks and _type_of(message) is not None:
            await let_begin(self.record, message)

    def told(self, message: Message) -> Message:
        """Note when the app is told to stop; from then on the steps of its lifespan are its stop."""
        if _type_of(message) == "lifespan.shutdown":
            self.record.completed = self.record.phase_began = now()
        return message

    def passed(self, message: Message) -> bool:
        """Note the times of the response's start and end (ns); returns whether the response is complete now."""
        moment, record = now(), self.record
        kind = message.get("type") if type(message) is dict else _type_of(message)
        if kind == "http.response.start":
            record.started = moment
            record.status = _status_of(message)
        elif kind == "http.response.body":
            if not message.get("more_body", False):
                record.completed = record.phase_began = moment
                return True
        elif kind == "lifespan.startup.complete":
            record.started = record.phase_began = moment
        return False


_END: Message = {"type": "http.response.body"}
"""The response is complete."""

_BODY_READ = 65_536
"""Bytes of a request's body that are kept until it ends: as many as `sent_values` reads."""


def cut_segment() -> None:
    """A phase ends in this step: what follows is a segment of its own."""
    meter = current_meter()
    if meter is not None:
        meter.switch_owner(meter.owner)


def _type_of(message: object) -> str | None:
    """None where the app sends what is no message: the server, or the client, will say so."""
    if type(message) is dict:  # nearly always, and to ask for a Mapping takes 1 us
        kind = message.get("type")
        return kind if isinstance(kind, str) else None
    kind = message.get("type") if isinstance(message, Mapping) else None
    return kind if isinstance(kind, str) else None


def _status_of(message: Message) -> int | None:
    status = message.get("status")
    return status if isinstance(status, int) else None


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
        await _in_steps(call(scope, client.receive, client.send), client.meter)
    except BaseException as error:
        client.record.error = error
        raise
    finally:
        client.left()


async def handle(
    watcher: Watcher, app: object, scope: Scope, call: Callable[[], Awaitable[T]], streams: "Streams | None" = None
) -> T:
    """Await `call`, by which a test client has `app` answer without ASGI, and record the request.

    Nothing passes the border until the app answers: the answer is the whole response, but for a body that is made as
    the test reads it (`streams`).
    """
    __tracebackhide__ = True
    client = entered(watcher, app, scope, _nothing, _nothing) if CURRENT.get() is None else None
    if client is None:
        return await call()
    try:
        answer = await _in_steps(call(), client.meter)
    except BaseException as error:
        client.record.error = error
        client.left()
        raise
    guarded(client.answered, answer)
    if streams is not None and guarded(streams, answer, client.parts):
        client.pause()
    else:
        client.passed(_END)
        client.left()
    return answer


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


async def _nothing(*_args: object) -> Any:
    """In the place of `receive` and `send`, which nobody calls."""


def entered(watcher: Watcher, app: object, scope: Scope, receive: Receive, send: Send) -> "ClientSide | None":
    """A request enters: the client's side of it. None where it is not to be recorded, or where we failed."""
    try:
        record = _new_record(scope)
        if record is None:
            return None
        meter = watcher.request_enters(app, record)
        client = ClientSide(record, meter, receive, send, watcher.current() or watcher)
        CURRENT.set(record)
        meter.switch_owner(record)
    except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
        CURRENT.set(None)
        noted(error)
        return None
    return client


def _in_steps(call: Awaitable[T], meter: StepMeter) -> Awaitable[T]:
    """The app's call, in a form in which its steps can be metered; an app may return any awaitable."""
    try:
        return other_loops.metered_coroutine(call if isinstance(call, Coroutine) else _awaited(call), meter)
    except Exception as error:  # noqa: BLE001  # as above
        noted(error)
        return call


async def _awaited(call: Awaitable[T]) -> T:
    return await call


def _new_record(scope: Scope) -> LiveExchange | None:
    kind = _type_of(scope)
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


class ClientSide(ExchangeRecorder):
    """The client's `receive` and `send`, recorded: a segment of the request ends before each and begins after it."""

    def __init__(self, record: LiveExchange, meter: StepMeter, receive: Receive, send: Send, watcher: Watcher) -> None:
        super().__init__(record, asks_for_tasks=watcher.asks_for_tasks)
        self.meter = meter
        self._watcher: Watcher = watcher
        self._receive = receive
        self._send = send
        self._rest: Iterator[Message] = iter(())
        """Of a long message that the app reads in pieces."""
        self._in_turn = self._turn = 0
        """Bytes of the body that the app got in the turn of the loop with this number."""
        self._unpolled = 0
        """Bytes that the app has sent since a server would have polled."""
        self._server_would_go_on = getattr(send, "__module__", "") == _SUSPENDS_IN_SEND

    async def receive(self) -> Message:
        __tracebackhide__ = True
        request, owner = self._leave()
        try:
            message = next(self._rest, None) or self.told(await self._receive())
            if type(message) is dict and type(part := message.get("body")) is bytes and part:
                message = self._of_body(message, part)
        finally:
            self._return(request, owner)
        if self.meter.closed and _type_of(message) == "lifespan.shutdown":
            self._go_on()
        return message

    def _of_body(self, message: Message, part: bytes) -> Message:
        """The message as a server would hand it over; where a server would have polled before it, that counts."""
        try:
            if len(self.record.body) < _BODY_READ:
                self.record.body += part[:_BODY_READ]
            turn = self.meter.present_turn()
            if not turn:  # nobody counts them
                return message
            if len(part) > MOST_AT_ONCE:
                from pytest_noblock.engine.asgi import bodies  # few tests upload so much

                if bodies.asks_for_more(sys._getframe(2)):
                    self._rest = bodies.pieces(message, part)
                    message = next(self._rest)
            self._count(turn, len(message["body"]))
        except Exception as error:  # noqa: BLE001  # as above
            noted(error)
        return message

    def _count(self, turn: int, size: int) -> None:
        """A server hands over a piece at a time, and a short one more; the next comes with a turn of its own."""
        before = self._in_turn if turn == self._turn else 0
        if before and before + size > PIECE:
            self.meter.polled, before = True, 0
        self._in_turn, self._turn = before + size, self.meter.present_turn()

    def _go_on(self) -> None:
        """The test that watched the app's start is over, at least its call; a fixture stops the app."""
        try:
            meter = self._watcher.lifespan_stops(self.record)
            if meter is not None:
                self.meter = meter
                meter.switch_owner(self.record)
        except Exception as error:  # noqa: BLE001  # as above
            noted(error)

    async def send(self, message: Message) -> None:
        __tracebackhide__ = True
        turn = self.meter.turn  # of the step that calls
        if self._asks_for_tasks and self.record.tasks:
            request, owner = self._leave()
            try:
                await self.before(message)
            finally:
                self._return(request, owner, turn)
        self.passed(message)  # `_leave` cuts the segment right after this: each segment lies in one phase
        request, owner = self._leave()
        try:
            await self._send(message)
        finally:
            if self._must_poll(message):
                turn, self.meter.polled = 0, turn > 0
            self._return(request, owner, turn if self._server_would_go_on else 0)

    def _must_poll(self, message: Message) -> bool:
        """Whether a server would have to wait for the client now, which does not read so fast."""
        part = message.get("body") if type(message) is dict else None
        if type(part) is bytes:
            self._unpolled += len(part)
            if self._unpolled > MOST_UNREAD:
                self._unpolled = 0
                return True
        return False

    def _leave(self) -> tuple[LiveExchange | None, LiveExchange | None]:
        """What follows is outside of the request: neither it nor the tasks that it starts are charged to it.

        Returns what `_return` takes: the request, and whose the step was.
        """
        meter = self.meter
        owner = meter.owner  # None where a framework calls from a context of its own
        request = CURRENT.get()
        CURRENT.set(None)
        if owner is not None:
            try:
                meter.end()
            except Exception as error:  # noqa: BLE001  # as above
                noted(error)
        return request, owner

    def _return(self, request: LiveExchange | None, owner: LiveExchange | None, turn: int = 0) -> None:
        """The request goes on. `turn`: the turn of the loop that counts as going on; 0: the one that runs now."""
        CURRENT.set(request)
        if (current := self._watcher.current()) is not self._watcher:
            self._continue(current)
        if turn:
            self.meter.polled, self.meter.turn = False, turn
        try:
            self.meter.switch_owner(owner)
        except Exception as error:  # noqa: BLE001  # as above
            noted(error)

    def _continue(self, watcher: Watcher | None) -> None:
        """Another test uses the connection: what follows is measured there. The app's start and stop are not."""
        if watcher is None or self.record.method == LIFESPAN:
            return
        try:
            self.meter = watcher.request_enters(self.record.app, self.record)
            self._watcher = watcher.current() or watcher
        except Exception as error:  # noqa: BLE001  # as above
            noted(error)

    def answered(self, answer: object) -> None:
        """The app has returned its answer, whose status has one of two names."""
        status = getattr(answer, "status_code", None) or getattr(answer, "status", None)
        self.passed({"type": "http.response.start", "status": status})

    def pause(self) -> None:
        """What follows is the test's, until it reads on."""
        self._leave()

    async def parts(self, given: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """The body of the answer: the request goes on whenever the test reads a part, and ends with the last one."""
        try:
            while True:
                self._return(self.record, self.record)
                try:
                    part = await _in_steps(anext(given), self.meter)
                except StopAsyncIteration:
                    self.passed(_END)
                    return
                self._leave()
                yield part
        except BaseException as error:
            self.record.error = None if isinstance(error, GeneratorExit) else error
            raise
        finally:
            self.left()

    def left(self) -> None:
        """The app's call has ended: its last segment does, too, and of its objects none is kept."""
        self.record.returned = self.record.phase_began = now()
        CURRENT.set(None)
        try:
            self.meter.switch_owner(None)
        except Exception as error:  # noqa: BLE001  # as above
            noted(error)
        let_go(self.record)

"""The client's side of a request: its `receive` and `send`, which are not the request's.

Whose the step is changes at each message. Everything here runs on the thread that runs the app.
"""

import sys
from collections.abc import Iterator
from typing import Protocol

from pytest_noblock.engine.asgi.messages import ExchangeRecorder, type_of
from pytest_noblock.engine.exchange import CURRENT, LiveExchange, Message, Receive, Send
from pytest_noblock.engine.frameworks.starlette import let_go
from pytest_noblock.engine.guard import noted
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.model.observation import LIFESPAN

border(__file__, sending=("send", "receive", "_leave", "_return", "_go_on", "_of_body"))

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


_BODY_READ = 65_536
"""Bytes of a request's body that are kept until it ends: as many as `sent_values` reads."""


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
        if self.meter.closed and type_of(message) == "lifespan.shutdown":
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
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
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
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
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
            except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
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
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            noted(error)

    def _continue(self, watcher: Watcher | None) -> None:
        """Another test uses the connection: what follows is measured there. The app's start and stop are not."""
        if watcher is None or self.record.method == LIFESPAN:
            return
        try:
            self.meter = watcher.request_enters(self.record.app, self.record)
            self._watcher = watcher.current() or watcher
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            noted(error)

    def left(self) -> None:
        """The app's call has ended: its last segment does, too, and of its objects none is kept."""
        self.record.returned = self.record.phase_began = now()
        CURRENT.set(None)
        try:
            self.meter.switch_owner(None)
        except Exception as error:  # noqa: BLE001  # as above
            noted(error)
        let_go(self.record)

"""An httpx transport that calls the app in process and returns when the response is complete.

`httpx.ASGITransport` and Starlette's TestClient return only after the app's call has
returned, so after the background tasks. Here the app's call goes on as a task of its own.
Everything here runs on the loop thread.
"""

import asyncio
import contextvars
import sys
from collections.abc import AsyncIterator

from pytest_noblock.engine.asgi.bodies import pieces
from pytest_noblock.engine.asgi.client_side import MOST_UNREAD
from pytest_noblock.engine.asgi.messages import ExchangeRecorder, cut_segment
from pytest_noblock.engine.exchange import CURRENT, ASGIApp, LiveExchange, Message, Scope
from pytest_noblock.engine.frameworks.answerer import note_answer
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.frameworks.starlette import let_go
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.handles import current_meter

border(__file__, sending=("_send", "_receive", "_deliver", "_check"))

EXTENSION = "pytest_noblock"
"""Request extension: the list to which each call of the app adds its LiveExchange. A redirect is one more call."""

_CLIENT = ("127.0.0.1", 123)
"""The client's address, the same as with `httpx.ASGITransport`, for apps that log or limit by address."""


_PORTS = {"http": 80, "https": 443}


class AppTransport(httpx.AsyncBaseTransport):
    """Every request that goes through is one exchange."""

    asks_for_tasks = False
    """Whether somebody asks when the background tasks began."""

    def __init__(self, app: ASGIApp, given: ASGIApp | None = None) -> None:
        """`given`: the user's own app, where `app` is a wrapper around it."""
        self._app = app
        self._given = app if given is None else given
        self._running: set[asyncio.Task[None]] = set()
        """Keeps the tasks alive: the loop has weak references only. A background task may outlive the client's call."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises NoResponse where the app's call ends before it starts a response."""
        record = LiveExchange(request.method, request.url.path)
        ours = EXTENSION in request.extensions
        if ours:
            request.extensions[EXTENSION].append(record)
        body = await request.aread()
        call = AppCall(self._app, record, body, asks_for_tasks=self.asks_for_tasks)
        record.scope, record.app = _scope(request), self._given
        self._start(call, record, owner=record if ours else None)
        start = await call.response_start()
        return httpx.Response(start["status"], headers=start.get("headers", []), stream=call)

    def _start(self, call: "AppCall", record: LiveExchange, owner: LiveExchange | None) -> None:
        """Start the call as a task whose steps belong to the owner. The client's own task belongs to no request.

        Without an owner the call is like any other that a test makes: a watch of the test sees it.
        """
        context = contextvars.copy_context()
        context.run(CURRENT.set, owner)
        record.sent = now()
        # Not by the loop's factory: an eager task would run the app in the client's step.
        task = asyncio.Task(call.run(), loop=asyncio.get_running_loop(), context=context)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _task: let_go(record))


class AppCall(httpx.AsyncByteStream):
    """One call of the app; iterating gives the body as it comes."""

    def __init__(self, app: ASGIApp, record: LiveExchange, body: bytes, *, asks_for_tasks: bool = False) -> None:
        self._app = app
        self._record = record
        record.body = body
        self._recorder = ExchangeRecorder(record, asks_for_tasks=asks_for_tasks)
        self._unread = pieces({"type": "http.request", "more_body": False}, body)
        self._reads_on = False
        """Whether a part of the body has been read already."""
        self._unpolled = 0
        """Bytes that the app has sent since a server would have polled."""
        self._response_start: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._body: asyncio.Queue[bytes | None] = asyncio.Queue()
        """The pieces of the body; None ends it."""
        self._client_left = asyncio.Event()

    async def run(self) -> None:
        """What the app raises goes on record and is not raised; a cancellation goes on."""
        self._record.task = asyncio.current_task()
        try:
            with self._recorder:
                await self._app(self._record.scope, self._receive, self._send)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._body.put_nowait(None)
            if not self._response_start.done():
                self._response_start.set_exception(NoResponse(self._record))

    async def response_start(self) -> Message:
        """The app's `http.response.start`. Raises NoResponse."""
        return await self._response_start

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._body.get()) is not None:
            yield chunk

    async def aclose(self) -> None:
        self._client_left.set()

    async def _receive(self) -> Message:
        if self._reads_on:
            await asyncio.sleep(0)  # a server polls the socket for the next piece
        self._reads_on = True
        for message in self._unread:
            return message
        await self._client_left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        note_answer(self._record, message, sys._getframe(1))
        await self._before(message)
        _check(message, started=self._record.started is not None)
        complete = self._recorder.passed(message)
        self._deliver(message, complete=complete)
        if complete:
            cut_segment()
        elif self._unpolled > MOST_UNREAD:
            self._unpolled = 0
            await asyncio.sleep(0)

    async def _before(self, message: Message) -> None:
        """The turn of the loop that the recorder may take is ours: the app's own goes on after it."""
        meter = current_meter()
        turn = meter.turn if meter is not None else 0
        await self._recorder.before(message)
        if meter is not None and meter.present_turn() != turn:
            meter.goes_on_in(turn)
            meter.switch_owner(meter.owner)

    def _deliver(self, message: Message, *, complete: bool) -> None:
        """Hand the message to the client's task, which runs in a later step: no client code runs in `send`."""
        if message["type"] == "http.response.start":
            self._response_start.set_result(message)
        elif message["type"] == "http.response.body" and message.get("body"):
            self._body.put_nowait(message["body"])
            self._unpolled += len(message["body"])
        if complete:
            self._body.put_nowait(None)


def _check(message: Message, *, started: bool) -> None:
    """Refuse what a server refuses, in the same way."""
    kind = message["type"]
    if kind.startswith("http.response.") and started == (kind == "http.response.start"):
        expected = "http.response.body" if started else "http.response.start"
        raise RuntimeError(f"Expected ASGI message '{expected}', but got '{kind}'.")
    if not isinstance(message.get("body", b""), bytes | bytearray | memoryview):
        raise TypeError("the body of an ASGI message must be bytes")
    if kind == "http.response.start":
        _check_start(message)


def _check_start(message: Message) -> None:
    """httpx would refuse it later, and nobody would know that the app sent it."""
    if not isinstance(message.get("status"), int):
        raise TypeError("the status of an ASGI message must be an integer")
    headers = message.get("headers", ())
    if not isinstance(headers, list | tuple):
        return  # an iterator can be read once
    if not all(len(pair) == 2 and isinstance(pair[0], bytes) and isinstance(pair[1], bytes) for pair in headers):
        raise TypeError("the headers of an ASGI message must be pairs of bytes")


class NoResponse(Exception):
    """The app's call ended without a response."""

    def __init__(self, record: LiveExchange) -> None:
        super().__init__(f"{record.method} {record.path} ended without a response")
        self.record = record


def _scope(request: httpx.Request) -> Scope:
    """The ASGI scope of the request, as uvicorn makes it from the same request over HTTP/1.1.

    With spec version 2.3 a streaming response of Starlette's listens for the client's
    disconnect, which `_receive` gives; from 2.4 on it would wait for an OSError from `send`.
    """
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port or _PORTS.get(url.scheme)),
        "client": _CLIENT,
        "root_path": "",
        "state": {},
    }

"""An httpx transport that calls the app in process and returns when the response is complete.

`httpx.ASGITransport` and Starlette's TestClient return only after the app's call did,
that is after the background tasks. Here the app's call goes on as a task of its own.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator

import httpx

from pytest_noblock.engine.exchange import CURRENT, ASGIApp, LiveExchange, Message, Scope
from pytest_noblock.engine.frameworks.background_tasks import let_begin
from pytest_noblock.engine.instrument import current_meter
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import border

border(__file__)

EXTENSION = "pytest_noblock"
"""Request extension: the list to which each call of the app (redirects are further ones) adds its `Record`."""


class AppTransport(httpx.AsyncBaseTransport):
    """Every request that goes through is one exchange."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        record = LiveExchange(request.method, request.url.path)
        request.extensions.get(EXTENSION, []).append(record)
        body = await request.aread()
        call = AppCall(self._app, record, body)
        context = contextvars.copy_context()
        context.run(CURRENT.set, record)
        record.scope = _scope(request)
        record.sent = now()
        task = asyncio.get_running_loop().create_task(call.run(), context=context)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        start = await call.started()
        return httpx.Response(start["status"], headers=start.get("headers", []), stream=call)


class AppCall(httpx.AsyncByteStream):
    """One call of the app; iterating gives the body as it comes."""

    def __init__(self, app: ASGIApp, record: LiveExchange, body: bytes) -> None:
        self._app = app
        self._record = record
        self._request: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._start: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._body: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = asyncio.Event()

    async def run(self) -> None:
        """Never raises: the app's exception is part of the exchange."""
        record = self._record
        record.task = asyncio.current_task()
        try:
            await self._app(record.scope, self._receive, self._send)
        except BaseException as error:
            record.error = error
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            record.returned = now()
            self._body.put_nowait(None)
            if not self._start.done():
                self._start.set_exception(NoResponse(record))

    async def started(self) -> Message:
        return await self._start

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._body.get()) is not None:
            yield chunk

    async def aclose(self) -> None:
        self._gone.set()

    async def _receive(self) -> Message:
        if self._request:
            return self._request.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await let_begin(self._record, message)
        moment = now()
        _check(message, started=self._record.started is not None)
        if message["type"] == "http.response.start":
            self._record.started = moment
            self._record.status = message["status"]
            self._start.set_result(message)
        elif message["type"] == "http.response.body":
            if message.get("body"):
                self._body.put_nowait(message["body"])
            if not message.get("more_body", False):
                self._complete(moment)

    def _complete(self, moment: int) -> None:
        self._record.completed = moment
        self._body.put_nowait(None)
        meter = current_meter()
        if meter is not None:  # what follows in this step is the background phase
            meter.switch_owner(meter.owner)


def _check(message: Message, *, started: bool) -> None:
    """Refuse what a server refuses, in the same way."""
    kind = message["type"]
    if kind.startswith("http.response.") and started == (kind == "http.response.start"):
        expected = "http.response.body" if started else "http.response.start"
        raise RuntimeError(f"Expected ASGI message '{expected}', but got '{kind}'.")
    if not isinstance(message.get("body", b""), bytes | bytearray | memoryview):
        raise TypeError("the body of an ASGI message must be bytes")


class NoResponse(Exception):
    """The app's call ended without a response."""

    def __init__(self, record: LiveExchange) -> None:
        super().__init__(f"{record.method} {record.path} ended without a response")
        self.record = record


def _scope(request: httpx.Request) -> Scope:
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
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
        "extensions": {},
    }

"""Where requests enter apps: patched while a test is watched, and only in modules that are imported.

`__call__` of a framework's app class sees every client of its apps, awaited by hand
included. Other apps are seen in the transports of httpx, of httpx2 and of Starlette's
TestClient, which call `self.app`. Three clients call no ASGI app: they are seen where they
hand the framework's own request over. The wrappers run on whichever thread runs the app.
"""

import copy
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from pytest_noblock.engine.asgi import boundary
from pytest_noblock.engine.asgi.client_side import Watcher
from pytest_noblock.engine.asgi.look import Look
from pytest_noblock.engine.exchange import CURRENT, ASGIApp, Receive, Scope, Send
from pytest_noblock.engine.frameworks import others
from pytest_noblock.engine.guard import noted
from pytest_noblock.engine.network.client_calls import SENT
from pytest_noblock.engine.patches import Patch, Patches, attribute

if TYPE_CHECKING:
    from pytest_noblock.engine.frameworks.noting import Streams

_STARLETTE = ("starlette.applications", "Starlette")
_TRANSPORTS = {
    "httpx": ("ASGITransport", "handle_async_request"),
    "httpx2": ("ASGITransport", "handle_async_request"),
    "starlette.testclient": ("_TestClientTransport", "handle_request"),
}
_ASYNC_CLIENTS = {
    "httpx": ("AsyncClient", "send"),
    "httpx2": ("AsyncClient", "send"),
    "aiohttp.client": ("ClientSession", "_request"),  # private (aiohttp 3.x); without it, its requests are not counted
}
"""Clients whose requests are counted, wherever they go. Those that block are counted in `client_calls`."""
_MODULES = (_STARLETTE[0], *_TRANSPORTS, "aiohttp.client", *others.APPS, *others.WITHOUT_ASGI)
_SEEN_THEMSELVES = {"starlette.applications", "fastapi.applications"}
"""Modules of app classes whose own `__call__` does nothing of note before `Starlette.__call__`, which is patched. The
`__call__` of a user's subclass may do more, so its requests are seen at the transport."""


def _counting(owner: type, original: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(original)
    def send(client: object, *args: object, **kwargs: object) -> object:
        __tracebackhide__ = True
        if CURRENT.get() is None:
            SENT.note(owner, original.__name__)
        return original(client, *args, **kwargs)

    return send


class _WithLook(Patches):
    """The look begins with the patches, and ends with them."""

    def __init__(self, find: Callable[[], Iterator[Patch]], look: Look) -> None:
        super().__init__(find, _MODULES, at_once=_MODULES)
        self._look = look

    def install(self) -> None:
        super().install()
        self._look.start()

    def uninstall(self) -> None:
        self._look.stop()
        super().uninstall()


class EntryPoints:
    """Requests that enter an app while `patches` are installed are reported to `watcher`; None: to nobody."""

    def __init__(self) -> None:
        self.watcher: Watcher | None = None
        self.patches = _WithLook(self._found, Look(self._seen_beside))
        """For `instrument.install`."""

    def _seen_beside(self, app: object, scope: Scope, receive: Receive, send: Send) -> boundary.Beside | None:
        """See `look`."""
        client = None if self.watcher is None else boundary.entered(self.watcher, app, scope, receive, send)
        return None if client is None else boundary.Beside(client)

    def _found(self) -> Iterator[Patch]:
        starlette = attribute(*_STARLETTE)
        if starlette is not None:
            yield Patch(starlette, "__call__", self._entering)
        yield from (Patch(app, "__call__", self._entering) for app in others.apps())
        yield from self._without_asgi()
        for module, (name, method) in _TRANSPORTS.items():
            transport = attribute(module, name)
            if transport is not None:
                yield Patch(transport, method, self._carrying)
        for module, (name, method) in _ASYNC_CLIENTS.items():
            client = attribute(module, name)
            if hasattr(client, method):
                yield Patch(client, method, functools.partial(_counting, client))

    def _without_asgi(self) -> Iterator[Patch]:
        for module, (name, method, ours) in others.WITHOUT_ASGI.items():
            owner = attribute(module, name)
            if owner is not None and hasattr(owner, method):
                yield Patch(owner, method, functools.partial(others.room(ours).entering, self._handled))

    async def _handled(
        self, app: object, scope: Scope, call: Callable[[], Awaitable[Any]], streams: "Streams | None" = None
    ) -> Any:
        """The answer of a call that takes no scope, `receive` and `send`. `scope`: what is known of the request."""
        __tracebackhide__ = True
        if self.watcher is None:
            return await call()
        from pytest_noblock.engine.asgi import answers  # most clients call the app by ASGI

        return await answers.handle(self.watcher, app, scope, call, streams)

    def _entering(self, original: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Awaitable[None]]:
        entry_points = self

        async def __call__(self: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
            """Its first parameter is called as in a class: Falcon's testing counts the others."""
            __tracebackhide__ = True
            call = functools.partial(original, self)
            if entry_points.watcher is None:
                await call(scope, receive, send)
            else:
                await boundary.enter(entry_points.watcher, call, self, scope, receive, send)

        return __call__

    def _carrying(self, original: Callable[..., Awaitable[object] | object]) -> Callable[..., object]:
        def handle(transport: Any, request: object) -> Awaitable[object] | object:
            __tracebackhide__ = True
            return original(self._bounded(transport), request)

        return handle

    def _bounded(self, transport: Any) -> Any:
        """A copy of the transport whose app reports its requests: the test may look at the app of its own transport."""
        watcher = self.watcher
        try:
            given = transport.app
            if watcher is None or type(given).__module__ in _SEEN_THEMSELVES:
                return transport

            async def app(scope: Scope, receive: Receive, send: Send) -> None:
                __tracebackhide__ = True
                await boundary.enter(watcher, given, given, scope, receive, send)

            bounded = copy.copy(transport)
            bounded.app = app
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            noted(error)
            return transport
        return bounded

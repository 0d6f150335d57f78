"""Where requests enter apps: patched while a test is watched, and only in modules that are imported.

`Starlette.__call__` sees every client of Starlette and FastAPI apps, awaited by hand
included. The apps of other frameworks are seen in the transports of httpx, of httpx2 and
of Starlette's TestClient, which call `self.app`. The wrappers run on whichever thread
runs the app.
"""

import copy
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from pytest_noblock.engine.asgi import boundary
from pytest_noblock.engine.asgi.boundary import Watcher
from pytest_noblock.engine.exchange import ASGIApp, Receive, Scope, Send
from pytest_noblock.engine.guard import noted
from pytest_noblock.engine.patches import Patch, Patches, attribute

_STARLETTE = ("starlette.applications", "Starlette")
_TRANSPORTS = {
    "httpx": ("ASGITransport", "handle_async_request"),
    "httpx2": ("ASGITransport", "handle_async_request"),
    "starlette.testclient": ("_TestClientTransport", "handle_request"),
}
_MODULES = (_STARLETTE[0], *_TRANSPORTS)
_SEEN_THEMSELVES = {"starlette.applications", "fastapi.applications"}
"""Modules of app classes whose own `__call__` does nothing of note before `Starlette.__call__`, which is patched. The
`__call__` of a user's subclass may do more, so its requests are seen at the transport."""


class EntryPoints:
    """Requests that enter an app while `patches` are installed are reported to `watcher`; None: to nobody."""

    def __init__(self) -> None:
        self.watcher: Watcher | None = None
        self.patches = Patches(self._found, _MODULES, at_once=_MODULES)
        """For `instrument.install`."""

    def _found(self) -> Iterator[Patch]:
        starlette = attribute(*_STARLETTE)
        if starlette is not None:
            yield Patch(starlette, "__call__", self._entering)
        for module, (name, method) in _TRANSPORTS.items():
            transport = attribute(module, name)
            if transport is not None:
                yield Patch(transport, method, self._carrying)

    def _entering(self, original: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Awaitable[None]]:
        async def __call__(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
            __tracebackhide__ = True
            call = functools.partial(original, app)
            if self.watcher is None:
                await call(scope, receive, send)
            else:
                await boundary.enter(self.watcher, call, app, scope, receive, send)

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

"""Where requests enter apps: patched while a test is watched, and only in modules that are imported.

`Starlette.__call__` sees every client of Starlette and FastAPI apps, awaited by hand
included. The apps of other frameworks are seen in the transports of httpx, of httpx2 and
of Starlette's TestClient, which call `self.app`. The wrappers run on whichever thread
runs the app.
"""

import copy
import functools
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from pytest_noblock.engine.asgi import boundary
from pytest_noblock.engine.asgi.boundary import Watcher
from pytest_noblock.engine.exchange import ASGIApp, Receive, Scope, Send
from pytest_noblock.engine.patches import Patch, Patches

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
        if hasattr(sys.modules.get(_STARLETTE[0]), _STARLETTE[1]):
            yield Patch(getattr(sys.modules[_STARLETTE[0]], _STARLETTE[1]), "__call__", self._entering)
        for module, (name, method) in _TRANSPORTS.items():
            if hasattr(sys.modules.get(module), name):
                yield Patch(getattr(sys.modules[module], name), method, self._carrying)

    def _entering(self, original: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Awaitable[None]]:
        async def __call__(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
            call = functools.partial(original, app)
            if self.watcher is None:
                await call(scope, receive, send)
            else:
                await boundary.enter(self.watcher, call, app, scope, receive, send)

        return __call__

    def _carrying(self, original: Callable[..., Awaitable[object] | object]) -> Callable[..., object]:
        """Replace the app on a copy of the transport: the test may look at the app of its own transport."""

        def handle(transport: Any, request: object) -> Awaitable[object] | object:
            watcher, given = self.watcher, transport.app
            if watcher is None or type(given).__module__ in _SEEN_THEMSELVES:
                return original(transport, request)

            async def app(scope: Scope, receive: Receive, send: Send) -> None:
                await boundary.enter(watcher, given, given, scope, receive, send)

            bounded = copy.copy(transport)
            bounded.app = app
            return original(bounded, request)

        return handle

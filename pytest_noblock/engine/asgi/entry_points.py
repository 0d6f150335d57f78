"""Where requests enter apps: patched while a test is watched, and only what the test or its app imports.

`Starlette.__call__` sees every client of Starlette and FastAPI apps, awaited by hand
included; other frameworks' apps are seen in the transports of httpx, httpx2 and of
Starlette's TestClient, which call `self.app`.
"""

import copy
import functools
import importlib
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from pytest_noblock.engine import instrument
from pytest_noblock.engine.asgi import boundary
from pytest_noblock.engine.asgi.boundary import Watcher
from pytest_noblock.engine.exchange import ASGIApp, Receive, Scope, Send
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.patches import Patch, Patches

_STARLETTE = ("starlette.applications", "Starlette")
_TRANSPORTS = {
    "httpx": ("ASGITransport", "handle_async_request"),
    "httpx2": ("ASGITransport", "handle_async_request"),
    "starlette.testclient": ("_TestClientTransport", "handle_request"),
}
_MODULES = (_STARLETTE[0], *_TRANSPORTS)
_ALL_MODULES = (*_MODULES, *starlette.MODULES)
_WHOLE = {_STARLETTE[0], "fastapi"}
"""Once these are imported, everything of Starlette's and FastAPI's that is patched is there."""
_SEEN_THEMSELVES = {"starlette.applications", "fastapi.applications"}
"""Whose `__call__` does nothing of note before `Starlette.__call__`; a subclass's may."""


class Entrances:
    """Requests that enter meanwhile are told to `watcher`; None: nobody wants to know."""

    def __init__(self) -> None:
        self.watcher: Watcher | None = None
        self._users = 0
        self._patches = Patches(self._found, _MODULES)
        self._imports = Patches(lambda: [Patch(importlib._bootstrap, "_find_and_load", self._loading)])

    def open(self) -> None:
        """Every time is ended by one `close`. A fixture, or the test itself, may be the first to import the app."""
        self._users += 1
        self._patches.install()
        if None in map(sys.modules.get, _ALL_MODULES):
            self._imports.install()

    def catch_up(self) -> None:
        """Open already; see `instrument.catch_up`."""
        self._patches.catch_up()

    def close(self) -> None:
        self._users -= 1
        if not self._users:
            self._imports.uninstall()
            self._patches.uninstall()

    def _found(self) -> Iterator[Patch]:
        if hasattr(sys.modules.get(_STARLETTE[0]), _STARLETTE[1]):
            yield Patch(getattr(sys.modules[_STARLETTE[0]], _STARLETTE[1]), "__call__", self._entering)
        for module, (name, method) in _TRANSPORTS.items():
            if hasattr(sys.modules.get(module), name):
                yield Patch(getattr(sys.modules[module], name), method, self._carrying)

    def _loading(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def _find_and_load(name: str, import_: Any) -> Any:
            module = original(name, import_)
            if name in _MODULES:
                self._patches.install()
            if name in _WHOLE:
                instrument.starlette_came()
            return module

        return _find_and_load

    def _entering(self, original: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Awaitable[None]]:
        async def __call__(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
            call = functools.partial(original, app)
            if self.watcher is None:
                await call(scope, receive, send)
            else:
                await boundary.enter(self.watcher, call, app, scope, receive, send)

        return __call__

    def _carrying(self, original: Callable[..., Awaitable[object] | object]) -> Callable[..., object]:
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

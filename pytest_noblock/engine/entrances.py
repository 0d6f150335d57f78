"""Where requests enter apps: patched while a test is watched, and only where it is imported already.

`Starlette.__call__` sees every client of Starlette and FastAPI apps, awaited by hand
included; other frameworks' apps are seen in the transports of httpx, httpx2 and of
Starlette's TestClient, which call `self.app`.
"""

import copy
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pytest_noblock.engine import boundary
from pytest_noblock.engine.boundary import Watcher
from pytest_noblock.engine.exchange import ASGIApp, Receive, Scope, Send

Undo = Callable[[], None]

_TRANSPORTS = (
    ("httpx", "ASGITransport", "handle_async_request"),
    ("httpx2", "ASGITransport", "handle_async_request"),
    ("starlette.testclient", "_TestClientTransport", "handle_request"),
)


def install(watcher: Watcher) -> list[Undo]:
    """Patch what is there; returns what takes it out again."""
    undo = [_through_transport(watcher, *names) for names in _TRANSPORTS if _class(*names[:2]) is not None]
    if _class("starlette.applications", "Starlette") is not None:
        undo.append(_through_starlette(watcher))
    return undo


def _class(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def _through_starlette(watcher: Watcher) -> Undo:
    starlette = _class("starlette.applications", "Starlette")
    original = starlette.__call__

    async def __call__(self: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        def app(scope: Scope, receive: Receive, send: Send) -> Any:
            return original(self, scope, receive, send)

        await boundary.enter(watcher, app, self, scope, receive, send)

    starlette.__call__ = __call__
    return lambda: setattr(starlette, "__call__", original)


def _through_transport(watcher: Watcher, module: str, name: str, method: str) -> Undo:
    transport = _class(module, name)
    original: Callable[..., Awaitable[object] | object] = getattr(transport, method)

    def handle(self: Any, request: object) -> Awaitable[object] | object:
        given = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await boundary.enter(watcher, given, given, scope, receive, send)

        bounded = copy.copy(self)
        bounded.app = app
        return original(bounded, request)

    setattr(transport, method, handle)
    return lambda: setattr(transport, method, original)

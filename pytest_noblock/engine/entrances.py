"""Where requests enter apps: patched while a test is watched, and only what the test or its app imports.

`Starlette.__call__` sees every client of Starlette and FastAPI apps, awaited by hand
included; other frameworks' apps are seen in the transports of httpx, httpx2 and of
Starlette's TestClient, which call `self.app`.
"""

import copy
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pytest_noblock.engine import boundary, starlette
from pytest_noblock.engine.boundary import Watcher
from pytest_noblock.engine.exchange import ASGIApp, Receive, Scope, Send

Undo = Callable[[], None]

_STARLETTE = ("starlette.applications", "Starlette")
_TRANSPORTS = {
    "httpx": ("ASGITransport", "handle_async_request"),
    "httpx2": ("ASGITransport", "handle_async_request"),
    "starlette.testclient": ("_TestClientTransport", "handle_request"),
}
_MODULES = {_STARLETTE[0], *_TRANSPORTS}


def install(watcher: Watcher) -> list[Undo]:
    """Patch what is imported, and what comes later as soon as it is; returns what takes it out again."""
    undo = [patched for module in _MODULES for patched in _through(watcher, module)]
    return undo if sys.modules.keys() >= _MODULES else [*undo, _wait_for_others(watcher)]


def _wait_for_others(watcher: Watcher) -> Undo:
    """A fixture, or the test itself, may be the first in the run to import the app."""
    imports: Any = importlib._bootstrap  # noqa: SLF001
    original = imports._find_and_load
    missing = {name for name in _MODULES if name not in sys.modules}
    late: list[Undo] = []

    def _find_and_load(name: str, import_: Any) -> Any:
        module = original(name, import_)
        if name in missing:
            missing.remove(name)
            late.extend(_through(watcher, name))
        whole = name == "fastapi" or (name == _STARLETTE[0] and "fastapi" not in sys.modules)
        if whole and not starlette.installed():
            late.append(starlette.install())
        return module

    imports._find_and_load = _find_and_load

    def undo() -> None:
        imports._find_and_load = original
        while late:
            late.pop()()

    return undo


def _through(watcher: Watcher, module: str) -> list[Undo]:
    if module in _TRANSPORTS and _class(module, _TRANSPORTS[module][0]) is not None:
        return [_through_transport(watcher, module, *_TRANSPORTS[module])]
    if module == _STARLETTE[0] and _class(*_STARLETTE) is not None:
        return [_through_starlette(watcher)]
    return []


def _class(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def _through_starlette(watcher: Watcher) -> Undo:
    starlette = _class(*_STARLETTE)
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

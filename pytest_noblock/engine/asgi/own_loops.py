"""The event loops of ours that the fixture runs an app on: asyncio's, uvloop's, and asyncio's as the host of trio."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps.handles import whose_step
from pytest_noblock.engine.steps.other_loops import OWN
from pytest_noblock.engine.threads.executor import SeesExecutor
from pytest_noblock.engine.threads.gil_gaps import GapSelector
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import OwnLoop

T = TypeVar("T")


def new_loop(kind: OwnLoop) -> asyncio.AbstractEventLoop:
    """The loop that the app's thread runs. The package of that name is installed."""
    loop = _uvloops() if kind == "uvloop" else _asyncios()
    setattr(loop, OWN, kind)
    return loop


def hosted(kind: OwnLoop, app: ASGIApp, user: UserCode) -> AbstractAsyncContextManager[ASGIApp]:
    """On that loop: the app as asyncio can call it, until the block is left."""
    if kind != "trio":
        return nullcontext(app)
    from pytest_noblock.engine.asgi.trio_guest import on_trio  # few ask for it

    return on_trio(app, user)


def _asyncios() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":  # the selector loop there has no subprocesses
        loop: asyncio.AbstractEventLoop = _ProactorLoop()
    else:
        loop = _SelectorLoop()
    _use_our_clock(loop)
    return loop


def _uvloops() -> asyncio.AbstractEventLoop:
    """It keeps its own clock: uvloop's timers read no function of Python's, so that no test can freeze them."""
    import uvloop

    from pytest_noblock.engine.steps.wrapped_callbacks import wrapping

    kind = type("Loop", (SeesExecutor, _KnowsExecutor, wrapping(uvloop.Loop, whose_step)), {})
    loop: asyncio.AbstractEventLoop = kind()
    return loop


class _SelectorLoop(SeesExecutor, asyncio.SelectorEventLoop):  # type: ignore[misc]  # typeshed: two signatures
    """The loop of the app."""

    def __init__(self) -> None:
        super().__init__(GapSelector())


if sys.platform == "win32":

    class _ProactorLoop(SeesExecutor, asyncio.ProactorEventLoop):  # type: ignore[misc]
        """The loop of the app."""


class _KnowsExecutor(asyncio.AbstractEventLoop):
    """Keeps the default executor where asyncio's own loops have it: uvloop shows nobody its own."""

    _default_executor: Any = None

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        if executor is None and self._default_executor is None:
            self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        return super().run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: Any) -> None:
        super().set_default_executor(executor)
        self._default_executor = executor


def _use_our_clock(loop: asyncio.AbstractEventLoop) -> None:
    """Have the loop's timers go by `now`, so that they go on in a test that freezes `time.monotonic`.

    asyncio's own loops call `self.time()` for every timer (CPython 3.11 to 3.15). A loop
    that reads the clock in another way stands still in such a test, as it does without us.
    """
    loop.time = lambda: now() / 1e9  # type: ignore[method-assign]

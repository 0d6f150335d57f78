"""Starts and stops an app by its ASGI lifespan; a failure is one sentence. All of it runs on the loop thread."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import cast

from asgi_lifespan import LifespanManager, LifespanNotSupported

from pytest_noblock.engine.exchange import ASGIApp, LiveExchange, Message, Receive, Scope, Send, owned
from pytest_noblock.engine.stacks import describe_error
from pytest_noblock.engine.steps.python_threads import app_starts
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import LIFESPAN

LIMIT_S = 30
"""Seconds that the startup may take, and seconds that the shutdown may take. Chosen, not measured: an app under test
needs far less."""


class LifespanFailed(Exception):
    """The app did not start or did not stop; the message is a whole sentence."""


@asynccontextmanager
async def running(app: ASGIApp, user: UserCode) -> AsyncIterator[ASGIApp]:
    """The app between startup and shutdown, as requests must be given to it (`lifespan.state` included).

    An app without a lifespan is given back as it is. Raises LifespanFailed.
    """
    manager = LifespanManager(_as_under_server(_raising_failures(app)), LIMIT_S, LIMIT_S)
    try:
        with owned(LiveExchange(LIFESPAN, "")), app_starts():
            await manager.__aenter__()
    except LifespanNotSupported:
        yield app
        return
    except BaseException as error:
        raise _failure("startup", error, user) from error
    yield cast("ASGIApp", manager.app)
    try:
        await manager.__aexit__(None, None, None)
    except BaseException as error:
        raise _failure("shutdown", error, user) from error


def _as_under_server(app: ASGIApp) -> ASGIApp:
    """Give the app what asgi-lifespan (seen in 2.1) does not, and uvicorn does.

    The scope of the lifespan names the version of ASGI. Each request has a copy of the lifespan's state: what one
    request writes into it, the next does not see.
    """

    async def as_under_server(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["asgi"] = {"version": "3.0", "spec_version": "2.0"}
        else:
            scope["state"] = scope["state"].copy()
        await app(scope, receive, send)

    return as_under_server


def _raising_failures(app: ASGIApp) -> ASGIApp:
    """Raise what the app only reports by `lifespan.startup.failed` or `lifespan.shutdown.failed`.

    asgi-lifespan (seen in 2.1) passes over these messages and waits for an answer until its limit.
    """

    async def raising(scope: Scope, receive: Receive, send: Send) -> None:
        async def noting_failures(message: Message) -> None:
            await send(message)
            if message["type"].endswith(".failed"):
                failures.append(message.get("message") or "no message")

        failures: list[str] = []
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await _without_exiting(app(scope, receive, noting_failures))
        if failures:
            raise RuntimeError(failures[-1].strip().splitlines()[-1])

    return raising


async def _without_exiting(call: Awaitable[None]) -> None:
    """Raise an ordinary exception where the app exits or cancels itself: either would end the event loop.

    A cancellation that comes from outside goes on as one.
    """
    try:
        await call
    except (SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise _Exited(repr(error)).with_traceback(error.__traceback__) from error


class _Exited(Exception):
    """Its `repr` is that of the exception which the app raised."""

    def __repr__(self) -> str:
        return str(self)


def _failure(stage: str, error: BaseException, user: UserCode) -> LifespanFailed:
    if isinstance(error, TimeoutError):
        return LifespanFailed(f"the app's lifespan {stage} did not finish within {LIMIT_S} s")
    return LifespanFailed(f"the app's lifespan {stage} failed: {describe_error(error, user)}")

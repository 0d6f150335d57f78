"""The app's lifespan, with failures told in a sentence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import cast

from asgi_lifespan import LifespanManager, LifespanNotSupported

from pytest_noblock.engine.exchange import ASGIApp, LiveExchange, Message, Receive, Scope, Send, owned
from pytest_noblock.engine.stacks import describe_error
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import LIFESPAN

_LIMIT_S = 30


class LifespanFailed(Exception):
    """The app did not start or did not stop; the message is a whole sentence."""


@asynccontextmanager
async def running(app: ASGIApp, user: UserCode) -> AsyncIterator[ASGIApp]:
    """The app between startup and shutdown, as requests must be given to it (`lifespan.state` included).

    An app without a lifespan is given back as it is. Raises LifespanFailed.
    """
    manager = LifespanManager(_reporting(app), _LIMIT_S, _LIMIT_S)
    try:
        with owned(LiveExchange(LIFESPAN, "")):
            await manager.__aenter__()
    except LifespanNotSupported:
        yield app
        return
    except BaseException as error:
        raise _explained("startup", error, user) from error
    yield cast("ASGIApp", manager.app)
    try:
        await manager.__aexit__(None, None, None)
    except BaseException as error:
        raise _explained("shutdown", error, user) from error


def _reporting(app: ASGIApp) -> ASGIApp:
    """asgi-lifespan waits in vain when an app reports a failure without raising; raise for it."""

    async def reporting(scope: Scope, receive: Receive, send: Send) -> None:
        async def checked(message: Message) -> None:
            await send(message)
            if message["type"].endswith(".failed"):
                failures.append(message.get("message") or "no message")

        failures: list[str] = []
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await _without_leaving(app(scope, receive, checked))
        if failures:
            raise RuntimeError(failures[-1].strip().splitlines()[-1])

    return reporting


async def _without_leaving(call: Awaitable[None]) -> None:
    """An app that exits, or cancels itself, would take the event loop along."""
    try:
        await call
    except (SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise _Left(repr(error)).with_traceback(error.__traceback__) from error


class _Left(Exception):
    """Reads as what the app raised."""

    def __repr__(self) -> str:
        return str(self)


def _explained(stage: str, error: BaseException, user: UserCode) -> LifespanFailed:
    if isinstance(error, TimeoutError):
        return LifespanFailed(f"the app's lifespan {stage} did not finish within {_LIMIT_S} s")
    return LifespanFailed(f"the app's lifespan {stage} failed: {describe_error(error, user)}")

"""Closes the fixture's loop after the app has stopped, in a bounded time. All of it runs on the loop thread.

`asyncio.Runner` waits for tasks that ignore their cancellation, and up to 300 s for threads (CPython 3.12, 3.13; for
ever in 3.11). Nothing here waits for an app.

Private and read here: `_default_executor` of a loop and `_threads` of a ThreadPoolExecutor; `_threads_queues` of
`concurrent.futures.thread`, whose threads the interpreter waits for at its end; `_log_destroy_pending` of a task
(CPython 3.11 to 3.14). Where one is missing, the interpreter's end waits, or a task that is left is logged.
"""

import asyncio
import concurrent.futures.thread
import contextlib
from collections.abc import Awaitable
from typing import Any

from pytest_noblock.engine.asgi.lifespan import LifespanFailed, sits_at
from pytest_noblock.engine.now import now
from pytest_noblock.engine.threads.await_chains import await_chain_through_tasks
from pytest_noblock.engine.usercode import UserCode

CLOSE_S = 5
"""Seconds for what the app has left behind, in all: its tasks, which are cancelled, its async generators, and the
threads of its default executor. Chosen: what cleans up behind an app under test needs far less."""

_left: "list[asyncio.Task[Any]]" = []
"""Tasks that did not end. They stay pending for ever: nobody may find one of them, and complain."""


async def close_down(loop: asyncio.AbstractEventLoop, user: UserCode) -> None:
    """Raises LifespanFailed where a task ignores its cancellation."""
    deadline = now() + round(CLOSE_S * 1e9)
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    stubborn = await _unfinished(tasks, deadline)
    chains = [await_chain_through_tasks(task) for task in stubborn]
    await _unfinished({_quiet(loop.shutdown_asyncgens())}, deadline)
    if await _unfinished({_quiet(loop.shutdown_default_executor())}, deadline):
        _let_go(getattr(loop, "_default_executor", None))
    for task in asyncio.all_tasks(loop) - {asyncio.current_task()}:
        setattr(task, "_log_destroy_pending", False)  # noqa: B010  # private
        _left.append(task)
    if stubborn:
        where = next(filter(None, (sits_at(chain, user) for chain in chains)), "")
        raise LifespanFailed(not_stopped(where))


def not_stopped(where: str) -> str:
    """The sentence for a task that ignores its cancellation; `where` it sits, as `sits_at` says it."""
    return f"the app cannot be stopped: a task of it did not end within {CLOSE_S} s of its cancellation{where}"


def _quiet(call: Awaitable[None]) -> "asyncio.Task[None]":
    """The call as a task. What it raises is nobody's business: asyncio has told it to the loop's exception handler."""

    async def quiet() -> None:
        with contextlib.suppress(Exception):
            await call

    return asyncio.ensure_future(quiet())


async def _unfinished(tasks: "set[asyncio.Task[Any]]", deadline: int) -> "set[asyncio.Task[Any]]":
    if not tasks:
        return set()
    done, pending = await asyncio.wait(tasks, timeout=max(0, deadline - now()) / 1e9)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "a task raised when it was cancelled", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)
    return pending


def _let_go(executor: object) -> None:
    """The end of the interpreter does not wait for the executor's threads either. They are daemons as their loop's."""
    for thread in getattr(executor, "_threads", ()):
        getattr(concurrent.futures.thread, "_threads_queues", {}).pop(thread, None)

"""Where a request sits that does not end."""

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from pytest_noblock.engine.exchange import LiveExchange, record_of
from pytest_noblock.engine.stacks import RawFrame, as_stack, capture, line_of
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame, user_frame

_WAITS_FOR_WORKER = {"run_sync_in_worker_thread", "to_thread"}
"""anyio's and asyncio's own functions that wait for a thread."""


def where(record: LiveExchange, user: UserCode) -> Frame | None:
    """The innermost user line that the request waits at, in any of its tasks or in a worker thread."""
    chains = [await_chain(task) for task in tasks_of(record)]
    if any(chain and chain[0][0].co_name in _WAITS_FOR_WORKER for chain in chains):
        line = next(_worker_lines(user), None)
        if line is not None:
            return line
    return next((frame for chain in chains if (frame := user_frame(as_stack(chain, user)))), None)


def tasks_of(record: LiveExchange) -> "list[asyncio.Task[object]]":
    """The youngest first, the request's own task last: the others were started by it."""
    tasks = {task for task in asyncio.all_tasks() - {record.task} if record_of(task) is record}
    children = sorted(tasks, key=lambda task: task.get_name(), reverse=True)
    return [*children, record.task] if record.task is not None else children


def await_chain(task: "asyncio.Task[object]") -> list[RawFrame]:
    """The frames of the coroutines that wait for each other, innermost first."""
    frames = [(frame.f_code, line_of(frame), frame.f_lasti, frame.f_globals) for _, frame in coroutines(task)]
    return frames[::-1]


def coroutines(task: "asyncio.Task[object]") -> Iterator[tuple[object, FrameType]]:
    """The coroutines that wait for each other, outermost first, and their frames."""
    waiting: object = task.get_coro()
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if frame is not None:
            yield waiting, frame
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None) or _inside(waiting)


_FOR_TASKS = {"wait_for": "fut", "_wait": "fs", "__aexit__": "self", "_aexit": "self"}
"""asyncio's and anyio's functions that wait at a future of their own, which a callback sets, and the local variable
that has the tasks it stands for, or their group; since 3.12 `wait_for` starts no task."""
_IN = {"asyncio.tasks", "asyncio.taskgroups", "anyio._backends._asyncio"}


def awaited_task(task: "asyncio.Task[object]") -> "asyncio.Task[object] | None":
    """One that it waits for and that has not ended: itself, or by `gather`, `wait`, `wait_for`, a task group."""
    future: Any = getattr(task, "_fut_waiter", None)
    if isinstance(future, asyncio.Task):
        return future
    children = getattr(future, "_children", None) or _waited_for(task)
    return next((each for each in children if isinstance(each, asyncio.Task) and not each.done()), None)


def _waited_for(task: "asyncio.Task[object]") -> Iterable[object]:
    frames = [frame for _, frame in coroutines(task)]
    innermost = frames[-1] if frames else None
    if innermost is None or innermost.f_globals.get("__name__") not in _IN:
        return ()
    found = innermost.f_locals.get(_FOR_TASKS.get(innermost.f_code.co_name, ""))
    tasks = getattr(found, "_tasks", found)
    return tasks if isinstance(tasks, set) else [tasks]


def _inside(waiting: object) -> object:
    """What `async for` waits on, and `await` on an object that has `__await__`, show nothing, but refer to it."""
    kind = type(waiting).__name__
    if kind == "coroutine_wrapper":
        return next((each for each in gc.get_referents(waiting) if inspect.iscoroutine(each)), None)
    if kind in ("async_generator_asend", "async_generator_athrow"):
        return next((each for each in gc.get_referents(waiting) if inspect.isasyncgen(each)), None)
    return None


def _worker_lines(user: UserCode) -> Iterator[Frame]:
    """The innermost user lines of the threads that are neither the loop's nor the test's."""
    ours = {threading.get_ident(), threading.main_thread().ident}
    for ident, running in sys._current_frames().items():
        frame = None if ident in ours else user_frame(as_stack(capture(running), user))
        if frame is not None:
            yield frame

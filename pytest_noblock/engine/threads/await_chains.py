"""Await chains: which coroutine, and which task, a task waits for, down to the innermost line.

All functions run on the loop thread, so that no task goes on while its chain is read.

asyncio has no public way to ask what a task waits for. What is read instead, where it was seen, and what is
lost where a later version lacks it:

- `Task._fut_waiter`, `_GatheringFuture._children` (CPython 3.11 to 3.13): the chain ends at the first task.
- the local variables in `_TASKS_IN_LOCALS`: the chain ends at `wait`, `wait_for` or the task group.
- what `coroutine_wrapper`, `async_generator_asend` and `async_generator_athrow` refer to (CPython 3.11 to 3.13):
  the chain ends at the `async for`, or at the object whose `__await__` is awaited.
"""

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.exchange import LiveExchange, record_of
from pytest_noblock.engine.raw_stacks import RawFrame, capture, line_of
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame, user_frame

AnyTask = asyncio.Task[object]

bridges: set[CodeType] = set()
"""The code of coroutines of ours that wait for a task of another library, which their variable `task` has."""
WAITS_FOR_WORKER = {"run_sync_in_worker_thread", "to_thread"}
"""The functions of anyio (4.9 to 4.16) and asyncio that wait for a worker."""

_TASKS_IN_LOCALS = {
    ("asyncio.tasks", "wait_for"): "fut",  # CPython 3.11; later ones await it within the same task
    ("asyncio.tasks", "_wait"): "fs",  # `asyncio.wait`, CPython 3.11 to 3.13
    ("asyncio.taskgroups", "__aexit__"): "self",  # CPython 3.11 to 3.13.0
    ("asyncio.taskgroups", "_aexit"): "self",  # CPython after 3.13.0
    ("anyio._backends._asyncio", "__aexit__"): "self",  # anyio 4.9 to 4.16
}
"""By module and function: the local variable that has the tasks, or the group whose `_tasks` has them.

These functions wait at a future of their own, which a callback of their tasks sets.
"""


def where(record: LiveExchange, user: UserCode) -> Frame | None:
    """The innermost user line that the request waits at, in any of its tasks or in a worker."""
    chains = [*_in_trio(record), *(await_chain(task) for task in tasks_of(record))]
    if any(chain and chain[0][0].co_name in WAITS_FOR_WORKER for chain in chains):
        line = next(_worker_lines(user), None)
        if line is not None:
            return line
    return next((frame for chain in chains if (frame := user_frame(as_stack(chain, user)))), None)


def _in_trio(record: LiveExchange) -> list[list[RawFrame]]:
    if "trio" not in sys.modules:
        return []
    from pytest_noblock.engine.threads import trio_tasks  # few tests run on trio

    return trio_tasks.chains(record)


def tasks_of(record: LiveExchange) -> list[AnyTask]:
    """The tasks of the request, youngest first; its own task comes last, because it started the others."""
    tasks = {task for task in asyncio.all_tasks() - {record.task} if record_of(task) is record}
    children = sorted(tasks, key=lambda task: task.get_name(), reverse=True)
    return [*children, record.task] if record.task is not None else children


def await_chain(task: AnyTask) -> list[RawFrame]:
    """The frames of one task's coroutines, innermost first."""
    return [_raw(frame) for frame in reversed(list(coroutine_frames(task)))]


def await_chain_through_tasks(task: AnyTask) -> list[RawFrame]:
    """The frames of the task and of the tasks that it waits for, innermost first."""
    return [_raw(frame) for frame in frames_through_tasks(task)]


def frames_through_tasks(task: AnyTask) -> list[FrameType]:
    """As `await_chain_through_tasks`; the frames are the running ones, with their variables."""
    outermost_first = [frame for each in awaited_tasks(task) for frame in coroutine_frames(each)]
    return outermost_first[::-1]


def innermost_future(task: AnyTask | None) -> "asyncio.Future[object] | None":
    """The future at which the last of the awaited tasks waits; None where it waits at none."""
    if task is None:
        return None
    *_, last = awaited_tasks(task)
    future = getattr(last, "_fut_waiter", None)
    return future if isinstance(future, asyncio.Future) else None


def awaited_tasks(task: AnyTask) -> Iterator[AnyTask]:
    """The task itself, the task that it waits for, the task that the second one waits for, and so on.

    Where tasks wait for each other in a circle, each comes once.
    """
    met: set[AnyTask] = set()
    waiting: AnyTask | None = task
    while waiting is not None and waiting not in met:
        met.add(waiting)
        yield waiting
        waiting = awaited_task(waiting)


def awaited_task(task: AnyTask) -> AnyTask | None:
    """The unfinished task that this one awaits: itself, or by `gather`, `wait`, `wait_for` or a task group."""
    future: Any = getattr(task, "_fut_waiter", None)
    if isinstance(future, asyncio.Task):
        return future
    children = getattr(future, "_children", None) or _tasks_in_locals(task)
    return next((each for each in children if isinstance(each, asyncio.Task) and not each.done()), None)


def coroutine_frames(task: AnyTask) -> Iterator[FrameType]:
    """The frames of the coroutines and async generators that wait for each other, outermost first."""
    return _frames_of(task.get_coro())


def chain_of(coroutine: object) -> list[RawFrame]:
    """As `await_chain`, for the coroutine of a task that is none of asyncio's."""
    return [_raw(frame) for frame in reversed(list(_frames_of(coroutine)))]


def _frames_of(waiting: object) -> Iterator[FrameType]:
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if frame is not None:
            yield frame
            if frame.f_code in bridges:
                waiting = getattr(frame.f_locals.get("task"), "coro", None)
                continue
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None) or _inside(waiting)


def _raw(frame: FrameType) -> RawFrame:
    return frame.f_code, line_of(frame), frame.f_lasti, frame.f_globals


def _tasks_in_locals(task: AnyTask) -> Iterable[object]:
    *_, innermost = None, *coroutine_frames(task)
    if innermost is None:
        return ()
    module = innermost.f_globals.get("__name__")
    variable = _TASKS_IN_LOCALS.get((module, innermost.f_code.co_name)) if isinstance(module, str) else None
    found = innermost.f_locals.get(variable) if variable else None
    tasks = getattr(found, "_tasks", found)
    return tasks if isinstance(tasks, set) else [tasks]


def _inside(waiting: object) -> object:
    """The coroutine or generator behind an object that shows neither frame nor await, but refers to it."""
    kind = type(waiting).__name__
    if kind == "coroutine_wrapper":  # `__await__` of a coroutine
        return next((each for each in gc.get_referents(waiting) if inspect.iscoroutine(each)), None)
    if kind in ("async_generator_asend", "async_generator_athrow"):  # `async for`
        return next((each for each in gc.get_referents(waiting) if inspect.isasyncgen(each)), None)
    return None


def _worker_lines(user: UserCode) -> Iterator[Frame]:
    """The innermost user line of each thread that is neither the loop's nor the test's."""
    others_than = {threading.get_ident(), threading.main_thread().ident}
    for ident, running in current_frames().items():
        frame = None if ident in others_than else user_frame(as_stack(capture(running), user))
        if frame is not None:
            yield frame

"""Detached work: tasks, timers and callbacks that a request started, and that go on when its app's call has returned.

The fixture waits for it (`linger`). Where it goes on after that, or a test's loop closes before, it is noted in the
request's record (`note_left`): what was not measured is said.

Read of asyncio's own loops (CPython 3.11 to 3.15): `_ready`, `_scheduled` of the loop; `_context` of a handle;
`_callbacks` of a task. Another loop (uvloop, rloop) has its callbacks wrapped (`steps.wrapped_callbacks`), trio has a
tree of tasks (`steps.trio_tasks`).
"""

import asyncio
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from types import CodeType
from typing import Any

from pytest_noblock.engine import callbacks
from pytest_noblock.engine.exchange import CURRENT, LiveExchange, record_of
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.steps.closing_loops import Tasks
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Ending

_LOOK_S = 0.005
"""Seconds between two looks at what tells no task of asyncio's that it ends: trio's tasks, and calls in threads."""
_MOST_LEFT = 20
"""Notes of one request. An endpoint that leaves thousands of tasks behind leaves the same one many times."""


async def linger(records: Collection[LiveExchange], until: int, user: UserCode) -> None:
    """Wait until the records' detached work is done, and no longer than `until` (ns). On the loop that runs the app."""
    loop = asyncio.get_running_loop()
    while (left := until - now()) > 0:
        tasks = [task for task, _record in _of_tasks(asyncio.all_tasks(loop), records)]
        timers = [handle.when() - loop.time() for handle, _record in _timers(loop, records, user)]
        soonest = min([left / 1e9, *(seconds for seconds in timers if seconds * 1e9 < left)])
        if any(_ready(loop, records)):
            await asyncio.sleep(0)
        elif tasks:
            await asyncio.wait(tasks, timeout=max(0, soonest))
        elif _left_in_trio(records) or any(_left_in_threads(loop, records)):
            await asyncio.sleep(min(soonest, _LOOK_S))
        elif soonest < left / 1e9:
            await asyncio.sleep(max(0, soonest))
        else:
            return


def note_left(
    loop: asyncio.AbstractEventLoop,
    records: Collection[LiveExchange],
    user: UserCode,
    ending: Ending,
    tasks: Tasks | None = None,
) -> None:
    """Note in the records what they left behind on the loop, where a user line shows in it.

    `tasks`: the loop's, where the caller has asked for them: that takes long.
    """
    for task, record in _of_tasks(asyncio.all_tasks(loop) if tasks is None else tasks, records):
        _note(record, ending, [*_chain(task), *_callbacks(task)], user)
    for frames, record in _left_in_trio(records):
        _note(record, ending, frames, user)
    for call, record in _left_in_threads(loop, records):
        code = callbacks.code_of(call)
        _note(record, ending, [] if code is None else [_at_def(code)], user)
    for handle, record in [*_timers(loop, records, user), *_ready(loop, records)]:
        frames = _called(handle, record, user)
        _note(record, "due" if hasattr(handle, "when") else ending, frames, user)


def has_handles(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a timer or a callback is due on the loop."""
    return bool(callbacks.timers(loop) or callbacks.ready(loop))


def _note(record: LiveExchange, ending: Ending, frames: list[RawFrame], user: UserCode) -> None:
    if len(record.left) < _MOST_LEFT and any(code.co_filename in user for code, *_ in frames):
        record.left.append((ending, frames))


def _chain(task: "asyncio.Task[Any]") -> list[RawFrame]:
    from pytest_noblock.engine.threads.await_chains import await_chain  # few watched tests leave a task behind

    return await_chain(task)


def _callbacks(task: Any) -> Iterator[RawFrame]:
    """The functions that are called when the task is done: a library's task may be waited for in this way."""
    for callback, _context in getattr(task, "_callbacks", None) or ():
        code = callbacks.code_of(callback)
        if code is not None:
            yield _at_def(code)


def _of_tasks(tasks: Tasks, records: Collection[LiveExchange]) -> Iterator[tuple["asyncio.Task[Any]", LiveExchange]]:
    """The records' unfinished tasks, where the app's call has returned."""
    for task in tasks:
        record = record_of(task)
        if record is not None and record.returned is not None and task is not record.task and record in records:
            yield task, record


def _timers(
    loop: Any, records: Collection[LiveExchange], user: UserCode
) -> Iterator[tuple[asyncio.TimerHandle, LiveExchange]]:
    """The timers of the records that may take long when they are due; not the timeouts and sleeps of libraries."""
    for handle, record in _of_records(callbacks.timers(loop), records):
        if callbacks.may_hold(handle, user):
            yield handle, record


def _ready(loop: Any, records: Collection[LiveExchange]) -> Iterator[tuple[asyncio.Handle, LiveExchange]]:
    return _of_records(callbacks.ready(loop), records)


def _left_in_trio(records: Collection[LiveExchange]) -> "list[tuple[list[RawFrame], LiveExchange]]":
    """Where trio's tasks sit that the records left in a nursery of the app's."""
    if "trio" not in sys.modules:
        return []
    from pytest_noblock.engine.threads import trio_tasks  # few tests run on trio

    return trio_tasks.left_by(records)


def _left_in_threads(
    loop: asyncio.AbstractEventLoop, records: Collection[LiveExchange]
) -> Iterator[tuple[Callable[..., Any], LiveExchange]]:
    """The calls that the records gave to `run_in_executor` and nobody awaits; on the fixture's own loops."""
    for job in (*getattr(loop, "jobs", ()), *getattr(loop, "own_jobs", ())):
        if job.record is not None and job.record.returned is not None and job.record in records:
            yield job.call, job.record


def _of_records(handles: Iterable[Any], records: Collection[LiveExchange]) -> Iterator[tuple[Any, LiveExchange]]:
    for handle in handles:
        context = getattr(handle, "_context", None)
        record = context.get(CURRENT) if context is not None and not handle.cancelled() else None
        if record is not None and record.returned is not None and record in records:
            yield handle, record


def _called(handle: Any, record: LiveExchange, user: UserCode) -> list[RawFrame]:
    """The `def` of what the handle calls; of the endpoint, where that is a function in C."""
    code = callbacks.user_code(handle, user)
    if code is not None:
        return [_at_def(code)]
    endpoint = starlette.endpoint_def(record) if callbacks.may_hold(handle, user) else None
    return [] if endpoint is None else [endpoint]


def _at_def(code: CodeType) -> RawFrame:
    return code, code.co_firstlineno, 0, {}

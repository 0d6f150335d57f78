"""Where a request sits that does not end."""

import asyncio
import sys
from types import FrameType

from pytest_noblock.engine.exchange import Record
from pytest_noblock.engine.stacks import RawFrame, line_of, settled
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.observation import Frame, Stack


def awaiting(record: Record, user: UserCode) -> Frame | None:
    """The innermost user line in the await chain of the exchange's task."""
    if record.task is None:
        return None
    return innermost(settled(await_chain(record.task), user))


def await_chain(task: asyncio.Task[None]) -> list[RawFrame]:
    """The frames of the coroutines that wait for each other, innermost first."""
    frames: list[RawFrame] = []
    waiting: object = task.get_coro()
    while waiting is not None:
        frame: FrameType | None = getattr(waiting, "cr_frame", None) or getattr(waiting, "ag_frame", None)
        if frame is not None:
            frames.append((frame.f_code, line_of(frame), frame.f_lasti, frame.f_globals))
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "ag_await", None)
    return frames[::-1]


def worker_lines(user: UserCode) -> list[Frame]:
    """The innermost user lines of the other threads: a `def` endpoint waits there."""
    stacks = (_settled(frame, user) for frame in sys._current_frames().values())
    return [frame for frame in map(innermost, stacks) if frame is not None]


def innermost(stack: Stack) -> Frame | None:
    return next((frame for frame in stack if frame.user), None)


def _settled(frame: FrameType, user: UserCode) -> Stack:
    from pytest_noblock.engine.stacks import raw

    return settled(raw(frame), user)

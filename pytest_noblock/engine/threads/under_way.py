"""The requests of a test that are under way, and where each of them waits."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.exchange import LiveExchange, record_of
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.raw_stacks import RawFrame, capture
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.frames import Stack, user_frame

_FRAMES_OF_START = 8
"""`Thread.start`, and what it waits in, are so many frames at most, before our wrappers around it come."""


class UnderWay(NamedTuple):
    """A request that has entered the app."""

    record: LiveExchange
    ident: int
    """`threading.get_ident()` of the thread that runs it."""
    loop: asyncio.AbstractEventLoop | None
    """None where it is no asyncio loop."""

    def at(self, moment: int) -> bool:
        """Whether it is under way then (ns)."""
        return self.record.sent <= moment and not self.over_by(moment)

    def over_by(self, moment: int) -> bool:
        """Whether it had returned by then (ns)."""
        returned = self.record.returned
        return returned is not None and returned <= moment


def places_of(request: UnderWay) -> Iterator[tuple[int, list[RawFrame]]]:
    from pytest_noblock.engine.threads.await_chains import await_chain  # most tests have no gap

    record, ident, loop = request
    running = asyncio.current_task(loop) if loop is not None else None
    if running is not None and record_of(running) is record:
        yield record.number, _in_step(ident)
    for task in asyncio.all_tasks(loop) if loop is not None else ():
        if task is not running and record_of(task) is record:
            yield record.number, await_chain(task)


def endpoints_of(under_way: Sequence[UnderWay]) -> Iterator[tuple[int, list[RawFrame]]]:
    for record in (each.record for each in under_way):
        endpoint = starlette.endpoint_def(record)
        if endpoint is not None:
            yield record.number, [endpoint]


def _in_step(ident: int) -> list[RawFrame]:
    """The stack of a loop thread that starts a thread, from the call on. The new thread took the GIL at once."""
    frame = top = current_frames().get(ident)
    for _ in range(_FRAMES_OF_START):
        if frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
            while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
                frame = frame.f_back
            return capture(frame)
        frame = frame.f_back if frame is not None else None
    return capture(top)


def waits_for_no_worker(awaits: tuple[int, list[RawFrame]]) -> bool:
    from pytest_noblock.engine.threads.await_chains import WAITS_FOR_WORKER

    _number, frames = awaits
    return not frames or frames[0][0].co_name not in WAITS_FOR_WORKER


def first_at_user_line(awaits: Sequence[tuple[int, list[RawFrame]]], user: UserCode) -> tuple[int | None, Stack]:
    for number, frames in awaits:
        stack = as_stack(frames, user)
        if user_frame(stack) is not None:
            return number, stack
    return (awaits[0][0] if awaits else None), ()

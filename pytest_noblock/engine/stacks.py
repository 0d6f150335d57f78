"""Stacks of running frames, as values; errors, in words."""

import traceback
from collections import ChainMap
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType, TracebackType

from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame, Stack

RawFrame = tuple[CodeType, int, int, dict[str, object]]
"""Code, line, offset of the last instruction, globals: all that another thread may safely keep of a running frame."""

_DEEPEST = 200
"""Frames further out are left off: a recursion repeats itself."""

_borders: set[str] = set()
"""The files of those modules of ours that call the app or run its steps; each registers itself with `border`."""


def border(file: str) -> None:
    """A stack ends at the frames of this file: beyond it lies the client, the test or the event loop."""
    _borders.add(file)


def walk_out(frame: FrameType | None) -> Iterator[FrameType]:
    """The frame, its caller, and so on, out to where the request entered the app."""
    for _ in range(_DEEPEST):
        if frame is None or frame.f_code.co_filename in _borders:
            return
        yield frame
        frame = frame.f_back


def line_of(frame: FrameType) -> int:
    """The line that a frame is at; the first line of its code where the frame is between two lines and knows none."""
    return frame.f_lineno or frame.f_code.co_firstlineno


def capture(frame: FrameType | None) -> list[RawFrame]:
    """Innermost first. It must be quick: the watchdog runs it while the loop thread waits for the GIL."""
    return [(each.f_code, line_of(each), each.f_lasti, each.f_globals) for each in walk_out(frame)]


def as_stack(frames: Sequence[RawFrame], user: UserCode) -> Stack:
    """A raw stack as values. In each user frame the call that its line makes is named, from the globals alone."""
    from pytest_noblock.calls import names  # to import it and what it needs takes 20 ms, and most runs name no call

    return tuple(
        Frame(code.co_filename, line, code.co_name, names.called(code, line, namespace, lasti), user=True)
        if code.co_filename in user
        else Frame(code.co_filename, line, code.co_name)
        for code, line, lasti, namespace in frames
    )


def current_stack(frame: FrameType | None, user: UserCode) -> Stack:
    """A stack of the calling thread. In the innermost user frame the call that it is making is named."""
    frames: list[Frame] = []
    named = False
    for each in walk_out(frame):
        mine = each.f_code.co_filename in user
        call = called_from(each, line_of(each), each.f_lasti) if mine and not named else None
        frames.append(Frame(each.f_code.co_filename, line_of(each), each.f_code.co_name, call, mine))
        named = named or mine
    return tuple(frames)


def called_from(frame: FrameType, line: int, lasti: int | None = None) -> str | None:
    """The call made at `line`, named by the frame's variables as well: only the frame's own thread may read them."""
    from pytest_noblock.calls import names

    return names.called(frame.f_code, line, ChainMap(frame.f_locals, frame.f_globals), lasti)


def describe_error(error: BaseException, user: UserCode, trace: TracebackType | None = None) -> str:
    """`ValueError('no') at app/main.py:12 in report`: the innermost user line of the traceback, where there is one.

    `trace` stands in for a traceback that was taken off the error.
    """
    lines = [each for each in traceback.extract_tb(trace or error.__traceback__) if each.filename in user]
    if not lines:
        return repr(error)
    return f"{error!r} at {user.relative(lines[-1].filename)}:{lines[-1].lineno} in {lines[-1].name}"

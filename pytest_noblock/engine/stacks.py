"""Stacks of running frames and of exceptions, as values and words."""

import traceback
from collections import ChainMap
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType, TracebackType

from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame, Stack

RawFrame = tuple[CodeType, int, int, dict[str, object]]
"""Code, line, last instruction and globals: all that another thread may safely keep of a running frame."""

_DEEPEST = 200

_borders: set[str] = set()
"""The files of our modules that call the app or run its steps; each registers itself with `border`."""


def border(file: str) -> None:
    """Stacks end at the frames of this file: beyond it lies the client, the test or the event loop."""
    _borders.add(file)


def walk_out(frame: FrameType | None) -> Iterator[FrameType]:
    """The frame, its caller, and so on, up to where the request entered the app."""
    for _ in range(_DEEPEST):
        if frame is None or frame.f_code.co_filename in _borders:
            return
        yield frame
        frame = frame.f_back


def line_of(frame: FrameType) -> int:
    """The line a frame is at; None happens between two lines, the first line of the code stands in."""
    return frame.f_lineno or frame.f_code.co_firstlineno


def capture(frame: FrameType | None) -> list[RawFrame]:
    """Innermost first. Quick, for it runs while the loop thread waits for the interpreter lock."""
    return [(each.f_code, line_of(each), each.f_lasti, each.f_globals) for each in walk_out(frame)]


def as_stack(frames: Sequence[RawFrame], user: UserCode) -> Stack:
    """A raw stack as values; the call is named in user frames only."""
    from pytest_noblock.calls import names  # most runs name no call: this and what it needs cost them 20 ms

    return tuple(
        Frame(code.co_filename, line, code.co_name, names.called(code, line, namespace, lasti), user=True)
        if code.co_filename in user
        else Frame(code.co_filename, line, code.co_name)
        for code, line, lasti, namespace in frames
    )


def current_stack(frame: FrameType | None, user: UserCode) -> Stack:
    """The stack of the calling thread; in the innermost user frame the call that it is making is named."""
    frames: list[Frame] = []
    named = False
    for each in walk_out(frame):
        mine = each.f_code.co_filename in user
        call = called_from(each, line_of(each), each.f_lasti) if mine and not named else None
        frames.append(Frame(each.f_code.co_filename, line_of(each), each.f_code.co_name, call, mine))
        named = named or mine
    return tuple(frames)


def called_from(frame: FrameType, line: int, lasti: int | None = None) -> str | None:
    """The call made at `line`, named with the help of the frame's own variables (own thread only)."""
    from pytest_noblock.calls import names

    return names.called(frame.f_code, line, ChainMap(frame.f_locals, frame.f_globals), lasti)


def describe_error(error: BaseException, user: UserCode, trace: TracebackType | None = None) -> str:
    """`ValueError('no') at app/main.py:12 in report`; the innermost user line, where there is one."""
    lines = [each for each in traceback.extract_tb(trace or error.__traceback__) if each.filename in user]
    if not lines:
        return repr(error)
    return f"{error!r} at {user.relative(lines[-1].filename)}:{lines[-1].lineno} in {lines[-1].name}"

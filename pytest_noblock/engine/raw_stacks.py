"""Running frames as another thread may keep them: where a stack ends, and which of its frames are not the app's.

What is seen here is made into values by `stacks`, later: a look must be quick.
"""

import contextlib
import opcode
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType, FrameType
from typing import NamedTuple

from pytest_noblock.engine.usercode import PACKAGE

RawFrame = tuple[CodeType, int, int, dict[str, object]]
"""Code, line, offset of the last instruction, globals: all that another thread may safely keep of a running frame."""

NOWHERE, AT_NO_INSTRUCTION = -1, -2
"""The offset in a raw frame whose line is not known; and in one whose line is, and no more."""
_DEEPEST = 200
"""Frames further out are left off: a recursion repeats itself."""

_borders: dict[str, "_Border"] = {}
"""The files of those modules of ours that call the app or run its steps; each registers itself with `border`."""
_BETWEEN = contextlib.__file__
"""The frames of a context manager of ours, and of those who enter it, are the stdlib's."""


class _Border(NamedTuple):
    """Names of functions in a file at which a stack does not end."""

    inside: frozenset[str] = frozenset()
    sending: frozenset[str] = frozenset()
    collecting: frozenset[str] = frozenset()


def border(
    file: str, *, inside: Iterable[str] = (), sending: Iterable[str] = (), collecting: Iterable[str] = ()
) -> None:
    """A stack ends at the frames of this file: beyond it lies the client, the test or the event loop.

    `inside`: functions that the app calls, or the interpreter in the app's midst; they are left out of the stack.
    `sending`: functions to which the app hands a message, or that it asks for one. What they call is the client's.
    `collecting`: those of `inside` that ask the garbage collector; what they call are finalizers.
    """
    _borders[file] = _Border(frozenset(inside), frozenset(sending), frozenset(collecting))


def walk_out(frame: FrameType | None) -> Iterator[FrameType]:
    """The frame, its caller, and so on, out to where the request entered the app."""
    for _ in range(_DEEPEST):
        if frame is None:
            return
        ours = _borders.get(frame.f_code.co_filename)
        if ours is None:
            yield frame
        elif frame.f_code.co_name not in ours.inside:
            return
        frame = frame.f_back


_GREENLET = "greenlet"
BEGIN_OF_GREENLET: RawFrame = (
    (lambda: None).__code__.replace(co_filename=f"<{_GREENLET}>", co_name="run", co_qualname=f"{_GREENLET}.run"),
    1,
    AT_NO_INSTRUCTION,
    {"__name__": _GREENLET},
)
"""Stands for the frames around a greenlet, which Python does not show: SQLAlchemy's `run_sync` has one."""
_OF_THREAD = frozenset({"_bootstrap", "<module>", "_run_module_as_main"})
"""The functions that are the first of a thread (`threading`, a script, `python -m`)."""


def is_first_of_greenlet(frame: FrameType) -> bool:
    return frame.f_back is None and _GREENLET in sys.modules and frame.f_code.co_name not in _OF_THREAD


def line_of(frame: FrameType) -> int:
    """The line that a frame is at; the first line of its code where the frame is between two lines and knows none."""
    return frame.f_lineno or frame.f_code.co_firstlineno


def capture(frame: FrameType | None) -> list[RawFrame]:
    """Innermost first. It must be quick: the watchdog runs it while the loop thread waits for the GIL.

    A thread that computed in C is often seen in a function of ours that runs next: a callback of the garbage
    collector, a wrapper, our `send`. The app's own frame is what counts.
    """
    inner, sends = _without_ours(_out_of_collection(frame))
    walked = [*walk_out(inner)]
    frames = [(each.f_code, line_of(each), each.f_lasti, each.f_globals) for each in walked]
    if walked and is_first_of_greenlet(walked[-1]):
        frames.append(BEGIN_OF_GREENLET)
    return _anywhere_in_first(frames) if sends else frames  # to send takes no time: what took long came before


def _out_of_collection(frame: FrameType | None) -> FrameType | None:
    """The frame; of a finalizer that has done nothing yet the caller, if that collects: the collector had computed."""
    caller = frame.f_back if frame is not None else None
    if frame is None or caller is None:
        return frame
    ours = _borders.get(caller.f_code.co_filename)
    collects = ours is not None and caller.f_code.co_name in ours.collecting
    return caller if collects and _at_first_instruction(frame.f_code, frame.f_lasti) else frame


def _without_ours(frame: FrameType | None) -> tuple[FrameType | None, bool]:
    """The innermost frame that is not ours, and whether the app was about to send; None at the border."""
    sends = False
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            ours = _borders.get(code.co_filename)
            if ours is not None and code.co_name not in ours.inside | ours.sending:
                return None, False
            sends = sends or (ours is not None and code.co_name in ours.sending)
        elif not (code.co_filename == _BETWEEN and _called_by_us(frame)):
            break
        frame = frame.f_back
    return frame, sends


def before_call(frames: Sequence[RawFrame]) -> Sequence[RawFrame]:
    """The frames without those that have just begun: a computation in C that ended there was their caller's.

    It came before the caller's present line, or in it.
    """
    begun = next((depth for depth, frame in enumerate(frames) if not _has_just_begun(frame)), len(frames))
    return _anywhere_in_first(frames[begun:]) if begun else frames


def _has_just_begun(frame: RawFrame) -> bool:
    code, _line, lasti, _namespace = frame
    return _at_first_instruction(code, lasti)


def _at_first_instruction(code: CodeType, lasti: int) -> bool:
    """Whether that is RESUME 0, where a thread may hand the GIL over (3.11 to 3.14)."""
    operation = code.co_code[lasti : lasti + 2]
    return len(operation) == 2 and operation[0] == opcode.opmap["RESUME"] and operation[1] & 3 == 0


def _anywhere_in_first(frames: Sequence[RawFrame]) -> list[RawFrame]:
    """The frames, the first one at no certain line: at its function's first line, and at no instruction.

    A body of one line leaves no doubt: `def load(): return json.loads(TEXT)`.
    """
    if not frames:
        return []
    (code, _line, _lasti, namespace), *outer = frames
    lines = {line for *_, line in code.co_lines() if line is not None}
    first, *others = sorted(lines - {code.co_firstlineno} or lines)
    if not others:
        return [(code, first, AT_NO_INSTRUCTION, namespace), *outer]
    return [(code, code.co_firstlineno, NOWHERE, namespace), *outer]


def _called_by_us(frame: FrameType) -> bool:
    caller = frame.f_back
    while caller is not None and caller.f_code.co_filename == _BETWEEN:
        caller = caller.f_back
    return caller is not None and caller.f_code.co_filename.startswith(PACKAGE)

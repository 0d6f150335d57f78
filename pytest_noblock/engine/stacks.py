"""Stacks of running frames, as values; errors, in words."""

import contextlib
import inspect
import opcode
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType, FrameType, TracebackType
from typing import NamedTuple

from pytest_noblock.engine import errors
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.frames import Form, Frame, Stack

RawFrame = tuple[CodeType, int, int, dict[str, object]]
"""Code, line, offset of the last instruction, globals: all that another thread may safely keep of a running frame."""

_NOWHERE, _AT_NO_INSTRUCTION = -1, -2
"""The offset in a raw frame whose line is not known; and in one whose line is, and no more."""
_DEEPEST = 200
"""Frames further out are left off: a recursion repeats itself."""

_borders: dict[str, "_Border"] = {}
"""The files of those modules of ours that call the app or run its steps; each registers itself with `border`."""
_IN_TEMPLATE = frozenset({"__jinja_template__", "_template_uri"})
"""The globals by which compiled templates of Jinja and Mako are known; see `calls.templates`."""
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
_BEGIN_OF_GREENLET: RawFrame = (
    (lambda: None).__code__.replace(co_filename=f"<{_GREENLET}>", co_name="run", co_qualname=f"{_GREENLET}.run"),
    1,
    _AT_NO_INSTRUCTION,
    {"__name__": _GREENLET},
)
"""Stands for the frames around a greenlet, which Python does not show: SQLAlchemy's `run_sync` has one."""
_OF_THREAD = frozenset({"_bootstrap", "<module>", "_run_module_as_main"})
"""The functions that are the first of a thread (`threading`, a script, `python -m`)."""


def _is_first_of_greenlet(frame: FrameType) -> bool:
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
    if walked and _is_first_of_greenlet(walked[-1]):
        frames.append(_BEGIN_OF_GREENLET)
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
        return [(code, first, _AT_NO_INSTRUCTION, namespace), *outer]
    return [(code, code.co_firstlineno, _NOWHERE, namespace), *outer]


def _called_by_us(frame: FrameType) -> bool:
    caller = frame.f_back
    while caller is not None and caller.f_code.co_filename == _BETWEEN:
        caller = caller.f_back
    return caller is not None and caller.f_code.co_filename.startswith(PACKAGE)


def as_stack(frames: Sequence[RawFrame], user: UserCode) -> Stack:
    """A raw stack as values. In the innermost user frame the call that its line makes is named, from the globals alone.

    Nobody asks for the call of a frame further out, and to find it in the source takes a millisecond. Where the
    innermost frames are a library's, they carry their own public names.
    """
    from pytest_noblock.calls import names, sources  # to import them takes 20 ms, and most runs name no call

    stack: list[Frame] = []
    inside = True  # no frame of the user's, and none of an ASGI app, has come yet
    named = False  # the innermost frame of the user's has come
    for code, line, lasti, namespace in frames:
        frame = frame_at(code, line, namespace, user)
        if frame.user and lasti == _NOWHERE:
            frame = frame._replace(line=sources.def_line(code.co_filename, line, code.co_name))
        elif frame.user and not named and frame.call is None:
            below = stack[-1].name if stack and inside else None
            at = None if lasti == _AT_NO_INSTRUCTION else lasti
            call = names.called(code, line, namespace, at, below=below)
            frame = with_call(frame._replace(call=call), code, at, below=below)
        elif inside and not frame.user:
            frame = frame._replace(name=names.own_name(code, namespace))
        named = named or frame.user
        inside = inside and not (frame.user or frame.asgi)
        stack.append(frame)
    return tuple(stack)


def user_line(frames: Sequence[RawFrame], user: UserCode) -> Frame | None:
    """The innermost user frame, for who asks for its line alone: without its call, which is looked for in the source.

    None where no frame is the user's.
    """
    for code, line, lasti, namespace in frames:
        frame = frame_at(code, line, namespace, user)
        if frame.user and lasti == _NOWHERE:
            from pytest_noblock.calls import sources

            return frame._replace(line=sources.def_line(code.co_filename, line, code.co_name))
        if frame.user:
            return frame
    return None


def frame_at(code: CodeType, line: int, namespace: Mapping[str, object], user: UserCode) -> Frame:
    """The frame without its call. A template's is named by the line of the template as the user wrote it."""
    if _IN_TEMPLATE.isdisjoint(namespace):
        module = namespace.get("__name__")
        frame = plain_frame(code, line, user=code.co_filename in user)
        return frame._replace(module=module) if type(module) is str else frame
    from pytest_noblock.calls import templates

    written = templates.written(code, line, namespace)
    return written._replace(user=written.file in user, form="template")


def plain_frame(code: CodeType, line: int, *, user: bool) -> Frame:
    """The frame as Python has it, without its call and its module."""
    asgi, name = is_asgi(code), code.co_qualname
    return Frame(code.co_filename, line, code.co_name, user=user, asgi=asgi, form=_form(code), qualname=name)


_ASYNC = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE


def _form(code: CodeType) -> Form:
    flags = code.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR:
        return "async generator"
    if flags & _ASYNC:
        return "async def"
    return "generator" if flags & inspect.CO_GENERATOR else "def"


def is_asgi(code: CodeType) -> bool:
    """Whether the code is an ASGI app's: a middleware, a router, a mounted app. Its caller only hands a request on."""
    return code.co_varnames[code.co_argcount - 3 : code.co_argcount] == ("scope", "receive", "send")


def current_stack(frame: FrameType | None, user: UserCode) -> Stack:
    """A stack of the calling thread. In the innermost user frame the call that it is making is named.

    Where no frame is the user's, the innermost frames carry their own public names, as in `as_stack`.
    """
    frames = list(walk_out(frame))
    stack = [frame_at(each.f_code, line_of(each), each.f_globals, user) for each in frames]
    mine = next((place for place, each in enumerate(stack) if each.user), None)
    if mine is None:
        return tuple(_with_own_names(stack, frames))
    if stack[mine].call is None:
        below = frames[mine - 1] if mine else None
        stack[mine] = stack[mine]._replace(call=_running_call(frames[mine], below))
    if _is_first_of_greenlet(frames[-1]):
        code, line, _lasti, namespace = _BEGIN_OF_GREENLET
        stack.append(frame_at(code, line, namespace, user))
    return tuple(stack)


def _with_own_names(stack: Sequence[Frame], frames: Sequence[FrameType]) -> Iterator[Frame]:
    from pytest_noblock.calls import names

    inside = True  # no frame of an ASGI app has come yet
    for each, frame in zip(stack, frames, strict=True):
        inside = inside and not each.asgi
        yield each._replace(name=names.own_name(frame.f_code, frame.f_globals)) if inside else each


def called_from(frame: FrameType, line: int, lasti: int | None = None, *, below: str | None = None) -> str | None:
    """The call made at `line`, named by the frame's variables as well: only the frame's own thread may read them."""
    from pytest_noblock.calls import names

    return names.called(frame.f_code, line, frame.f_globals, lasti, below=below, variables=frame.f_locals)


def with_call(frame: Frame, code: CodeType, lasti: int | None = None, *, below: str | None = None) -> Frame:
    """The frame with whether its call is sure; that of a function seen further in is, and so is a known one."""
    from pytest_noblock.calls import known, operators

    sure = frame.call in (None, below) or known.known(frame.call) is not None
    return frame if sure else frame._replace(may_be_operator=operators.may_compute(code, frame.line, lasti))


def _running_call(frame: FrameType, below: FrameType | None) -> str | None:
    """`below`: the frame that this one called."""
    from pytest_noblock.calls import names

    name = names.own_name(below.f_code, below.f_globals) if below is not None else None
    return called_from(frame, line_of(frame), frame.f_lasti, below=name)


def first_line(code: CodeType, user: UserCode) -> Frame:
    """The first line of a function's code, a decorator's where it has one."""
    return plain_frame(code, code.co_firstlineno, user=code.co_filename in user)


def describe_error(error: BaseException, user: UserCode, trace: TracebackType | None = None) -> str:
    """`ValueError('no') at app/main.py:12 in report`: the innermost user line of the traceback, where there is one.

    `trace` stands in for a traceback that was taken off the error.
    """
    return errors.words(errors.told(error, trace), user)

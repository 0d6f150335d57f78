"""Stacks of running frames, as values; errors, in words."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, FrameType, TracebackType

from pytest_noblock.engine import errors
from pytest_noblock.engine.raw_stacks import (
    AT_NO_INSTRUCTION,
    BEGIN_OF_GREENLET,
    NOWHERE,
    RawFrame,
    is_first_of_greenlet,
    line_of,
    walk_out,
)
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Form, Frame, Stack, exit_stack_at

_IN_TEMPLATE = frozenset({"__jinja_template__", "_template_uri"})
"""The globals by which compiled templates of Jinja and Mako are known; see `calls.templates`."""


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
        if frame.user and lasti == NOWHERE:
            frame = frame._replace(line=sources.def_line(code.co_filename, line, code.co_name))
        elif frame.user and not named and frame.call is None:
            below = stack[-1].name if stack and inside else None
            at = None if lasti == AT_NO_INSTRUCTION else lasti
            call = _left_to_exit_stack(stack) or names.called(code, line, namespace, at, below=below)
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
        if frame.user and lasti == NOWHERE:
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


def current_stack(frame: FrameType | None, user: UserCode, *, call: str | None = None) -> Stack:
    """A stack of the calling thread. In the innermost user frame the call that it is making is named.

    Where no frame is the user's, the innermost frames carry their own public names, as in `as_stack`. `call`: what
    `frame` itself is calling, where that is known; then nobody looks for it in the source.
    """
    frames = list(walk_out(frame))
    stack = [frame_at(each.f_code, line_of(each), each.f_globals, user) for each in frames]
    mine = next((place for place, each in enumerate(stack) if each.user), None)
    if mine is None:
        return tuple(_with_own_names(stack, frames))
    if stack[mine].call is None:
        known = call if mine == 0 else _by_exit_stack(stack[:mine], frames)
        stack[mine] = stack[mine]._replace(call=known or _running_call(frames, mine))
    if is_first_of_greenlet(frames[-1]):
        code, line, _lasti, namespace = BEGIN_OF_GREENLET
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


def _running_call(frames: Sequence[FrameType], at: int) -> str | None:
    """The call that the frame at this place makes: those before it are what it called."""
    from pytest_noblock.calls import names

    frame, below = frames[at], frames[at - 1] if at else None
    name = names.own_name(below.f_code, below.f_globals) if below is not None else None
    return called_from(frame, line_of(frame), frame.f_lasti, below=name)


def _by_exit_stack(inner: Stack | list[Frame], frames: Sequence[FrameType]) -> str | None:
    """The known call that an exit stack makes for the frame whose callees `inner` are: no line writes it there."""
    from pytest_noblock.calls import known

    at = exit_stack_at(inner)
    call = None if at is None else _running_call(frames, at)
    return call if known.known(call) is not None else None


def _left_to_exit_stack(inner: Sequence[Frame]) -> str | None:
    """The same, where another thread looks, which cannot read what the stack was given: a library's function tells."""
    from pytest_noblock.calls import known

    at = exit_stack_at(inner)
    name = inner[at - 1].name if at else None
    return name if known.known(name) is not None else None


def first_line(code: CodeType, user: UserCode) -> Frame:
    """The first line of a function's code, a decorator's where it has one."""
    return plain_frame(code, code.co_firstlineno, user=code.co_filename in user)


def describe_error(error: BaseException, user: UserCode, trace: TracebackType | None = None) -> str:
    """`ValueError('no') at app/main.py:12 in report`: the innermost user line of the traceback, where there is one.

    `trace` stands in for a traceback that was taken off the error.
    """
    return errors.words(errors.told(error, trace), user)

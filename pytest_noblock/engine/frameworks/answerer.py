"""What answered in the endpoint's place? Knows Starlette's middleware, and imports nothing of it.

The names of Starlette's that this module reads, and what is lost where a version lacks one. Seen on 1.6 and 1.10.

* `dispatch_func` of a `BaseHTTPMiddleware`, and the local name `response` of its `__call__`. Lost: the
  middleware's name.

Whether the endpoint was reached, and what was raised in front of it: see `reached`.
"""

import sys
from types import CodeType, FrameType

from pytest_noblock.engine.exchange import LiveExchange, Message
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Answerer

_NOT_BY_ITSELF = {
    "starlette._exception_handler",
    "starlette.middleware.errors",
    "starlette.middleware.exceptions",
    "starlette.routing",
    "fastapi.routing",
    "fastapi.exception_handlers",
}
"""Modules whose functions answer on behalf of others: for an exception that was raised, or because no route matched."""

_BASE = "starlette.middleware.base"


def note_answer(record: LiveExchange, message: Message, frame: FrameType | None) -> None:
    """At the start of a response: who sends it, where the endpoint was not called. `frame`: of who calls `send`."""
    if not (record.entered or record.refused or record.answered) and _starts(message):
        record.answered = guarded(_answering_at, frame)


def _answering_at(frame: FrameType | None) -> tuple[CodeType, int] | None:
    return _answering(_origin(frame))


def _origin(frame: FrameType | None) -> FrameType | None:
    """The frame that made the message: beyond all that were given it to pass it on, and beyond the response's own."""
    while frame is not None and (_is_given_message(frame) or frame.f_code.co_filename.startswith(PACKAGE)):
        frame = frame.f_back
    while frame is not None and _is_response(frame):
        frame = frame.f_back
    return frame


def _is_given_message(frame: FrameType) -> bool:
    code = frame.f_code
    given = (frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount])
    return any(map(_starts, given))


def _starts(message: object) -> bool:
    return type(message) is dict and message.get("type") == "http.response.start"


def _is_response(frame: FrameType) -> bool:
    kind = getattr(sys.modules.get("starlette.responses"), "Response", None)
    code = frame.f_code
    name = code.co_varnames[0] if code.co_argcount else ""
    return kind is not None and issubclass(type(frame.f_locals.get(name)), kind)


def _answering(frame: FrameType | None) -> tuple[CodeType, int] | None:
    """Code and line of what answers; None where it answers for somebody else, who is not known."""
    if frame is None or (module := frame.f_globals.get("__name__")) in _NOT_BY_ITSELF:
        return None
    if module == _BASE:
        return _dispatching(frame)
    return frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno


def _dispatching(frame: FrameType) -> tuple[CodeType, int] | None:
    """The user's function in a `BaseHTTPMiddleware`, where it answers by itself: `call_next` gives another response."""
    response = frame.f_locals.get("response")
    if response is None or type(response).__module__ == _BASE:
        return None
    code = getattr(getattr(frame.f_locals.get("self"), "dispatch_func", None), "__code__", None)
    return (code, code.co_firstlineno) if isinstance(code, CodeType) else None


def answerer(record: LiveExchange, user: UserCode) -> Answerer | None:
    """What answered in the endpoint's place; None where that is not known."""
    refused = record.refused
    if refused is not None and refused.invalid is not None:
        return Answerer(f"the validation of {refused.invalid}", None)
    places = refused.where if refused is not None else (record.answered,) if record.answered is not None else ()
    if not places:
        return None
    code, line = next((each for each in places if each[0].co_filename in user), places[0])
    frame = Frame(code.co_filename, _line(code, line), code.co_name, user=code.co_filename in user)
    return Answerer(_public(code, user=frame.user), frame if frame.user else None)


def _line(code: CodeType, line: int) -> int:
    """The line; the `def` where a whole function is meant, whose first line may be a decorator's."""
    if line != code.co_firstlineno:
        return line
    from pytest_noblock.calls.sources import def_line  # most tests name no call

    return def_line(code.co_filename, line, code.co_name)


def _public(code: CodeType, *, user: bool) -> str:
    """`TrustedHostMiddleware` for its `__call__`, `key` for a function; of a library's functions the outermost."""
    name = code.co_qualname.rpartition("<locals>.")[2] if user else code.co_qualname.partition(".<locals>")[0]
    return name.removesuffix(".__call__").removesuffix(".dispatch")

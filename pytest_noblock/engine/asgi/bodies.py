"""Long bodies as a server hands them over: in pieces, and the loop polls its socket between two of them.

A client in process hands a whole upload over in one message, or in many without a turn of the loop, and takes a whole
download likewise. An app that reads or writes piece by piece would hold the loop for all of it in one go, and does not
behind a server.
"""

from collections.abc import Iterator
from types import FrameType

from pytest_noblock.engine.asgi.client_side import PIECE
from pytest_noblock.engine.exchange import Message

_MORE = "more_body"
_MOST_RELAYS = 10
"""So many `receive`s of middlewares are looked through."""


def pieces(message: Message, body: bytes) -> Iterator[Message]:
    """The messages in the place of this one, which has this body. An app that reads them sees the same bytes."""
    last = max(0, (len(body) - 1) // PIECE * PIECE)
    for start in range(0, last, PIECE):
        yield {**message, "body": body[start : start + PIECE], _MORE: True}
    yield {**message, "body": body[last:]}


def asks_for_more(frame: FrameType | None) -> bool:
    """Whether the code that awaits a message knows that more of the body may follow; `frame` is its frame.

    Code that does not know takes one message for all. It fails behind a server, and a watched test is not the place to
    show that: it gets the message as it is.
    """
    for _ in range(_MOST_RELAYS):
        if frame is None or _MORE in frame.f_code.co_consts:
            return frame is not None
        if not _is_receive(frame):
            return False
        frame = frame.f_back
    return False


def _is_receive(frame: FrameType) -> bool:
    """Whether it may be a middleware's `receive` around the server's: it takes no argument, but itself."""
    code = frame.f_code
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] in ((), ("self",))

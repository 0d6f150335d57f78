"""What answered where the endpoint was not  Whole requests: `tests/plugin`."""

import pytest

from pytest_noblock.engine.exchange import LiveExchange, Refusal
from pytest_noblock.engine.frameworks.answerer import answerer, note_answer
from pytest_noblock.engine.usercode import UserCode

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware


async def endpoint(request): ...


async def asgi(scope, receive, send): ...


def frame_of(code):
    return (code, code.co_firstlineno)


@pytest.mark.parametrize(
    ("refused", "answered", "name", "mine"),
    [
        (None, None, None, None),
        (None, frame_of(endpoint.__code__), "endpoint", True),
        (None, frame_of(GZipMiddleware.__call__.__code__), "GZipMiddleware", False),
        (Refusal((frame_of(Starlette.__call__.__code__), frame_of(asgi.__code__)), None), None, "asgi", True),
        (Refusal((frame_of(Starlette.__call__.__code__),), None), None, "Starlette", False),
        (Refusal((), "query.item"), None, "the validation of query.item", False),
    ],
)
def test_what_answered_is_named_and_the_users_line_is_given(refused, answered, name, mine):
    record = LiveExchange("GET", "/")
    record.refused, record.answered = refused, answered
    told = answerer(record, UserCode(__file__.rpartition("/")[0]))
    assert (told and told.name, told and told.frame is not None) == (name, mine)


def test_what_is_no_message_is_passed_by():
    record = LiveExchange("GET", "/")
    for message in (None, 3, {}, {"type": "http.response.body"}):
        note_answer(record, message, None)
    assert record.answered is None

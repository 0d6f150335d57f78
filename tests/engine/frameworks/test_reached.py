"""What says that an endpoint was reached, and what an app must show for that. Whole requests: `tests/plugin`."""

import pytest

from pytest_noblock.engine.exchange import LiveExchange, Refusal
from pytest_noblock.engine.frameworks import reached
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import LIFESPAN

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Router

APP = Starlette()


async def endpoint(request): ...


async def asgi(scope, receive, send): ...


class Page(HTTPEndpoint): ...


class Odd:
    @property
    def __class__(self):
        raise RuntimeError("no app is bound")

    @property
    def __dict__(self):
        raise RuntimeError("no app is bound")


def ended(called=APP, method="GET", entered=None, **scope):
    record = LiveExchange(method, "/", scope)
    record.app, record.returned, record.entered = called, 1, entered
    return record


@pytest.mark.parametrize(
    ("record", "known"),
    [
        (ended(entered=True), True),
        (ended(), False),  # nothing was routed: a middleware, or the router itself
        (ended(GZipMiddleware(GZipMiddleware(APP))), False),
        (ended(endpoint=endpoint), False),
        (ended(endpoint=Page), False),
        (ended(endpoint=Page, entered=False), False),
        (ended(endpoint=Router()), False),  # of a mounted app that has no such route
        (ended(endpoint=asgi, route=Mount("/a", asgi)), None),
        (ended(endpoint=asgi), None),
        (ended(endpoint=object()), None),
        (ended(asgi), None),
        (ended(asgi, app=APP), False),  # Starlette was called, behind a function of the user's
        (ended(Odd()), None),
        (ended(method=LIFESPAN), None),
        (ended(method="WEBSOCKET"), None),
        (LiveExchange("GET", "/"), None),
    ],
)
def test_whether_the_endpoint_was_reached(record, known):
    assert reached.entered(record) is known


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
    record = ended()
    record.refused, record.answered = refused, answered
    told = reached.answerer(record, UserCode(__file__.rpartition("/")[0]))
    assert (told and told.name, told and told.frame is not None) == (name, mine)


def test_what_is_no_message_is_passed_by():
    record = ended()
    for message in (None, 3, {}, {"type": "http.response.body"}):
        reached.note_answer(record, message, None)
    assert record.answered is None

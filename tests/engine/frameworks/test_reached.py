"""What says that an endpoint was reached, and what an app must show for that. Whole requests: `tests/plugin`."""

import pytest

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import reached
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

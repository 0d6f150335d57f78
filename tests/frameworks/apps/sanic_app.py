"""An app of Sanic's."""

import asyncio

import kinds
from sanic import Sanic, response
from sanic_testing import TestManager

app = Sanic("kinds")
app.asgi = True  # before its lifespan, too: `httpx.ASGITransport` sends none
manager = TestManager(app)


@app.get("/<kind>/<how>")
async def endpoint(request, kind, how):
    await kinds.work(kind, how)
    return response.text("done")


async def own_client(path):
    _request, answer = await app.asgi_client.get(path)
    assert answer.status == 200


def own_server(path, loop):
    app.config.USE_UVLOOP = loop == "uvloop"
    _request, answer = app.test_client.get(path)
    assert answer.status == 200


def prepare():
    """What its clients reset, each before its own start."""
    app.asgi = True
    app.router.reset()
    app.signal_router.reset()
    asyncio.run(app._startup())

"""An app of Sanic's."""

import asyncio

import kinds
from sanic import Sanic, response
from sanic_testing import TestManager

app = Sanic("kinds")
app.asgi = True  # before its lifespan, too: `httpx.ASGITransport` sends none
manager = TestManager(app)


@app.on_request
async def middleware(request):
    if request.path.startswith("/middleware/"):
        await kinds.around(request.path.rpartition("/")[2])


@app.get("/stream/<how>")
async def stream(request, how):
    answer = await request.respond()
    async for part in kinds.stream(how):
        await answer.send(part)


@app.get("/<kind>/<how>")
async def endpoint(request, kind, how):
    await kinds.work(kind, how)
    return response.text("done")


async def own_client(path):
    _request, answer = await app.asgi_client.get(path)
    assert answer.status == 200


def own_server(path, loop):
    app.config.USE_UVLOOP = loop == "uvloop"
    try:
        _request, answer = app.test_client.get(path)
    finally:
        asyncio.set_event_loop_policy(None)  # the server leaves that of uvloop
    assert answer.status == 200


def prepare():
    """What its clients reset, each before its own start."""
    app.asgi = True
    app.router.reset()
    app.signal_router.reset()
    asyncio.run(app._startup())

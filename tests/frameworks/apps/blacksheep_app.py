"""An app of BlackSheep's."""

import functools

import kinds
from blacksheep import Application, Response, Router, StreamedContent, WebSocket, text
from blacksheep.testing import TestClient

app = Application(router=Router())


async def middleware(request, handler):
    path = request.url.path.decode()
    if path.startswith("/middleware/"):
        await kinds.around(path.rpartition("/")[2])
    return await handler(request)


app.middlewares.append(middleware)


@app.router.get("/{kind}/{how}")
async def endpoint(kind: str, how: str):
    if kind == "stream":
        return Response(200, content=StreamedContent(b"text/plain", functools.partial(kinds.stream, how)))
    await kinds.work(kind, how)
    return text("done")


@app.router.ws("/ws/{how}")
async def socket(websocket: WebSocket, how: str):
    await websocket.accept()
    await websocket.receive_text()
    await kinds.work("sleep", how)
    await websocket.send_text("done")
    await websocket.close()


async def started():
    if not app.started:
        await app.start()
    return TestClient(app)


async def own_client(path):
    response = await (await started()).get(path)
    assert response.status == 200
    assert (await response.text()).endswith("done")


async def own_socket(path):
    async with (await started()).websocket_connect(path) as connection:
        await connection.send({"type": "websocket.receive", "text": "go"})
        assert await connection.receive_text() == "done"

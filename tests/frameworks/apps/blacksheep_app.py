"""An app of BlackSheep's."""

import kinds
from blacksheep import Application, Router, WebSocket, text
from blacksheep.testing import TestClient

app = Application(router=Router())


@app.router.get("/{kind}/{how}")
async def endpoint(kind: str, how: str):
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
    assert (await (await started()).get(path)).status == 200


async def own_socket(path):
    async with (await started()).websocket_connect(path) as connection:
        await connection.send({"type": "websocket.receive", "text": "go"})
        assert await connection.receive_text() == "done"

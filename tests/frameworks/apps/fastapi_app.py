"""An app of FastAPI's; `/pool` is a `def` endpoint that runs in a worker."""

import kinds
from anyio.to_thread import run_sync
from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

app = FastAPI()


@app.middleware("http")
async def middleware(request, call_next):
    if request.url.path.startswith("/middleware/"):
        await kinds.around(request.url.path.rpartition("/")[2])
    return await call_next(request)


@app.get("/pool/pool/pool")
def pool():
    kinds.sleep()


@app.get("/stream/{how}")
async def stream(how: str):
    return StreamingResponse(kinds.stream(how))


@app.get("/{kind}/{how}")
async def endpoint(kind: str, how: str, tasks: BackgroundTasks):
    await kinds.work(kind, how, run_sync)
    if kind == "background":
        tasks.add_task(kinds.around, how)


@app.websocket("/ws/{how}")
async def socket(websocket: WebSocket, how: str):
    await websocket.accept()
    await websocket.receive_text()
    await kinds.work("sleep", how, run_sync)
    await websocket.send_text("done")
    await websocket.close()


OPTIONS = {"asyncio": {}, "uvloop": {"backend_options": {"use_uvloop": True}}, "trio": {"backend": "trio"}}


def own_client(path, loop):
    with TestClient(app, **OPTIONS[loop]) as client:
        assert client.get(path).status_code == 200


def own_socket(path):
    with TestClient(app) as client, client.websocket_connect(path) as connection:
        connection.send_text("go")
        assert connection.receive_text() == "done"

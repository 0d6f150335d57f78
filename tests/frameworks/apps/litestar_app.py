"""An app of Litestar's; `/pool` is a `def` handler that runs in a worker."""

import kinds
from litestar import Litestar, WebSocket, get, websocket
from litestar.background_tasks import BackgroundTask
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath
from litestar.response import Response, Stream
from litestar.testing import AsyncTestClient, TestClient


@get("/{kind:str}/{how:str}")
async def endpoint(kind: FromPath[str], how: FromPath[str]) -> str:
    await kinds.work(kind, how, sync_to_thread)
    return "done"


@get("/stream/{how:str}")
async def stream(how: FromPath[str]) -> Stream:
    return Stream(kinds.stream(how))


@get("/background/{how:str}")
async def background(how: FromPath[str]) -> Response[str]:
    return Response("done", background=BackgroundTask(kinds.around, how))


def middleware(app):
    async def around(scope, receive, send):
        if scope["path"].startswith("/middleware/"):
            await kinds.around(scope["path"].rpartition("/")[2])
        await app(scope, receive, send)

    return around


@get("/pool/pool/pool", sync_to_thread=True)
def pool() -> str:
    kinds.sleep()
    return "done"


@websocket("/ws/{how:str}")
async def socket(socket: WebSocket, how: FromPath[str]) -> None:
    await socket.accept()
    await socket.receive_text()
    await kinds.work("sleep", how, sync_to_thread)
    await socket.send_text("done")
    await socket.close()


app = Litestar([endpoint, stream, background, pool, socket], middleware=[middleware])


OPTIONS = {"asyncio": {}, "uvloop": {"backend_options": {"use_uvloop": True}}, "trio": {"backend": "trio"}}


def own_client(path, loop):
    with TestClient(app, **OPTIONS[loop]) as client:
        assert client.get(path).status_code == 200


async def own_async_client(path):
    async with AsyncTestClient(app) as client:
        assert (await client.get(path)).status_code == 200


def own_socket(path):
    with TestClient(app) as client, client.websocket_connect(path) as connection:
        connection.send_text("go")
        assert connection.receive_text() == "done"

"""An app of Quart's; `/pool` is a `def` handler that runs in a worker."""

import kinds
from quart import Quart, request, websocket
from quart.utils import run_sync

app = Quart(__name__)


@app.before_request
async def middleware():
    if request.path.startswith("/middleware/"):
        await kinds.around(request.path.rpartition("/")[2])


@app.get("/stream/<how>")
async def stream(how):
    return kinds.stream(how), 200


@app.get("/<kind>/<how>")
async def endpoint(kind, how):
    await kinds.work(kind, how, lambda function: run_sync(function)())
    return "done"


@app.get("/pool/pool/pool")
def pool():
    kinds.sleep()
    return "done"


@app.websocket("/ws/<how>")
async def socket(how):
    await websocket.receive()
    await kinds.work("sleep", how, lambda function: run_sync(function)())
    await websocket.send("done")


async def own_client(path):
    response = await app.test_client().get(path)
    assert response.status_code == 200


async def own_socket(path):
    async with app.test_client().websocket(path) as connection:
        await connection.send("go")
        assert await connection.receive() == "done"

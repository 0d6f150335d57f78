"""An app of Falcon's."""

import functools

import falcon.asgi
import kinds
from falcon import testing


class Middleware:
    async def process_request(self, request, response):
        if request.path.startswith("/middleware/"):
            await kinds.around(request.path.rpartition("/")[2])


app = falcon.asgi.App(middleware=[Middleware()])


class Endpoint:
    async def on_get(self, request, response, kind, how):
        await kinds.work(kind, how, falcon.sync_to_async)
        if kind == "stream":
            response.stream = kinds.stream(how)
            return
        if kind == "background":
            response.schedule(functools.partial(kinds.around, how))
        response.text = "done"

    async def on_websocket(self, request, socket, kind, how):
        await socket.accept()
        await socket.receive_text()
        await kinds.work("sleep", how)
        await socket.send_text("done")
        await socket.close()


app.add_route("/{kind}/{how}", Endpoint())


def own_client(path):
    assert testing.TestClient(app).simulate_get(path).status_code == 200


async def own_conductor(path):
    async with testing.ASGIConductor(app) as conductor:
        assert (await conductor.simulate_get(path)).status_code == 200


async def own_socket(path):
    async with testing.ASGIConductor(app) as conductor, conductor.simulate_ws(path) as connection:
        await connection.send_text("go")
        assert await connection.receive_text() == "done"

"""Async views of Django's, and a consumer of Channels'; `/pool` is a `def` view that runs in a worker."""

import django
import kinds
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils.decorators import async_only_middleware

settings.configure(
    DEBUG=False,
    SECRET_KEY="a",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=[],
    MIDDLEWARE=[f"{__name__}.middleware"],
    USE_TZ=True,
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402  # after the settings
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.testing import HttpCommunicator, WebsocketCommunicator  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.test import AsyncClient  # noqa: E402


@async_only_middleware
def middleware(get_response):
    async def around(request):
        if request.path.startswith("/middleware/"):
            await kinds.around(request.path.rpartition("/")[2])
        return await get_response(request)

    return around


async def endpoint(request, kind, how):
    if kind == "stream":
        return StreamingHttpResponse(kinds.stream(how))
    await kinds.work(kind, how, lambda function: sync_to_async(function)())
    return HttpResponse("done")


def pool(request):
    kinds.sleep()
    return HttpResponse("done")


class Consumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await kinds.work("sleep", self.scope["url_route"]["kwargs"]["how"])
        await self.send(text_data="done")


urlpatterns = [path("pool/pool/pool", pool), path("<kind>/<how>", endpoint)]
app = get_asgi_application()
both = ProtocolTypeRouter({"http": app, "websocket": URLRouter([path("ws/<how>", Consumer.as_asgi())])})


async def own_client(path):
    response = await AsyncClient().get(path)
    assert response.status_code == 200
    assert not response.streaming or [part async for part in response] == [b"begun, ", b"done"]


async def own_communicator(path):
    response = await HttpCommunicator(both, "GET", path).get_response(timeout=5)
    assert response["status"] == 200


async def own_socket(path):
    connection = WebsocketCommunicator(both, path)
    assert (await connection.connect())[0]
    await connection.send_to(text_data="go")
    assert await connection.receive_from(5) == "done"
    await connection.disconnect()

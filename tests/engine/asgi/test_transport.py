"""The streaming transport: the response is there when it is complete, the app may go on."""

import asyncio
import contextlib
import socket
import sys
import time

import pytest

from pytest_noblock.engine.asgi.lifespan import Lifespan
from pytest_noblock.engine.asgi.transport import EXTENSION, AppTransport, NoResponse
from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.live_tasks import LiveTask
from pytest_noblock.engine.meters import metering
from pytest_noblock.engine.now import now
from pytest_noblock.engine.usercode import UserCode

START = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.fixture
def asked(run):
    """What the client got and the records of its calls."""

    def asked(app, url="/", method="GET", wait=0.0, **arguments):
        async def main():
            records = []
            async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
                response = await client.request(method, url, extensions={EXTENSION: records}, **arguments)
                states = [record.returned for record in records]
                await asyncio.sleep(wait)
            return response, records, states

        return run(main())

    return asked


def test_the_response_is_there_before_the_app_returns(asked, respond):
    async def app(scope, receive, send):
        await respond(send, b"done")
        await asyncio.sleep(0.05)

    response, (record,), (returned,) = asked(app, wait=0.1)
    assert response.content == b"done"
    assert returned is None
    assert record.sent <= record.started <= record.completed < record.returned
    assert record.returned - record.completed > 40_000_000


def test_a_stream_comes_in_pieces(run, respond):
    released = None

    async def app(scope, receive, send):
        await respond(send, b"one", more_body=True)
        await released.wait()
        await send({"type": "http.response.body", "body": b"two"})

    async def main():
        nonlocal released
        released = asyncio.Event()
        client = httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver")
        async with client, client.stream("GET", "/") as response:
            pieces = response.aiter_raw()
            first = await anext(pieces)
            released.set()
            return first, [piece async for piece in pieces]

    assert run(main()) == (b"one", [b"two"])


def test_the_scope_is_what_a_server_would_give(asked, respond):
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        seen["body"] = (await receive())["body"]
        await respond(send)

    asked(app, "/a%20b?q=1", "POST", content=b"body", headers={"X-Name": "Value"})
    assert seen["type"] == "http"
    assert (seen["method"], seen["path"], seen["raw_path"], seen["query_string"]) == ("POST", "/a b", b"/a%20b", b"q=1")
    assert (b"x-name", b"Value") in seen["headers"]
    assert seen["body"] == b"body"


def test_the_scopes_are_those_of_uvicorn(run, user, respond):
    uvicorn = pytest.importorskip("uvicorn")

    async def app(scope, receive, send):
        seen.append({key: value for key, value in scope.items() if key != "headers"})
        if scope["type"] == "http":
            await respond(send)
            return
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})

    async def under_uvicorn():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = uvicorn.Server(uvicorn.Config(app, log_config=None, http="h11"))
            serving = asyncio.create_task(server.serve([listening]))
            while not server.started:
                await asyncio.sleep(0.01)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                await client.get("/a%20b?q=1")
            server.should_exit = True
            await serving

    async def in_the_fixture():
        transport = AppTransport(await Lifespan(app, user).start())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            await client.get("/a%20b?q=1")

    seen = []
    run(under_uvicorn())
    run(in_the_fixture())
    theirs, ours = seen[:2], seen[2:]
    for scope in (theirs[1], ours[1]):
        assert isinstance(scope.pop("server")[1], int)
        assert isinstance(scope.pop("client")[1], int)
    assert ours == theirs


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_the_apps_call_is_no_eager_task(run, respond):
    """Else it would run in the client's step, which is nobody's."""

    async def app(scope, receive, send):
        await respond(send)

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        records = []
        with metering("full", UserCode("/nowhere"), sample_after=10_000_000):
            async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
                await client.get("/", extensions={EXTENSION: records})
        return records[0].steps

    assert run(main()) > 0


@pytest.mark.parametrize("asks", [True, False])
def test_the_parts_of_a_response_are_sent_in_one_turn_of_the_loop(run, user, asks):
    """Also where we take a turn, so that a background task can show that it begins too early."""

    async def app(scope, receive, send):
        CURRENT.get().tasks.append(LiveTask(None, []))
        await send(START)
        for number in range(4):
            time.sleep(0.005)
            await send({"type": "http.response.body", "body": b"x", "more_body": number < 3})

    async def main():
        transport = AppTransport(app)
        transport.asks_for_tasks = asks
        with metering("full", user, sample_after=10_000_000) as metered:
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
                await client.get("/", extensions={EXTENSION: []})
        return [segment.turn for segment in metered.segments for _call in segment.calls]

    turns = run(main())
    assert (len(turns), len(set(turns))) == (4, 1)


def test_the_apps_exception_is_on_record_and_not_raised(run):
    async def app(scope, receive, send):
        raise ValueError("no")

    async def main():
        records = []
        async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
            with pytest.raises(NoResponse):
                await client.get("/", extensions={EXTENSION: records})
            task = records[0].task
            await asyncio.wait([task])
        return records, task

    (record,), task = run(main())
    assert record.error_text == "ValueError('no')"
    assert task.exception() is None
    assert record.returned is not None
    assert record.completed is None


def test_each_call_of_a_redirect_is_a_record(asked):
    async def app(scope, receive, send):
        target = scope["path"] == "/to"
        headers = [] if target else [(b"location", b"/to")]
        await send({"type": "http.response.start", "status": 200 if target else 307, "headers": headers})
        await send({"type": "http.response.body"})

    _response, records, _states = asked(app, "/from", follow_redirects=True)
    assert [(record.path, record.status) for record in records] == [("/from", 307), ("/to", 200)]


def test_an_app_that_waits_for_the_client_to_go_learns_it(run, respond):
    """Streaming responses listen for it while they send."""
    left = None

    async def app(scope, receive, send):
        await receive()
        await respond(send)
        left.set_result((await receive())["type"])

    async def main():
        nonlocal left
        left = asyncio.get_running_loop().create_future()
        async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
            await client.get("/")
            return await asyncio.wait_for(left, 5)

    assert run(main()) == "http.disconnect"


def test_a_segment_is_cut_where_the_response_is_complete(user, run, respond):
    """The endpoint's sleep and the background task's may lie in one step."""

    async def app(scope, receive, send):
        slept.append(now())
        time.sleep(0.01)
        await respond(send)
        slept.append(now())
        time.sleep(0.01)

    async def main():
        records = []
        with metering("portable", user, sample_after=10_000_000) as meter:
            async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
                await client.get("/", extensions={EXTENSION: records})
                await asyncio.wait([records[0].task])
        return records[0], meter.segments

    slept = []
    record, segments = run(main())
    handler = [each for each in segments if each.began < record.completed]
    background = [each for each in segments if each.began >= record.completed]
    assert any(each.began <= slept[0] < each.ended for each in handler)
    assert any(each.began <= slept[1] < each.ended for each in background)
    assert all(each.ended <= slept[1] for each in handler)


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([{"type": "http.response.body"}], "Expected ASGI message 'http.response.start', but got 'http.response.body'"),
        ([START, START], "Expected ASGI message 'http.response.body', but got 'http.response.start'"),
        ([START, {"type": "http.response.body", "body": "text"}], "the body of an ASGI message must be bytes"),
        ([{"type": "http.response.start"}], "the status of an ASGI message must be an integer"),
        ([{**START, "status": "200"}], "the status of an ASGI message must be an integer"),
        ([{**START, "headers": [("a", "b")]}], "the headers of an ASGI message must be pairs of bytes"),
    ],
    ids="body-first start-twice text no-status status headers".split(),
)
def test_what_a_server_refuses_is_refused(run, messages, error):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    async def main():
        records = []
        async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
            with contextlib.suppress(NoResponse):
                await client.get("/", extensions={EXTENSION: records})
        return records

    (record,) = run(main())
    assert error in record.error_text
    assert record.completed is None


def test_the_request_owns_its_task_and_the_client_does_not(run, respond):
    async def app(scope, receive, send):
        seen.append(CURRENT.get())
        await respond(send)

    async def main():
        records = []
        async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
            await client.get("/", extensions={EXTENSION: records})
        return records, CURRENT.get()

    seen = []
    records, clients = run(main())
    assert seen == records
    assert clients is None

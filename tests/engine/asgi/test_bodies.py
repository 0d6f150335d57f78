"""Long bodies come in pieces, as from a server, and only to code that asks for the next one."""

import asyncio
import sys

import pytest

from pytest_noblock.engine.asgi import bodies, boundary
from pytest_noblock.engine.asgi.client_side import MOST_AT_ONCE, MOST_UNREAD, PIECE
from pytest_noblock.engine.asgi.transport import AppCall
from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.meters import metering

HTTP = {"type": "http", "method": "POST", "path": "/upload"}


@pytest.mark.parametrize("length", [0, 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE - 1])
@pytest.mark.parametrize("more", [{}, {"more_body": False}, {"more_body": True}])
def test_the_pieces_are_the_same_bytes_and_end_as_the_message_does(length, more):
    body = bytes(number % 251 for number in range(length))
    told = list(bodies.pieces({"type": "http.request", **more}, body))
    assert b"".join(each["body"] for each in told) == body
    assert max(len(each["body"]) for each in told) <= PIECE
    assert all(each["more_body"] for each in told[:-1])
    assert {name: told[-1][name] for name in told[-1] if name != "body"} == {"type": "http.request", **more}


async def looks(receive):
    return (await receive()).get("more_body", False)


async def takes_one_for_all(receive):
    return await receive()


class Middleware:
    def __init__(self, receive):
        self.inner = receive

    async def receive(self):
        return await self.inner()


def around(receive):
    async def inner():
        message = await receive()
        return dict(message)

    return inner


def kept(request):
    """The snippet that goes round: it hands the first message out again and again, and never ends with a long body."""

    async def set_body(request):
        return await request()

    return set_body(request)


@pytest.mark.parametrize(
    ("reader", "asks"),
    [
        pytest.param(looks, True, id="it looks at more_body"),
        pytest.param(takes_one_for_all, False, id="it does not"),
        pytest.param(lambda receive: looks(Middleware(receive).receive), True, id="behind a method"),
        pytest.param(lambda receive: looks(around(around(receive))), True, id="behind functions"),
        pytest.param(lambda receive: takes_one_for_all(around(receive)), False, id="it does not, behind a function"),
        pytest.param(kept, False, id="it keeps the message"),
    ],
)
def test_code_asks_for_more_where_it_knows_that_more_may_come(reader, asks):
    async def receive():
        seen.append(bodies.asks_for_more(sys._getframe(1)))
        return {}

    seen = []
    asyncio.run(reader(receive))
    assert seen == [asks]


def entered(user, app, messages, *, sent=None):
    """The segments that the app shows which enters with these messages of a client in process."""

    class Watcher:
        asks_for_tasks = False

        def request_enters(self, app, record):
            return self.meter

        def current(self):
            return self

    async def receive():
        return waiting.pop(0)

    async def send(message):
        if sent is not None:
            sent.append(message)

    async def main():
        watcher = Watcher()
        with metering("full", user, sample_after=10_000_000) as metered:
            watcher.meter = metered.steps
            await asyncio.create_task(boundary.enter(watcher, app, app, dict(HTTP), receive, send))
        return metered.segments

    waiting = list(messages)
    return asyncio.run(main())


def burn():
    """Half a millisecond and more: a segment shows it."""
    sum(range(50_000))


@pytest.mark.parametrize(
    ("sizes", "turns"),
    [
        pytest.param([10 * PIECE], 10, id="one long message"),
        pytest.param([PIECE] * 4, 4, id="a piece at a time"),
        pytest.param([PIECE // 4] * 8, 2, id="four short ones are a piece"),
        pytest.param([MOST_AT_ONCE], 1, id="as long as a server makes them"),
    ],
)
def test_a_server_polls_between_the_pieces_of_a_body(user, sizes, turns):
    async def app(scope, receive, send):
        more = True
        while more:
            message = await receive()
            got.append(message["body"])
            for _ in range(5):
                burn()
            more = message.get("more_body", False)

    got = []
    last = len(sizes) - 1
    messages = [
        {"type": "http.request", "body": b"x" * size, "more_body": number < last} for number, size in enumerate(sizes)
    ]
    segments = entered(user, app, messages)
    assert len(b"".join(got)) == sum(sizes)
    assert len({each.turn for each in segments}) == turns


def test_what_takes_one_message_for_all_gets_all(user):
    async def app(scope, receive, send):
        got.append(await receive())

    got = []
    whole = {"type": "http.request", "body": b"x" * 10 * PIECE}
    entered(user, app, [whole])
    assert got[0] is whole


def test_a_server_polls_where_the_client_cannot_have_read_all(user):
    async def app(scope, receive, send):
        for number in range(5):
            for _ in range(5):
                burn()
            await send({"type": "http.response.body", "body": b"x" * (MOST_UNREAD // 2), "more_body": number < 4})

    segments = entered(user, app, [])
    assert len({each.turn for each in segments}) == 2
    assert 0 not in {each.turn for each in segments}


def test_the_fixtures_transport_hands_pieces_over_in_turns(user):
    async def app(scope, receive, send):
        got.append(await receive())
        while got[-1]["more_body"]:
            ready.append(0)
            asyncio.get_running_loop().call_soon(ready.append, 1)
            got.append(await receive())

    async def main():
        call = AppCall(app, LiveExchange("POST", "/upload"), b"x" * (3 * PIECE + 1))
        CURRENT.set(None)
        await call.run()

    got, ready = [], []
    asyncio.run(main())
    assert [len(each["body"]) for each in got] == [PIECE, PIECE, PIECE, 1]
    assert ready == [0, 1] * 3


def test_a_piece_is_not_lost_where_its_reader_is_cancelled():
    """As by `Request.is_disconnected`, which does not wait."""

    async def app(scope, receive, send):
        await receive()
        task = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        got.append(await receive())

    async def main():
        call = AppCall(app, LiveExchange("POST", "/upload"), b"x" * PIECE + b"yz")
        await asyncio.wait_for(call.run(), 5)

    got = []
    asyncio.run(main())
    assert got == [{"type": "http.request", "body": b"yz", "more_body": False}]

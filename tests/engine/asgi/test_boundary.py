"""The border: what is the request's there and what the client's, and what the recorder writes."""

import asyncio
import contextlib
import time

import pytest

from pytest_noblock.engine import guard
from pytest_noblock.engine.asgi import boundary
from pytest_noblock.engine.asgi.transport import EXTENSION, AppTransport, NoResponse
from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.live_tasks import LiveTask
from pytest_noblock.engine.meters import metering
from pytest_noblock.engine.now import now

HTTP = {"type": "http", "method": "GET", "path": "/a"}


class Meter:
    """Knows only whose the running step is."""

    owner = None
    turn = 0
    closed = False

    def end(self):
        self.owner = None

    def switch_owner(self, owner):
        self.owner = owner


class Watcher:
    def __init__(self, meter=None, *, asks_for_tasks=True):
        self.meter = meter or Meter()
        self.asks_for_tasks = asks_for_tasks
        self.records = []
        self.stops = []
        self.later_meter = None

    def request_enters(self, app, record):
        self.records.append(record)
        return self.meter

    def current(self):
        return self

    def lifespan_stops(self, record):
        self.stops.append(record)
        return self.later_meter


async def nothing_to_receive():
    return {"type": "http.request"}


async def ignore(_message):
    pass


def entering(watcher, app, scope=HTTP, receive=nothing_to_receive, send=ignore):
    return boundary.enter(watcher, app, app, dict(scope), receive, send)


async def ended(record):
    """The app's call may end after the client's."""
    while record.remains is None:
        await asyncio.sleep(0)


def by_border(app, *, asks_for_tasks=True):
    """The record of a watched client's request."""

    async def main():
        watcher = Watcher(asks_for_tasks=asks_for_tasks)
        with contextlib.suppress(ValueError):
            await entering(watcher, app)
        return watcher.records[0]

    return asyncio.run(main())


def by_transport(app, *, asks_for_tasks=True):
    """The record of the fixture's request."""

    async def main():
        records = []
        transport = AppTransport(app)
        transport.asks_for_tasks = asks_for_tasks
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            with contextlib.suppress(NoResponse):
                await client.get("/a", extensions={EXTENSION: records})
            await ended(records[0])
        return records[0]

    return asyncio.run(main())


@pytest.fixture(params=[by_border, by_transport])
def recorded(request):
    """Both ways in write the same record."""
    return request.param


def test_the_record_has_the_times_of_the_messages(recorded, respond):
    async def app(scope, receive, send):
        await respond(send, b"one", more_body=True)
        times.append(now())
        await send({"type": "http.response.body", "body": b"two"})
        times.append(now())

    times = []
    record = recorded(app)
    assert (record.method, record.path, record.status) == ("GET", "/a", 200)
    assert record.sent <= record.started <= times[0] <= record.completed <= times[1] <= record.returned
    assert record.error_text is None


def test_a_response_that_is_not_complete_has_no_end(recorded, respond):
    async def app(scope, receive, send):
        await respond(send, more_body=True)

    record = recorded(app)
    assert record.started is not None
    assert record.completed is None
    assert record.returned is not None


def test_what_the_app_raises_is_on_record(recorded):
    async def app(scope, receive, send):
        raise ValueError("no")

    record = recorded(app)
    assert record.error_text == "ValueError('no')"
    assert record.returned is not None


@pytest.mark.parametrize("asks", [True, False])
def test_a_background_task_that_is_started_before_the_body_begins_before_it(recorded, respond, asks):
    """Starlette <= 1.6 does so behind its middleware; it must not be luck whether that shows, where a test asks.

    Where none asks, nobody gets a turn of the loop that nobody gets without us.
    """

    async def app(scope, receive, send):
        async def begin():
            task.began = now()

        task = LiveTask(begin, [])
        CURRENT.get().tasks.append(task)
        running.append(asyncio.create_task(begin()))
        await respond(send)
        await running[0]

    running = []
    record = recorded(app, asks_for_tasks=asks)
    assert (record.tasks[0].began < record.completed) is asks


def test_the_client_is_not_the_request(respond):
    """Neither its steps in `receive` and `send` nor what it starts there."""

    async def main():
        watcher = Watcher()
        owners = {}

        def see(who):
            owners[who] = (watcher.meter.owner, CURRENT.get())

        async def started_by_client():
            see("client's task")

        async def receive():
            see("receive")
            return {"type": "http.request"}

        async def send(message):
            tasks.append(asyncio.create_task(started_by_client()))
            see("send")

        async def app(scope, receive, send):
            see("app")
            await receive()
            see("after receive")
            await respond(send)
            see("after send")

        tasks = []
        await entering(watcher, app, receive=receive, send=send)
        see("after the call")
        await asyncio.wait(tasks)
        return owners, watcher.records[0]

    owners, record = asyncio.run(main())
    assert {who for who, (owner, _) in owners.items() if owner is record} == {"app", "after receive", "after send"}
    assert {who for who, (_, current) in owners.items() if current is record} == {"app", "after receive", "after send"}
    nobodys = {"receive", "send", "client's task", "after the call"}
    assert {who for who, owner in owners.items() if owner == (None, None)} == nobodys


def test_a_segment_has_what_the_app_does_and_nothing_of_the_client(user, respond):
    async def main():
        async def send(message):
            if message["type"] == "http.response.body":
                sleep("client")

        async def app(scope, receive, send):
            sleep("app before")
            await respond(send)
            sleep("app after")

        def sleep(who):
            began = now()
            time.sleep(0.01)
            slept[who] = (began, now())

        slept = {}
        with metering("portable", user, sample_after=10_000_000) as meter:
            sleep("test")
            await entering(Watcher(meter.steps), app, send=send)
        return slept, meter.segments

    slept, segments = asyncio.run(main())

    def holding(who):
        began, ended = slept[who]
        return [segment for segment in segments if segment.began < ended and segment.ended > began]

    assert [len(holding(who)) for who in ("app before", "app after")] == [1, 1]
    assert holding("app before") != holding("app after")
    assert [holding(who) for who in ("test", "client")] == [[], []]


def test_a_call_within_a_request_is_part_of_it(respond):
    async def inner(scope, receive, send):
        await respond(send)

    async def main():
        async def outer(scope, receive, send):
            await boundary.enter(watcher, inner, inner, scope, receive, send)

        watcher = Watcher()
        await entering(watcher, outer)
        return watcher.records

    (record,) = asyncio.run(main())
    assert record.completed is not None


def test_one_request_after_another_are_two(respond):
    async def app(scope, receive, send):
        await respond(send)

    async def main():
        watcher = Watcher()
        for _ in range(2):
            await entering(watcher, app)
        return watcher.records

    first, second = asyncio.run(main())
    assert first.number != second.number


@pytest.mark.parametrize(
    ("scope", "requests"),
    [
        ({"type": "http", "method": "POST", "path": "/b"}, ["POST /b"]),
        ({"type": "websocket", "path": "/ws"}, ["WEBSOCKET /ws"]),
        ({"type": "lifespan"}, ["LIFESPAN"]),
        ({"type": "mail"}, []),
    ],
    ids="http websocket lifespan other".split(),
)
def test_what_is_recorded_of_each_type_of_scope(scope, requests):
    async def app(scope, receive, send):
        called.append(scope["type"])

    called = []
    watcher = Watcher()
    asyncio.run(entering(watcher, app, scope))
    assert called == [scope["type"]]
    assert [record.request for record in watcher.records] == requests


@pytest.mark.parametrize(
    ("client", "suspends", "turns"),
    [
        pytest.param("uvicorn.protocols.http.h11_impl", False, 1, id="a server that has room"),
        pytest.param("uvicorn.protocols.http.h11_impl", True, 3, id="a server whose client reads slowly"),
        pytest.param("starlette.testclient", True, 1, id="the test client, which hands over to the test's thread"),
    ],
)
def test_a_send_ends_the_turn_only_where_a_server_suspends(user, respond, client, suspends, turns):
    async def app(scope, receive, send):
        await respond(send, more_body=True)
        for number in range(3):
            time.sleep(0.002)
            await send({"type": "http.response.body", "body": b"x", "more_body": number < 2})

    async def send(_message):
        if suspends:
            await asyncio.sleep(0)

    async def main():
        with metering("full", user, sample_after=10_000_000) as metered:
            await asyncio.create_task(entering(Watcher(metered.steps), app, send=send))
        return [segment.turn for segment in metered.segments if segment.calls]

    send.__module__ = client
    counted = asyncio.run(main())
    assert (len(counted), len(set(counted))) == (3, turns)
    assert 0 not in counted


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


ODD_SCOPES = [
    ({"type": "http"}, "GET"),
    ({"type": "http", "method": None, "path": None}, "None None"),
    ({"type": "http", "method": b"GET", "path": b"/"}, "b'GET' b'/'"),
    ({"type": "http", "method": "GET", "path": Unshowable()}, "GET <Unshowable, whose repr raises>"),
    ({"type": ["http"]}, None),
    ({"type": None}, None),
    ({}, None),
    (None, None),
    ("http", None),
]
ODD_MESSAGES = [
    None,
    7,
    {},
    {"type": 1},
    {"type": "http.response.start"},
    {"type": "http.response.start", "status": "200", "headers": [1, 2]},
]


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize(("scope", "request_"), ODD_SCOPES, ids=range(len(ODD_SCOPES)))
def test_whatever_client_and_app_say_to_each_other_passes_as_it_is(scope, request_, asks):
    """What is wrong in it they tell each other."""

    async def app(scope, receive, send):
        seen.append(scope)
        if (record := CURRENT.get()) is not None:
            record.tasks.append(LiveTask(None, []))
        for message in ODD_MESSAGES:
            await send(message)
        seen.append(await receive())

    async def receive():
        return 5

    async def send(message):
        seen.append(message)

    seen = []
    watcher = Watcher(asks_for_tasks=asks)
    asyncio.run(boundary.enter(watcher, app, app, scope, receive, send))
    assert seen[0] is scope
    assert seen[1:] == [*ODD_MESSAGES, 5]
    assert [record.request for record in watcher.records] == [request_] * (request_ is not None)
    assert [record.status for record in watcher.records] == [None] * len(watcher.records)
    assert not guard.waiting


def test_the_call_of_an_app_may_give_any_awaitable(respond):
    class Given:
        def __init__(self, call):
            self._call = call

        def __await__(self):
            return self._call.__await__()

    def app(scope, receive, send):
        return Given(respond(send))

    async def main():
        loop = asyncio.get_running_loop()
        for factory in (None, lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options)):
            loop.set_task_factory(factory)
            await entering(watcher, app)

    watcher = Watcher()
    asyncio.run(main())
    assert [record.status for record in watcher.records] == [200, 200]
    assert not guard.waiting


@pytest.mark.parametrize(("closed", "wanted"), [(False, True), (True, True), (True, False)])
def test_an_app_that_stops_after_the_test_goes_on_with_a_meter_of_whoever_wants_to_know(closed, wanted):
    async def main():
        async def receive():
            watcher.meter.closed = closed
            return {"type": "lifespan.shutdown"}

        async def app(scope, receive, send):
            await receive()
            owners.append((watcher.meter.owner, later.owner))

        owners, later, watcher = [], Meter(), Watcher()
        watcher.later_meter = later if wanted else None
        await entering(watcher, app, {"type": "lifespan"}, receive)
        return owners[0], watcher

    (own, later), watcher = asyncio.run(main())
    (record,) = watcher.records
    assert watcher.stops == ([record] if closed else [])
    assert (own, later) == (record, record if closed and wanted else None)

"""Requests are seen where they enter an app, whichever client sends them."""

import asyncio
import sys
import types

import httpx
import pytest

from pytest_noblock.engine import instrument
from pytest_noblock.engine.asgi.entry_points import EntryPoints
from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.steps.meter import StepMeter


class Watcher:
    """Counts what enters."""

    asks_for_tasks = False

    def __init__(self, user):
        self._user = user
        self.entered = []

    def request_enters(self, app, record):
        self.entered.append((app, record.request))
        return StepMeter(PortableClock(), self._user)

    def current(self):
        return self


@pytest.fixture
def watcher(user):
    return Watcher(user)


@pytest.fixture
def entry_points(watcher):
    entry_points = EntryPoints()
    entry_points.watcher = watcher
    instrument.install(entry_points.patches)
    yield entry_points
    instrument.uninstall(entry_points.patches)


@pytest.fixture
def app(respond):
    async def app(scope, receive, send):
        await respond(send, b"answer")

    return app


def get(app, path="/", transport=httpx.ASGITransport):
    async def main():
        async with httpx.AsyncClient(transport=transport(app), base_url="http://testserver") as client:
            return await client.get(path)

    return asyncio.run(main())


def test_a_request_through_httpx_is_seen(entry_points, watcher, app):
    assert get(app, "/users").text == "answer"
    assert watcher.entered == [(app, "GET /users")]


def test_the_transport_keeps_the_tests_app(entry_points, app):
    transport = httpx.ASGITransport(app)
    get(app, transport=lambda _: transport)
    assert transport.app is app


def test_nobody_is_told_while_nobody_watches(entry_points, watcher, app):
    entry_points.watcher = None
    assert get(app).text == "answer"
    assert watcher.entered == []


def test_after_the_uninstall_the_transport_is_bare(watcher, app):
    bare = httpx.ASGITransport.handle_async_request
    entry_points = EntryPoints()
    entry_points.watcher = watcher
    instrument.install(entry_points.patches)
    assert httpx.ASGITransport.handle_async_request is not bare
    instrument.uninstall(entry_points.patches)
    assert httpx.ASGITransport.handle_async_request is bare
    get(app)
    assert watcher.entered == []


@pytest.fixture
def no_starlette(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] in ("starlette", "fastapi")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("no_starlette")
def test_an_app_whose_framework_is_not_imported_is_none_of_ours(entry_points):
    assert not [name for name in sys.modules if name.startswith("starlette")]
    owners = [patch.owner for patch in entry_points._found()]
    assert httpx.ASGITransport in owners
    assert not [each for each in owners if each.__module__.startswith("starlette")]


@pytest.mark.usefixtures("no_starlette")
def test_an_app_that_is_awaited_by_hand_is_seen(entry_points, watcher, app, monkeypatch):
    """Where its framework is Starlette, or stands for it here."""

    class Starlette:
        async def __call__(self, scope, receive, send):
            await app(scope, receive, send)

    monkeypatch.setitem(sys.modules, "starlette.applications", types.SimpleNamespace(Starlette=Starlette))
    instrument.install(entry_points.patches)
    try:
        sent = []

        async def send(message):
            sent.append(message["type"])

        mine = Starlette()
        asyncio.run(mine({"type": "http", "method": "GET", "path": "/hand"}, None, send))
    finally:
        instrument.uninstall(entry_points.patches)
    assert watcher.entered == [(mine, "GET /hand")]
    assert sent == ["http.response.start", "http.response.body"]


def test_a_starlette_app_behind_httpx_enters_once(entry_points, watcher):
    applications = pytest.importorskip("starlette.applications")
    app = applications.Starlette()
    assert get(app).status_code == 404
    assert watcher.entered == [(app, "GET /")]


@pytest.mark.parametrize("framework", ["starlette.applications", "another"])
def test_a_transport_is_left_alone_where_the_framework_is_seen_itself(watcher, app, monkeypatch, framework):
    """Between client and app nothing of ours stands then but the app's own `__call__`."""
    carried = []

    async def handle_async_request(transport, _request):
        carried.append(transport)
        return httpx.Response(200)

    class Framework:
        __module__ = framework

        async def __call__(self, scope, receive, send):
            """Never called here."""

    monkeypatch.setattr(httpx.ASGITransport, "handle_async_request", handle_async_request)
    entry_points = EntryPoints()
    entry_points.watcher = watcher
    instrument.install(entry_points.patches)
    try:
        transport = httpx.ASGITransport(Framework())
        get(None, transport=lambda _: transport)
    finally:
        instrument.uninstall(entry_points.patches)
    assert (carried == [transport]) is (framework == "starlette.applications")

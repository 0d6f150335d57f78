"""The rounds of a sweep against a bare ASGI app: who is sent when, who is a suspect, and what ends a route."""

import asyncio
import concurrent.futures
import re
import sys
import threading
import time
from itertools import pairwise

import anyio.to_thread
import pytest

from pytest_noblock.checks.plan import Plan
from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine.many.flights import AT_ONCE, Patience
from pytest_noblock.engine.many.order import Order
from pytest_noblock.engine.many.sensors import Sensors
from pytest_noblock.engine.observe import Request as Sent
from pytest_noblock.model.limits import Limits
from pytest_noblock.sweep import flights
from pytest_noblock.sweep.outcome import RouteResult
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.run import Sweep, _spread
from tests.burning import letters


def test_neighbours_of_a_crowd_are_not_under_way_together():
    order = _spread(list(range(508)))
    assert sorted(order) == list(range(508))
    places = [order.index(each) for each in range(508)]
    assert min(abs(one - other) for one, other in pairwise(places)) > 80
    last = sorted(places[500:])  # as where the routes that do the same stand at the end
    assert min(other - one for one, other in pairwise(last)) > 30
    assert _spread(list(range(AT_ONCE))) == list(range(AT_ONCE))


class App:
    """Counts what it is asked for."""

    def __init__(self):
        self.calls = []
        self.cookies = set()
        self.somebody_came_twice = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if f"{scope['method']} {scope['path']}" in self.calls:
            self.somebody_came_twice.set()
        self.calls.append(f"{scope['method']} {scope['path']}")
        self.cookies |= {value for name, value in scope["headers"] if name == b"cookie"}
        await receive()
        status = await self._act(scope["path"])
        headers = [(b"set-cookie", b"seen=1"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["path"] == "/streams":
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0.02)
        await send({"type": "http.response.body", "body": b"[7]"})

    async def _lifespan(self, receive, send):
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async def _act(self, path):
        match path:
            case "/sleeps":
                time.sleep(0.08)
            case "/first" | "/among-others" if self.calls.count(f"GET {path}") == (1 if path == "/first" else 2):
                time.sleep(0.08)
            case "/second" if self.calls.count("GET /second") > 1:
                time.sleep(0.08)
            case "/ends" if self.calls.count("GET /ends") > 1:
                asyncio.get_running_loop().call_soon(sys.exit, 3)
                await asyncio.sleep(0.05)
            case "/late" if self.calls.count("GET /late") == 1:
                await self.somebody_came_twice.wait()
            case "/never":
                await asyncio.Event().wait()
            case "/over" | "/in-the-end" | "/keeps":
                await self._use_a_thread(path)
            case _:
                await asyncio.sleep(0.02)
        return 404 if path == "/missing" else 200

    async def _use_a_thread(self, path):
        if path == "/keeps":
            await anyio.to_thread.run_sync(re.match, r"(a+)+$", "a" * letters(100) + "b")
            return
        await asyncio.sleep(0.04)
        self._wait_for_a_job(0.12 if path == "/in-the-end" and self.calls.count(f"GET {path}") > 9 else 0)

    def _wait_for_a_job(self, seconds):
        """Which is over by then, as a longer one is on a busy machine."""
        job = concurrent.futures.Future()
        timer = threading.Timer(seconds, job.set_result, [None])
        timer.start()
        if not seconds:
            timer.join()
        job.result()


class User:
    """Makes plain requests, and notes what it is told."""

    def __init__(self):
        self.learnt = []
        self.told = []

    def request_of(self, result):
        path = result.route.path.replace("{id}", str(len(self.learnt)))
        return Sent(result.route.method, path, {})

    def knows_more(self, result):
        return False

    def learn(self, result, response):
        self.learnt.append((result.route.path, response.json()))

    def progress(self, over, everything):
        self.told.append((over, everything))


@pytest.fixture
def app():
    return App()


@pytest.fixture
def sweep(tmp_path, app, monkeypatch):
    """Sweeps these routes: the sweep itself, and the results by name."""
    monkeypatch.setattr(flights, "PATIENCE", Patience(1.0, 0.5))
    apps = RunningApps(str(tmp_path), "full")
    user = User()

    def swept(*names):
        sweep = Sweep(app, apps, Plan(limits=Limits(linger=100_000_000)), "full")
        results = [RouteResult(Route(*name.split())) for name in names]
        sweep.run(results, user)
        return sweep, {each.route.name: each for each in results}

    swept.user = user
    yield swept
    apps.stop()


def outcomes(swept):
    sweep, results = swept
    return {name: sweep.check("t", each).outcome for name, each in results.items()}


def test_each_route_is_sent_to_get_warm_and_once_more_to_be_measured(sweep, app):
    swept = sweep("GET /a", "HEAD /b")
    assert outcomes(swept) == {"GET /a": "passed", "HEAD /b": "passed"}
    assert sorted(app.calls) == ["GET /a", "GET /a", "HEAD /b", "HEAD /b"]
    assert sweep.user.told[-1] == (4, 4)


def test_each_stall_has_its_owner_and_is_confirmed(sweep):
    swept = sweep("GET /a", "GET /sleeps", "GET /b", "GET /second")
    found = outcomes(swept)
    assert found == {"GET /a": "passed", "GET /sleeps": "failed", "GET /b": "passed", "GET /second": "failed"}
    check = swept[0].check("t", swept[1]["GET /sleeps"])
    assert [each.confirmed for each in check.findings] == [True]
    assert check.loop_ms >= 80


def test_what_the_first_request_alone_does_is_no_finding(sweep):
    swept = sweep("GET /first")
    check = swept[0].check("t", swept[1]["GET /first"])
    assert check.outcome == "passed"
    assert any("did not come again" in note or "first" in note for note in check.notes)


def test_what_refuses_is_sent_once(sweep, app, patient):
    _sweep, results = sweep("GET /missing", "GET /a")
    assert (results["GET /missing"].reason, results["GET /missing"].words) == ("not-found", "answered 404")
    assert app.calls.count("GET /missing") == 1
    assert results["GET /a"].measured


def test_a_request_that_may_change_something_is_sent_once_and_after_the_others(sweep, app):
    _sweep, results = sweep("DELETE /a", "POST /a", "GET /a")
    assert app.calls == ["GET /a", "GET /a", "POST /a", "DELETE /a"]
    assert results["POST /a"].measured


def test_what_is_deleted_is_deleted_from_the_inside(sweep, app):
    sweep("DELETE /a", "DELETE /a/{id}", "PUT /a/{id}", "POST /a")
    assert app.calls == ["POST /a", "PUT /a/0", "DELETE /a/0", "DELETE /a"]


def test_a_route_with_an_id_comes_after_the_list_and_no_cookie_stays(sweep, app):
    sweep("GET /things/{id}", "GET /things")
    assert app.calls[:2] == ["GET /things", "GET /things/1"]
    assert sweep.user.learnt[0] == ("/things", [7])
    assert app.cookies == set()


def test_what_does_not_end_is_cancelled_and_the_others_are_measured(sweep, app):
    _sweep, results = sweep("GET /streams", "GET /never", "GET /a")
    assert (results["GET /streams"].reason, results["GET /streams"].mistake) == ("endless", None)
    assert results["GET /never"].reason == "endless"
    assert "GET /never did not answer within 1 s" in (results["GET /never"].mistake or "")
    assert results["GET /a"].measured
    assert app.calls.count("GET /never") == 1


def test_a_route_that_was_left_out_is_not_sent(sweep, app):
    result = RouteResult(Route("GET", "/a"))
    result.leave_out("excluded")
    with pytest.raises(RuntimeError, match="was not sent"):
        sweep("GET /b")[0].check("t", result)
    assert "GET /a" not in app.calls


@pytest.fixture
def busy(monkeypatch):
    """As if the loop thread had waited for a processor all the time, in so many runs of many requests."""
    original = Sensors.observation

    def busy(runs):
        runs = iter(range(runs))

        def observation(sensors, segments):
            made = original(sensors, segments)
            if next(runs, None) is not None:
                sensors._many.late = [(0, 1 << 62)]
            return made

        monkeypatch.setattr(Sensors, "observation", observation)

    return busy


def doubts(swept, name):
    sweep, results = swept
    check = sweep.check("t", results[name])
    assert (check.outcome, check.findings) == ("passed", ())
    return [note for note in check.notes if note.startswith("unsettled")]


def test_a_wait_that_the_machine_makes_shorter_in_each_run_is_unsettled(sweep, busy):
    busy(99)
    swept = sweep("GET /over", "GET /a")
    (doubt,) = doubts(swept, "GET /over")
    assert "waits for another thread or process" in doubt
    assert doubts(swept, "GET /a") == []


@pytest.mark.parametrize("runs", [0, 1, 5, 8])
def test_one_run_alone_that_makes_it_no_shorter_settles_it(sweep, busy, runs):
    busy(runs)
    assert doubts(sweep("GET /over", "GET /a"), "GET /over") == []


def test_a_wait_that_comes_after_a_check_without_one_is_checked_once_more(sweep, busy, app):
    busy(99)
    sweeping, results = sweep("GET /in-the-end")
    check = sweeping.check("t", results["GET /in-the-end"])
    assert [each.kind for each in check.findings] == ["sync-io"]


def test_a_wait_of_what_is_sent_once_is_unsettled_where_it_was_made_shorter(sweep, busy, app):
    busy(99)
    assert len(doubts(sweep("POST /over"), "POST /over")) == 1
    assert app.calls == ["POST /over"]
    busy(0)
    assert doubts(sweep("PUT /over"), "PUT /over") == []


@pytest.mark.parametrize("path", ["/among-others", "/a"])
def test_a_check_alone_settles_what_a_thread_of_another_route_may_have_done(sweep, path):
    """It keeps the GIL: a step waits longer for its own, and nobody knows whose thread it was. `/a` has no check."""
    sweeping, results = sweep(f"GET {path}")
    result = results[f"GET {path}"]
    assert (result.suspect, result.alone) == (path != "/a", False)
    result.hidden = 140_000_000
    assert bool(doubts((sweeping, results), f"GET {path}")) is (path == "/a")


@pytest.fixture
def patient(sweep, monkeypatch):
    """Among a hundred others, on a busy machine, an answer may take a second."""
    monkeypatch.setattr(flights, "PATIENCE", Patience())


MANY = [f"GET /{number}" for number in range(AT_ONCE)]
"""With one more they are more than are under way at once."""


def test_of_many_routes_none_waits_for_the_slowest_before_it_is_sent_a_second_time(sweep, app, patient):
    _sweep, results = sweep("GET /late", *MANY)
    assert all(each.measured for each in results.values())
    assert {app.calls.count(name) for name in results} == {2}
    assert sweep.user.told[-1] == (2 * len(results), 2 * len(results))


def test_among_many_each_stall_has_its_owner_and_what_refuses_is_sent_once(sweep, app, patient):
    special = ["GET /sleeps", "GET /first", "GET /second", "GET /missing"]
    swept = sweep(*special, *MANY)
    result = swept[1].pop("GET /missing")
    assert (result.reason, app.calls.count("GET /missing")) == ("not-found", 1)
    found = outcomes(swept)
    assert {name for name, outcome in found.items() if outcome != "passed"} == {"GET /sleeps", "GET /second"}
    assert sweep.user.told[-1][0] == sweep.user.told[-1][1]


def test_among_many_it_is_known_at_once_who_holds_the_loop_or_keeps_the_gil(sweep, patient, monkeypatch):
    added = []
    add = Order.add
    monkeypatch.setattr(Order, "add", lambda order, flight: (added.append(flight), add(order, flight)))
    holding = {"/sleeps", "/keeps"}
    for _ in range(5):  # on a busy machine who kept the GIL may be known later: the order is worse then, and no verdict
        added.clear()
        sweep("GET /sleeps", "GET /keeps", *MANY)
        known = {each.request.url for each in added if each.holds}
        assert "/sleeps" in known <= holding
        if known == holding:
            break
    assert known == holding


def test_what_ends_the_loop_when_it_comes_again_is_left_out_and_the_others_are_measured(sweep, patient):
    _sweep, results = sweep("GET /ends", *MANY)
    assert "GET /ends ended the event loop with SystemExit" in (results.pop("GET /ends").mistake or "")
    assert all(each.measured for each in results.values())
    assert {each.requests for each in results.values()} == {2}  # those of the run that ended do not count


def test_many_routes_above_others_come_again_together_with_these(sweep, app, patient):
    _sweep, results = sweep("GET /a", "GET /late/{id}", *MANY)
    assert all(each.measured for each in results.values())
    assert sorted(app.calls)[:3] == ["GET /0", "GET /0", "GET /1"]
    assert len(app.calls) == 2 * len(results)

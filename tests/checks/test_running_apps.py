"""Which apps run, and until when."""

import threading

import pytest

from pytest_noblock.checks.plan import Plan
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.observe import Request
from pytest_noblock.model.limits import Limits

PLAN = Plan(limits=Limits(60_000_000_000))
"""A busy machine makes no finding, which would be confirmed by further requests."""


def test_an_app_is_started_once_and_stopped_at_the_end(apps, app):
    apps.checker(app)
    apps.checker(app)
    assert app.moments == ["startup"]
    assert apps.stop() == []
    assert app.moments == ["startup", "shutdown"]


def test_each_app_runs_by_itself(apps, app):
    other = type(app)()
    one, two = apps.checker(app), apps.checker(other)
    assert one._app is not two._app
    apps.stop()
    assert app.moments == other.moments == ["startup", "shutdown"]


def test_after_the_stop_an_app_is_started_anew(apps, app):
    apps.checker(app)
    apps.stop()
    apps.checker(app)
    assert app.moments == ["startup", "shutdown", "startup"]


def _ends(thread):
    """Nobody waits for a loop that was given up. This one turns, and would go on in the middle of the next test."""
    thread.stop()
    thread._thread.join(30)
    assert not thread._thread.is_alive()


def test_an_app_whose_loop_turns_no_more_is_replaced_and_not_waited_for(apps, app):
    first = apps.checker(app)
    thread = first._app
    thread.usable = False
    second = apps.checker(app)
    assert second._app is not thread
    assert app.moments == ["startup", "startup"]
    assert apps.stop() == []
    _ends(thread)


def test_the_stop_does_not_wait_for_an_app_whose_loop_turns_no_more(apps, app):
    thread = apps.checker(app)._app
    held, goes_on = threading.Event(), threading.Event()
    thread._app_loop.loop.call_soon_threadsafe(lambda: (held.set(), goes_on.wait(30)))
    assert held.wait(30)
    thread.usable = False
    try:
        assert apps.stop() == []
        assert app.moments == ["startup"]
    finally:
        goes_on.set()
    _ends(thread)
    assert app.moments == ["startup", "shutdown"]  # where its loop comes back, it stops by itself


def test_a_new_start_is_warmed_up_anew(apps, app):
    apps.checker(app).check("t", Request("GET", "/"), PLAN)
    apps.stop()
    apps.checker(app).check("t", Request("GET", "/"), PLAN)
    assert app.calls.count("GET /") == 4


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_lifespan_that_fails_is_told(apps, stage):
    async def app(scope, receive, send):
        while (message := await receive())["type"] != f"lifespan.{stage}":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": f"lifespan.{stage}.failed", "message": "no database"})

    if stage == "startup":
        with pytest.raises(LifespanFailed, match="no database"):
            apps.checker(app)
        assert apps.stop() == []
    else:
        apps.checker(app)
        (failure,) = apps.stop()
        assert "no database" in failure

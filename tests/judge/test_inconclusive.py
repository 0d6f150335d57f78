"""Why nothing can be said of a request: each reason, and the request of which something can be said."""

import pytest

from pytest_noblock.judge.inconclusive import loop_not_returned, not_measured, stuck, unseen
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Task

HINT = "(headers and cookies can be set on noblock.client)"
PATHS = ("/report", "/orders/{id}", "/health")
HERE = Frame("app.py", 7, "report", user=True)
MEASURED = Exchange(
    1, "GET", "/report", sent=0, started=1, completed=2, returned=3, status=200, endpoint="app.report", entered=True,
    steps=1,
)  # fmt: skip
UNKNOWN = MEASURED._replace(path="/reprot", status=404, endpoint=None, entered=None)


def task(*, ended=4, error=None):
    return Task("write_log", "app", "write_log", "", None, 3, ended, error, None, None)


@pytest.mark.parametrize(
    ("exchange", "reason"),
    [
        (MEASURED, None),
        (MEASURED._replace(status=404), None),  # the endpoint itself said so
        (MEASURED._replace(status=422, entered=None), None),  # nobody can know, and there is an answer
        (MEASURED._replace(error="ValueError('no')"), "GET /report raised ValueError('no')"),
        (MEASURED._replace(started=None, completed=None), "GET /report ended without a response"),
        (MEASURED._replace(completed=None), "GET /report ended before its response was complete"),
        (UNKNOWN, "GET /reprot matched no route of the app (status 404), did you mean /report"),
        (UNKNOWN._replace(path="/zzz"), "GET /zzz matched no route of the app (status 404)"),
        (
            UNKNOWN._replace(status=307, path="/report/"),
            "GET /report/ matched no route of the app (status 307), did you mean /report",
        ),
        (
            MEASURED._replace(status=401, entered=False),
            f"GET /report answered 401 before its endpoint was called {HINT}",
        ),
        (MEASURED._replace(status=200, entered=False), None),  # a cache, a middleware: an answer is an answer
        (
            MEASURED._replace(status=405),
            f"GET /report answered 405 before its endpoint was called {HINT}",
        ),
        (MEASURED._replace(steps=0), "GET /report ran no step on an event loop that can be metered"),
        (
            MEASURED._replace(tasks=(task(error="OSError()"),), error="OSError()"),
            "GET /report answered, and its background task write_log raised OSError()",
        ),
        (
            MEASURED._replace(tasks=(task(error="OSError()"),), error="OSError()", completed=None),
            "GET /report raised OSError()",
        ),
    ],
)
def test_what_kept_a_request_from_being_measured(exchange, reason):
    assert not_measured(exchange, PATHS) == reason


def test_a_watched_test_asks_only_whether_a_step_was_metered():
    assert unseen(UNKNOWN) is None
    assert unseen(MEASURED._replace(steps=0)) == "GET /report ran no step on an event loop that can be metered"


@pytest.mark.parametrize(
    ("exchange", "what"),
    [
        (None, "did not answer"),
        (MEASURED._replace(completed=None, tasks=(task(ended=None),)), "did not answer"),
        (MEASURED, "answered, but did not end"),
        (MEASURED._replace(tasks=(task(),)), "answered, but did not end"),
        (
            MEASURED._replace(tasks=(task(), task(ended=None)._replace(name="send_email"))),
            "answered, but its background task send_email did not end",
        ),
    ],
)
@pytest.mark.parametrize(
    ("frame", "where"), [(HERE, "it sits at app.py:7 in report"), (None, "no line of the user's code is waiting")]
)
def test_a_request_that_does_not_end_says_where_it_waits(exchange, what, frame, where):
    assert stuck("GET /report", 1.5, frame, exchange) == f"GET /report {what} within 1.5 s (timeout=1.5), {where}"


def test_a_loop_that_is_not_given_back_says_who_has_it():
    assert loop_not_returned("GET /report", 2.0, HERE) == (
        "GET /report took the event loop and did not give it back (timeout=2), it sits at app.py:7 in report"
    )

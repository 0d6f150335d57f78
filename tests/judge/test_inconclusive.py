"""Why nothing can be said of a request: each reason, and the request of which something can be said."""

import pytest

from pytest_noblock.judge.inconclusive import (
    Paths,
    elsewhere,
    loop_not_returned,
    not_measured,
    stuck,
    unseen,
    without_an_answer,
)
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Answerer, Exchange, Task

PAST = '(set headers, cookies or auth on noblock.client, give params= or json=, or say expect="any" if wanted)'
ANY = '(say expect="any" if wanted)'
SIGN_IN = '(set headers, cookies or auth on noblock.client, or say expect="any" if wanted)'
GIVE = '(give params=, json= or data= that it takes, or say expect="any" if wanted)'
NO_METHOD = "its route does not take"
NO_PATH = "matched no route of the app (status 404): the app has no such path"
BEFORE = "before its endpoint was called"
PATHS = Paths(("/report", "/orders/{id}", "/health", "/rooms/{id}/ws"), ("/rooms/{id}/ws",))
HERE = Frame("app.py", 7, "report", user=True)
MEASURED = Exchange(
    1, "GET", "/report", sent=0, started=1, completed=2, returned=3, status=200, endpoint="app.report", entered=True,
    steps=1,
)  # fmt: skip
UNKNOWN = MEASURED._replace(path="/reprot", status=404, endpoint=None, entered=False)
KEY = Answerer("key", Frame("app.py", 3, "key", user=True))
HOST = Answerer("HostMiddleware", None)


def task(*, ended=4, error=None):
    return Task("write_log", "app", "write_log", "", None, 3, ended, error, None, None)


@pytest.mark.parametrize(
    ("exchange", "reason"),
    [
        (MEASURED, None),
        (MEASURED._replace(status=404), None),  # the endpoint itself said so
        (MEASURED._replace(status=405), None),  # and so may it say that
        (MEASURED._replace(status=303, entered=None), None),  # nobody can know, and below 400 that is enough
        (
            MEASURED._replace(status=404, entered=None),
            f"GET /report answered 404, and nobody can know whether its endpoint was reached {PAST}",
        ),
        (MEASURED._replace(error="ValueError('no')"), "GET /report raised ValueError('no')"),
        (MEASURED._replace(started=None, completed=None), "GET /report ended without a response"),
        (MEASURED._replace(completed=None), "GET /report ended before its response was complete"),
        (UNKNOWN, f"GET /reprot matched no route of the app (status 404), did you mean /report {ANY}"),
        (
            UNKNOWN._replace(path="/REPORT"),
            f"GET /REPORT matched no route of the app (status 404), did you mean /report {ANY}",
        ),
        (UNKNOWN._replace(path="/rope"), f"GET /rope {NO_PATH} {ANY}"),
        (UNKNOWN._replace(path="/zzz"), f"GET /zzz {NO_PATH} {ANY}"),
        (
            UNKNOWN._replace(path="/rooms/7/ws"),
            (
                "GET /rooms/7/ws: the app has a websocket there, and no route that takes HTTP; what measures it is "
                'TestClient(app).websocket_connect("/rooms/7/ws") in a test with @pytest.mark.noblock'
            ),
        ),
        (
            UNKNOWN._replace(path="/rooms/7/ws", answered=HOST),
            f"GET /rooms/7/ws answered 404 {BEFORE}: HostMiddleware answered, and the endpoint was not reached {PAST}",
        ),
        (
            UNKNOWN._replace(status=307, path="/report/"),
            f"GET /report/ matched no route of the app (status 307): the app redirects to /report {ANY}",
        ),
        (
            UNKNOWN._replace(status=308, path="/report"),
            f"GET /report matched no route of the app (status 308): the app redirects to /report/ {ANY}",
        ),
        (
            MEASURED._replace(method="PUT", status=405, entered=False),
            f"PUT /report matched no route of the app (status 405): {NO_METHOD} PUT {ANY}",
        ),
        (
            MEASURED._replace(status=401, entered=False, answered=KEY),
            f"GET /report answered 401 {BEFORE}: key (app.py:3) answered, and the endpoint was not reached {SIGN_IN}",
        ),
        (
            MEASURED._replace(status=422, entered=False),
            f"GET /report answered 422 {BEFORE}: the endpoint was not reached {GIVE}",
        ),
        (
            UNKNOWN._replace(answered=HOST),  # a middleware may say 404 as well
            f"GET /reprot answered 404 {BEFORE}: HostMiddleware answered, and the endpoint was not reached {PAST}",
        ),
        (
            MEASURED._replace(status=200, entered=False),  # a cache
            f"GET /report answered 200 before its endpoint was called: the endpoint was not reached {PAST}",
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


@pytest.mark.parametrize("exchange", [UNKNOWN, MEASURED._replace(status=401, entered=False), MEASURED])
def test_a_test_may_take_any_answer(exchange):
    assert without_an_answer(exchange) is None


def test_to_take_any_answer_is_not_to_take_none():
    assert without_an_answer(MEASURED._replace(started=None, completed=None)) == "GET /report ended without a response"
    assert without_an_answer(MEASURED._replace(steps=0)) == unseen(MEASURED._replace(steps=0))


def test_a_note_on_an_answer_that_is_taken_offers_no_way_past():
    said = elsewhere(MEASURED._replace(status=401, entered=False), PATHS, past=False)
    assert said == "GET /report answered 401 before its endpoint was called: the endpoint was not reached"


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

"""What an answer says of its route."""

import pytest

from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Answerer, Exchange, Task
from pytest_noblock.sweep.answers import answer_of, unfinished


def exchange(**changes) -> Exchange:
    known = {"started": 2, "completed": 3, "returned": 4, "status": 200, "entered": True, "steps": 1}
    return Exchange(1, "GET", "/a", 1, **{**known, **changes})


def reason(**changes):
    return answer_of(exchange(**changes), str).reason


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (200, None), (204, None), (302, None), (400, "rejected"), (401, "needs-auth"), (403, "needs-auth"),
        (404, "not-found"), (405, "not-allowed"), (409, "conflict"), (415, "rejected"), (422, "rejected"),
        (429, "conflict"), (500, "failed"), (503, "failed"),
    ],
)  # fmt: skip
def test_the_status_decides_where_the_endpoint_answered(status, why):
    assert reason(status=status) == why


def test_where_nobody_knows_whether_the_endpoint_was_entered_the_status_decides():
    assert reason(entered=None) is None
    assert reason(entered=None, status=404) == "not-found"


@pytest.mark.parametrize(("status", "why"), [(200, "rejected"), (302, "needs-auth"), (307, "not-found")])
def test_a_good_answer_from_in_front_of_the_endpoint_measured_nothing(status, why):
    answered = Answerer("guard", Frame("app.py", 3, "guard", user=True))
    answer = answer_of(exchange(status=status, entered=False, answered=answered), lambda file: f"src/{file}")
    assert answer.reason == why
    assert answer.words == f"answered {status} before its endpoint was called by guard (src/app.py:3)"


def test_what_raised_or_did_not_answer_failed():
    assert answer_of(exchange(error="ValueError('no')"), str)[:2] == ("failed", "raised ValueError('no')")
    assert answer_of(exchange(started=None, completed=None, status=None), str)[:2] == ("failed", "gave no response")
    assert answer_of(exchange(completed=None), str)[:2] == ("failed", "ended before its response was complete")


def test_a_background_task_that_raised_failed():
    task = Task("mail", "app", "mail", "", None, 5, 6, "OSError()", None, None)
    assert answer_of(exchange(tasks=(task,)), str)[:2] == ("failed", "its background task mail raised OSError()")


def test_a_request_without_a_metered_step_is_a_mistake():
    assert answer_of(exchange(steps=0), str).mistake == "GET /a ran no step on an event loop that can be metered"


def test_a_stream_without_an_end_is_left_out_and_a_request_without_an_answer_is_a_mistake():
    stream = unfinished("GET /a", [exchange(completed=None, returned=None)], None, 10)
    assert (stream.reason, stream.mistake) == ("endless", None)
    sits = Frame("app.py", 3, "waits", user=True)
    silent = unfinished("GET /a", [exchange(started=None, completed=None, returned=None)], sits, 10)
    assert silent.reason == "endless"
    assert silent.mistake == "GET /a did not answer within 10 s (timeout=10), it sits at app.py:3 in waits"

"""What a request left behind is said, with its line."""

import pytest

from pytest_noblock.judge.left import notes
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Left

FRAME = Frame("/project/app/main.py", 12, "worker", user=True)


def told(*endings):
    exchange = Exchange(1, "GET", "/x", sent=0, left=tuple(Left(each, FRAME) for each in endings))
    return list(notes(exchange, Limits(), lambda file: file.removeprefix("/project/")))


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("running", "left work behind, at app/main.py:12 in worker, which still ran when the test ended"),
        ("lingered", "left work behind, at app/main.py:12 in worker, which still ran 1000 ms after the request"),
        ("cancelled", "left work behind, at app/main.py:12 in worker, which the closing loop of the test's client"),
        ("due", "left a timer behind, for the function at app/main.py:12 in worker, which was not due yet"),
    ],
)
def test_each_ending_has_its_words(ending, words):
    (note,) = told(ending)
    assert note.startswith(f"unsettled: GET /x {words}")


def test_the_same_is_said_once():
    assert len(told("running", "running", "due")) == 2

"""A long turn of the loop in which no request's step ran is told, with its line."""

from asyncio import events

import pytest

from pytest_noblock.judge import unowned
from pytest_noblock.model.concurrency import HeldTurn
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation

MS = 1_000_000
SLOW = Frame("/app/main.py", 7, "slow", user=True)
HANDLE = Frame(events.__file__, 88, "_run")
LIBRARY = Frame("/lib/futures.py", 80, "set_result")


def notes(*held):
    exchange = Exchange(1, "GET", "/report", 0)
    observation = Observation("full", (exchange,), (), held=held)
    return list(unowned.notes(observation, exchange, Limits(50 * MS), lambda file: file.removeprefix("/")))


def test_the_line_is_told_once():
    (note,) = notes(HeldTurn(1, 60 * MS, (LIBRARY, SLOW, HANDLE)), HeldTurn(1, 90 * MS, (LIBRARY, SLOW, HANDLE)))
    assert note.startswith(
        "unsettled: while GET /report was under way, or right after, app/main.py:7 in slow held the event loop"
    )
    assert "for more than 50 ms, in a step that no request owns" in note


@pytest.mark.parametrize(
    ("stack", "who"),
    [
        pytest.param((LIBRARY._replace(name="lib.Future.set_result"),), "lib.Future.set_result of a library", id="lib"),
        pytest.param((HANDLE,), "a callback written in C", id="C"),
    ],
)
def test_without_a_line_of_the_user_s_the_callback_is_told(stack, who):
    (note,) = notes(HeldTurn(1, 60 * MS, stack))
    assert f"while GET /report was under way, or right after, {who} held the event loop for more than 50 ms" in note


def test_what_ran_while_the_loop_polled():
    (note,) = notes(HeldTurn(1, 60 * MS, (LIBRARY, SLOW), polls=True))
    assert note.endswith(
        "app/main.py:7 in slow held the event loop for more than 50 ms, in a signal handler, or a finalizer, "
        "that ran while the loop waited for its selector; not counted"
    )


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(HeldTurn(1, 49 * MS, (SLOW,)), id="under the limit"),
        pytest.param(HeldTurn(2, 90 * MS, (SLOW,)), id="another request's"),
        pytest.param(HeldTurn(1, 90 * MS, (SLOW, SLOW._replace(function="test_it"))), id="the test's own"),
    ],
)
def test_else_nothing_is_told(held):
    assert notes(held) == []

"""The known calls of a step: which slept or used a socket, and which a mock answered."""

import sys
import types

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.steps.step_calls import StepCalls

MS = 1_000_000


class Trips:
    """Answers whether a connection that was opened made a round trip."""

    made = True

    def opened(self, _within):
        return self.made


@pytest.fixture
def trips():
    return Trips()


@pytest.fixture
def out():
    return Deductions(PortableClock())


@pytest.fixture
def calls(user, trips, out):
    return StepCalls(user, trips, out)


def end(calls, effect, *, began=0, asked=0):
    calls.ended("name", effect, began, sys._getframe(), asked)


@pytest.mark.parametrize(("effect", "network"), [("sleep", False), ("network", True), ("connect", True)])
def test_a_call_is_kept_with_its_times_and_its_line(calls, effect, network):
    before = now()
    end(calls, effect, began=before, asked=5)
    (call,) = calls.blocking
    assert (call.name, call.network, call.began, call.asked) == ("name", network, before, 5)
    assert before <= call.ended <= now()
    assert call.stack[0].function == "end"
    assert calls.answered == []


def test_a_connection_that_made_no_round_trip_is_no_call(calls, trips):
    trips.made = False
    end(calls, "connect")
    assert calls.blocking == []


def test_what_an_import_sleeps_is_out_of_the_step_already(calls, out):
    with out.importing():
        end(calls, "sleep", asked=5)
    assert [call.asked for call in calls.blocking] == [0]


def test_to_note_a_call_is_our_own_work(calls, out):
    end(calls, "sleep")
    assert out.wall > 0


def test_calls_beyond_a_hundred_are_not_kept(calls):
    for _ in range(150):
        end(calls, "sleep", began=now())
    assert len(calls.blocking) == 100


def test_the_next_step_begins_with_none(calls):
    end(calls, "sleep")
    calls.answered = [calls.blocking[0]]
    calls.clear()
    assert (calls.blocking, calls.answered) == ([], [])


@pytest.mark.parametrize(("talked", "answered"), [(False, 1), (True, 0)], ids=["a mock answered", "a socket answered"])
@pytest.mark.parametrize("effect", ["client", "mock"])
def test_a_clients_call_without_a_socket_was_answered_by_a_mock(calls, effect, talked, answered):
    calls._mocked = types.SimpleNamespace(calls=lambda *_: ["answered"])
    began = now()
    if talked:
        end(calls, "network")
        calls.blocking.clear()
    end(calls, effect, began=began)
    assert (calls.blocking, len(calls.answered)) == ([], answered)


def test_a_sleep_within_a_clients_call_is_no_answer_of_a_socket(calls):
    calls._mocked = types.SimpleNamespace(calls=lambda *_: ["answered"])
    began = now()
    end(calls, "sleep")
    end(calls, "client", began=began)
    assert len(calls.answered) == 1

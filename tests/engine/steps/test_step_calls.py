"""The known calls of a step: which slept or used a socket, and which a mock answered."""

import sys
import types

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps import step_calls as module
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.steps.step_calls import StepCalls
from pytest_noblock.model.segment import MOST_CALLS

MS = 1_000_000


class Trips:
    """Answers whether a connection that was opened made a round trip."""

    made = True

    def opened(self, _within):
        return self.made

    exchanged = opened

    def count_now(self):
        return 0


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
    with out.importing("shop"):
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


@pytest.fixture
def sleeps(monkeypatch, user, trips, out):
    """Calls on a platform that counts sleeps; `sleeps.n` is how often the thread has slept."""
    counted = types.SimpleNamespace(n=3)
    monkeypatch.setattr(module, "voluntary_switches", lambda: counted.n)
    counted.calls = StepCalls(user, trips, out, counts_sleeps=True)
    return counted


@pytest.mark.parametrize(
    ("slept", "exchanged", "kept"),
    [(0, False, 0), (1, False, 1), (0, True, 1)],
    ids=["neither", "it slept", "a socket shows it"],
)
def test_an_exchange_counts_where_it_slept_or_a_socket_shows_it(sleeps, trips, slept, exchanged, kept):
    trips.made = exchanged
    before = sleeps.calls.exchange_begins()
    sleeps.n += slept
    sleeps.calls.ended("name", "exchange", now(), sys._getframe(), 0, before)
    assert [call.network for call in sleeps.calls.blocking] == [True] * kept


def test_sleeps_that_nobody_counts_are_no_evidence(calls, trips):
    trips.made = False
    assert calls.exchange_begins() == 0
    calls.ended("name", "exchange", now(), sys._getframe(), 0, 0)
    assert calls.blocking == []


def test_a_clients_call_over_a_unix_socket_is_a_round_trip_and_no_mocks_answer(calls):
    calls._mocked = types.SimpleNamespace(calls=lambda *_: ["answered"])
    began = now()
    end(calls, "local", began=began)
    end(calls, "client", began=began)
    assert ([call.network for call in calls.blocking], calls.answered) == ([True], [])
    end(calls, "client", began=now())
    assert calls.answered == ["answered"]


def test_a_call_within_a_call_of_the_same_line_is_a_part_of_it(calls):
    before, outer, inner = now(), now(), now()
    for effect, began, asked in (("sleep", before, 1), ("sleep", inner, 2), ("network", inner, 0), ("sleep", outer, 4)):
        end(calls, effect, began=began, asked=asked)
    assert [(call.began, call.network, call.asked) for call in calls.blocking] == [(before, False, 1), (outer, True, 6)]


def test_a_call_within_a_call_of_another_user_line_stands_beside_it(user, trips, out):
    user.include(["tests"])
    calls = StepCalls(user, trips, out)
    outer = now()
    end(calls, "network", began=now())
    calls.ended("outer", "network", outer, sys._getframe(), 0)
    assert [call.name for call in calls.blocking] == ["name", "outer"]


@pytest.mark.parametrize(("effect", "asked", "looked_for"), [("sleep", 5, 0), ("sleep", 0, 0), ("wait", 0, 1)])
def test_nobody_looks_for_the_name_of_a_sleep_while_the_app_waits(calls, monkeypatch, effect, asked, looked_for):
    """To look for it takes 30 ms the first time: of a wait that ends by the clock, less is left to sleep then."""
    from pytest_noblock.calls import names

    found = []
    monkeypatch.setattr(names, "called", lambda *_, **__: found.append("ended") or "ended")
    end(calls, effect, asked=asked)
    assert len(found) == looked_for
    assert calls.blocking[0].stack[0].call == ("ended" if looked_for else "name")


def test_a_call_at_the_lines_of_the_last_one_has_its_stack(calls, monkeypatch):
    """To name what a line calls takes 0.5 ms: of a loop that polls, that is more than each of its rounds."""
    from pytest_noblock.calls import names

    found = []
    monkeypatch.setattr(names, "called", lambda *_, **__: found.append("ended") or "ended")
    for _ in range(3):
        end(calls, "wait", began=now())
    end(calls, "wait", began=now())
    assert len(found) == 2
    assert [each.stack for each in calls.blocking[1:3]] == [calls.blocking[0].stack] * 2
    assert calls.blocking[3].stack[1:] != calls.blocking[0].stack[1:]


def test_where_no_more_calls_are_kept_the_last_one_stands_for_those_at_its_line(user, trips, out):
    user.include(["tests"])
    calls = StepCalls(user, trips, out)
    for number in range(MOST_CALLS + 20):
        end(calls, "sleep", began=number, asked=5)
    last = calls.blocking[-1]
    assert len(calls.blocking) == MOST_CALLS
    assert (last.began, last.times, sum(each.times for each in calls.blocking)) == (
        MOST_CALLS + 19,
        21,
        MOST_CALLS + 20,
    )
    calls.ended("name", "sleep", 500, sys._getframe(), 5)  # at another line
    assert calls.blocking[-1] == last


def test_a_sleep_in_a_function_below_the_users_is_named_by_that(user, trips, out):
    below = types.FunctionType(end.__code__.replace(co_filename="/lib/site-packages/lock.py"), globals())
    below.__kwdefaults__ = end.__kwdefaults__
    calls = StepCalls(user, trips, out)
    below(calls, "sleep", asked=5)
    assert [each.call for each in calls.blocking[0].stack if each.user][:1] == [
        "tests.engine.steps.test_step_calls.end"
    ]

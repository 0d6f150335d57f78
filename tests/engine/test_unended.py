"""How long the end of a test waits for requests that another thread still runs."""

import threading

import pytest

from pytest_noblock.engine import unended
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.threads.under_way import UnderWay
from pytest_noblock.model.observation import WEBSOCKET

OTHER = -1
LONG = 60 * 10**9


def request(method="GET", *, answered=True, ident=OTHER, loop=None):
    record = LiveExchange(method, "/")
    record.completed = now() if answered else None
    return UnderWay(record, ident, loop)


class Looks:
    """Whether the other thread is in a step, at one look after the other."""

    def __init__(self, *looks):
        self.looks = list(looks)
        self.asked = 0

    def __call__(self, _ident):
        self.asked += 1
        return bool(self.looks) and self.looks.pop(0)


def ended(*requests):
    for each in requests:
        each.record.returned = now()


def test_an_answered_request_is_waited_for_to_its_end():
    one = request()
    threading.Timer(0.05, ended, [one]).start()
    unended.wait([one], Looks(), LONG)
    assert one.record.returned is not None


def test_the_step_in_which_a_request_returned_is_waited_for():
    one, looks = request(), Looks(*[True] * 7)
    ended(one)
    unended.wait([one], looks, LONG)
    assert looks.looks == []


@pytest.mark.parametrize("method", ["GET", WEBSOCKET])
def test_of_another_the_present_step_is(method):
    one, looks = request(method, answered=method == WEBSOCKET), Looks(False, True, True)
    unended.wait([one], looks, LONG)
    assert looks.looks == []
    assert looks.asked > 10  # it may have been between two steps


def test_it_waits_no_longer_than_it_may(monkeypatch):
    slept = []
    monkeypatch.setattr(unended, "sleep", slept.append)
    monkeypatch.setattr(unended, "now", lambda: round(sum(slept) * 10**9))
    unended.wait([request()], Looks(), 10**7)
    assert sum(slept) == pytest.approx(0.01)


class Closed:
    def is_running(self):
        return False


@pytest.mark.parametrize("given", [{"ident": threading.get_ident()}, {"loop": Closed()}], ids=["own thread", "closed"])
def test_what_cannot_go_on_meanwhile_is_not_waited_for(given):
    unended.wait([request(**given)], lambda _ident: True, LONG)

"""Which calls that a mock answered stand for one that blocks in production."""

import functools
import json
import sys
import time
from unittest import mock

import httpx
import pytest

from pytest_noblock.engine.network.mocked_calls import MockedCalls
from pytest_noblock.engine.raw_stacks import walk_out
from pytest_noblock.engine.usercode import UserCode


@pytest.fixture
def mocked(user):
    return MockedCalls(user)


def told(mocked, effect, frame):
    return [
        (call.name, call.network, call.began, call.ended) for call in mocked.calls(effect, "Client.send", 1, 2, frame)
    ]


def test_a_clients_call_is_one_to_the_network(mocked):
    [call] = mocked.calls("client", "Client.send", 1, 2, sys._getframe())
    assert (call.name, call.network, call.began, call.ended) == ("Client.send", True, 1, 2)
    assert call.stack[0].function == "test_a_clients_call_is_one_to_the_network"


def test_a_clients_call_without_a_user_line_is_left_out(tmp_path):
    mocked = MockedCalls(UserCode(str(tmp_path)))
    assert told(mocked, "client", sys._getframe()) == []
    assert told(mocked, "mock", sys._getframe()) == []


@pytest.fixture
def caller(mocked):
    """A mock that notes, at each call, what is told of that call."""

    def noted(*_args):
        calling = next(each for each in walk_out(sys._getframe()) if each.f_code.co_filename == mock.__file__)
        while calling.f_code.co_name != "__call__":  # the caller of what is wrapped, `_mock_call`
            calling = calling.f_back
        vars(caller)["told"].append(told(mocked, "mock", calling))

    caller = mock.Mock(side_effect=noted)
    vars(caller)["told"] = []
    return caller


def test_a_mock_in_the_place_of_a_sleep(caller, monkeypatch):
    monkeypatch.setattr(time, "sleep", caller)
    time.sleep(1)
    assert vars(caller)["told"] == [[("Client.send", False, 1, 2)]]


def test_a_mock_in_the_place_of_a_clients_function(caller, monkeypatch):
    monkeypatch.setattr(httpx, "get", caller)
    httpx.get("http://example.org")
    assert vars(caller)["told"] == [[("Client.send", True, 1, 2)]]


def test_a_mock_in_the_place_of_what_blocks_nobody_is_judged_once(caller, mocked, monkeypatch):
    """Nobody, or only where the machine is slow."""
    monkeypatch.setattr(time, "time", caller)
    monkeypatch.setattr(json, "loads", caller)
    for _ in range(2):
        time.time()
        json.loads("1")
    assert vars(caller)["told"] == [[]] * 4
    assert [code.co_name for code, _lasti in mocked._harmless] == [
        "test_a_mock_in_the_place_of_what_blocks_nobody_is_judged_once"
    ] * 2


@pytest.fixture
def transport(caller, tmp_path):
    """One whose code is a library's: it calls the mock, and answers."""
    code = compile(
        "def handle(mock, answer, _request):\n    mock()\n    return answer\n", str(tmp_path / "lib.py"), "exec"
    )
    namespace = {}
    exec(code, namespace)
    return httpx.MockTransport(functools.partial(namespace["handle"], caller, httpx.Response(200)))


def test_a_mock_inside_of_what_blocks_is_not_in_its_place(caller, transport):
    """The line calls `httpx.Client.get`, and the mock is what the client's transport calls."""
    with httpx.Client(transport=transport) as client:
        client.get("http://example.org")
    assert vars(caller)["told"] == [[]]

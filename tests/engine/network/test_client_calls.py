"""The methods that a client's calls go through, and which of their calls would leave this machine."""

import sys
import urllib.request
from types import ModuleType, SimpleNamespace
from unittest import mock

import httpx
import pytest

from pytest_noblock.engine.network import client_calls
from pytest_noblock.engine.network.client_calls import EntryPoint, entry_points, mock_entry_points


def counts(owner, name):
    return next(each.counts for each in entry_points() if (each.owner, each.name) == (owner, name))


def test_an_entry_point_for_each_client_that_is_imported(monkeypatch):
    points = {(each.owner, each.name) for each in entry_points()}
    assert {(httpx.Client, "send"), (urllib.request.OpenerDirector, "open")} <= points
    monkeypatch.delitem(sys.modules, "httpx")
    assert (httpx.Client, "send") not in {(each.owner, each.name) for each in entry_points()}


@pytest.mark.parametrize(
    "contents", [{}, {"Session": mock.Mock()}, {"Session": type("Session", (), {})}], ids=["none", "mock", "other"]
)
def test_what_is_no_class_with_the_method_has_no_entry_point(monkeypatch, contents):
    module = ModuleType("requests.sessions")
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, "requests.sessions", module)
    assert not [each for each in entry_points() if each.owner is contents.get("Session", module)]


@pytest.mark.parametrize(
    ("request_", "leaves"),
    [
        ("http://example.org", True),
        ("HTTPS://example.org", True),
        (urllib.request.Request("http://example.org"), True),
        (SimpleNamespace(url="https://example.org"), True),
        ("file:///etc/hosts", False),
        (SimpleNamespace(url="http+docker://localhost"), True),
        (SimpleNamespace(url=None), False),
        (object(), False),
    ],
)
def test_a_request_to_the_web(request_, leaves):
    assert counts(urllib.request.OpenerDirector, "open")(object(), request_) is leaves


@pytest.mark.parametrize(
    ("eager", "broker", "counted"),
    [(False, "amqp://broker", False), (True, "amqp://broker", True), (False, "memory://", True)],
)
def test_celery_counts_where_no_broker_is_meant(eager, broker, counted):
    conf = SimpleNamespace(task_always_eager=eager, broker_url=broker)
    assert client_calls._without_broker(SimpleNamespace(app=SimpleNamespace(conf=conf))) is counted


@pytest.mark.parametrize(("module", "leaves"), [("urllib3.connectionpool", True), ("docker.transport.unixconn", False)])
def test_urllib3_itself_and_what_others_make_of_it(module, leaves):
    assert client_calls._of_urllib3(type("Pool", (), {"__module__": module})()) is leaves


def test_a_mock_that_answers_at_once_and_one_that_is_awaited():
    [(owner, name, counted)] = mock_entry_points()
    assert callable(getattr(owner, name))
    assert counted(mock.Mock())
    assert not counted(mock.AsyncMock())


def test_no_mock_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "unittest.mock")
    assert list(mock_entry_points()) == []


def test_the_modules_are_those_of_the_table():
    assert set(client_calls.MODULES) == {"unittest.mock", *(row[0] for row in client_calls._ENTRY_POINTS)}
    assert all(isinstance(each, EntryPoint) for each in entry_points())

"""Names of hosts that need no name server."""

import io
import socket

import pytest

from pytest_noblock.engine.network import hosts
from pytest_noblock.engine.network.hosts import known_here


@pytest.fixture(autouse=True)
def file(monkeypatch):
    def opened(*_, **__):
        return io.StringIO("# 10.0.0.1 commented.example\n10.0.0.2 db.example DB # the database\n")

    monkeypatch.setattr(hosts, "open_file", opened)
    hosts._names.cache_clear()
    yield
    hosts._names.cache_clear()


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("api.localhost", True),
        (socket.gethostname(), True),
        ("db.example", True),
        ("db", True),
        ("commented.example", False),
        ("notlocalhost", False),
        ("example.org", False),
    ],
)
def test_who_is_known_here(name, known):
    assert known_here(name) is known


def test_there_is_no_such_file(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(hosts, "open_file", missing)
    assert not known_here("db.example")
    assert known_here(socket.gethostname())

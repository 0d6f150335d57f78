"""A test may put anything in the place of a function of `os`: our bookkeeping in its request must not call that."""

import os
import socket
import sys

import pytest

from pytest_noblock.engine.network.awaited_fds import AwaitedDescriptors
from pytest_noblock.engine.network.tcp_info import SocketTable, in_epoll_sets

REPLACED = ("listdir", "readlink", "stat", "fstat", "dup", "close")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", REPLACED)
def test_sockets_are_read_all_the_same(monkeypatch, name):
    def stands_in(*_args, **_kwargs):
        raise AssertionError(name)

    awaited = AwaitedDescriptors()
    table = SocketTable(awaited)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _address = listener.accept()
        with server, monkeypatch.context() as patched:
            patched.setattr(os, name, stands_in)
            table.scan_all()
            client.sendall(b"?")
            server.recv(1)
            server.sendall(b"!")
            client.recv(1)
            assert len(table.scan_all()) == 1
            awaited.add(client.fileno())
            assert client.fileno() in awaited
            in_epoll_sets()

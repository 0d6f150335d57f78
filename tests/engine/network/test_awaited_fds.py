"""Which descriptors an event loop has waited on."""

import asyncio
import os
import selectors
import socket

import pytest

from pytest_noblock.engine.network import awaited_fds
from pytest_noblock.engine.network.awaited_fds import AWAITED, AwaitedDescriptors
from pytest_noblock.engine.patches import Patches


@pytest.fixture
def patched():
    patches = Patches(lambda: [awaited_fds.patch()])
    patches.install()
    yield
    patches.uninstall()


def test_a_descriptor_counts_while_it_means_the_same_file(tmp_path):
    awaited = AwaitedDescriptors()
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("")
    two.write_text("")
    fd = os.open(one, os.O_RDONLY)
    awaited.add(fd)
    assert fd in awaited
    os.close(fd)
    assert fd not in awaited
    assert os.open(two, os.O_RDONLY) == fd  # the lowest number that is free
    assert fd not in awaited
    os.close(fd)


def test_what_was_never_added_or_is_no_number():
    assert 0 not in AwaitedDescriptors()
    assert "0" not in AwaitedDescriptors()


def test_what_asyncio_waits_on(patched, run):
    one, other = socket.socketpair()

    async def main():
        loop = asyncio.get_running_loop()
        one.setblocking(False)
        loop.call_soon(other.sendall, b"!")
        await loop.sock_recv(one, 1)
        return one.fileno() in AWAITED, other.fileno() in AWAITED

    with one, other:
        assert run(main()) == (True, False)


def test_what_somebody_else_waits_on_with_a_selector(patched):
    one, other = socket.socketpair()
    with one, other, selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ)
        assert one.fileno() not in AWAITED

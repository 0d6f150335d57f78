"""Which arguments let a known call block."""

import asyncio
import queue
import selectors
import socket

import pytest

from pytest_noblock.engine.network import may_block
from tests.plugin import advised_services


@pytest.mark.parametrize(
    ("host", "asks"),
    [
        ("db.example", True),
        (b"db.example", True),
        ("localhost", False),
        ("api.localhost.", False),
        (socket.gethostname(), False),
        ("127.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("", False),
        (None, False),
    ],
)
def test_only_a_name_is_asked_of_a_server(host, asks):
    assert may_block.asks_a_name_server(host) is asks


@pytest.fixture
def connected():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        yield client


@pytest.fixture
def service(tmp_path):
    """A Unix socket that listens."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        yield listener


def test_a_client_of_a_unix_sockets_service_receives_from_the_network_and_the_service_does_not(service):
    with socket.socket(socket.AF_UNIX) as client:
        assert may_block.receives(client) == "local"  # nobody is there yet
        client.connect(service.getsockname())
        accepted, _ = service.accept()
        with accepted:
            assert [may_block.receives(each) for each in (client, accepted)] == ["network", "local"]
        assert may_block.waits_for_the_network([client], [], [])
        assert may_block.waits_for_the_network([client.fileno()], [], [])
        client.setblocking(False)
        assert may_block.receives(client) is None


def test_the_first_handshake_of_a_socket_that_may_block_is_a_round_trip(connected):
    with advised_services.CONTEXT.wrap_socket(connected, do_handshake_on_connect=False) as client:
        assert may_block.shakes_hands(client) == may_block.sends_first(client, b"?") == "network"
        client.setblocking(False)
        assert may_block.shakes_hands(client) is may_block.sends_first(client, b"?") is None
        assert may_block.shakes_hands(client, True) == may_block.shakes_hands(client, block=True) == "network"


def test_no_handshake_comes_before_the_connection_nor_after_the_first():
    with advised_services.CONTEXT.wrap_socket(socket.socket()) as unconnected:
        assert may_block.shakes_hands(unconnected) is None
    with socket.create_connection(advised_services.SECURE) as connected:
        client = advised_services.CONTEXT.wrap_socket(connected)
        assert may_block.shakes_hands(client) is may_block.sends_first(client, b"?") is None
        with client.unwrap():
            assert may_block.sends_first(client, b"?") is None  # what it sends is not encrypted any more


def test_no_end_of_a_socket_pair_receives_from_the_network():
    here, there = socket.socketpair()
    with here, there:
        assert [may_block.receives(each) for each in (here, there)] == ["local", "local"]


def test_a_selector_waits_for_the_network_where_a_socket_of_the_network_is_in_it(connected):
    here, there = socket.socketpair()
    with here, there, selectors.DefaultSelector() as selector:
        selector.register(here, selectors.EVENT_READ)
        assert not may_block.waits_for_the_network(selector)
        selector.register(connected, selectors.EVENT_READ)
        answers = [may_block.waits_for_the_network(selector, *given) for given in [(), (1,), (None,), (0,)]]
        assert answers == [True, True, True, False]
        assert not may_block.waits_for_the_network(selector, timeout=0)


def test_select_waits_for_sockets_and_for_their_descriptors(connected):
    here, there = socket.socketpair()
    with here, there:
        assert may_block.waits_for_the_network([connected], [], [])
        assert may_block.waits_for_the_network([], [connected.fileno()], [], 1)
        assert not may_block.waits_for_the_network([connected], [], [], 0)
        assert not may_block.waits_for_the_network([here], [here.fileno()], [])


def test_the_running_loops_own_selector_is_none_of_the_apps(connected):
    async def waits():
        loop = asyncio.get_running_loop()
        loop.add_reader(connected, lambda: None)
        try:
            return may_block.waits_for_the_network(loop._selector)
        finally:
            loop.remove_reader(connected)

    assert asyncio.run(waits()) is False


def test_a_queue_blocks_where_it_is_empty_and_the_caller_waits():
    items = queue.Queue()
    assert [may_block.is_empty(items), may_block.is_empty(items, True, 1)] == [True, True]
    assert [may_block.is_empty(items, False), may_block.is_empty(items, block=False)] == [False, False]
    items.put(1)
    assert not may_block.is_empty(items)

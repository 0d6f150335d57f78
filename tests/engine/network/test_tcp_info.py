"""The kernel's byte counters show a round trip, whatever made it: here `os.write` and `os.read`. Nothing is wrapped."""

import os
import select
import socket
import time

import pytest

from pytest_noblock.engine.network import tcp_info
from pytest_noblock.engine.network.awaited_fds import AwaitedDescriptors
from pytest_noblock.engine.network.tcp_info import SocketTable, in_epoll_sets, peer_of
from pytest_noblock.model.segment import SocketExchange


def _has_counters():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        try:
            return tcp_info.TcpCounters().of(client.fileno()) is not None
        except OSError:
            return False


pytestmark = pytest.mark.skipif(not _has_counters(), reason="this kernel's TCP_INFO has no byte counters")


class Connection:
    """Both ends of one, by their descriptors."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as listener:
            self.client_socket = socket.create_connection(listener.getsockname()[:2])
            self.server_socket, _address = listener.accept()
        self.client, self.server = self.client_socket.fileno(), self.server_socket.fileno()
        self.port = self.server_socket.getsockname()[1]

    def ask(self, question=b"?", answer=b"!!"):
        os.write(self.client, question)
        os.read(self.server, len(question))
        os.write(self.server, answer)
        return os.read(self.client, len(answer))

    def close(self):
        self.client_socket.close()
        self.server_socket.close()


@pytest.fixture
def connect():
    connections = []

    def connect(*args):
        connections.append(Connection(*args))
        return connections[-1]

    yield connect
    for each in connections:
        each.close()


@pytest.fixture
def connection(connect):
    return connect()


def of_client(exchanges, connection):
    """Of the client's end; the server's has talked, too."""
    return [each for each in exchanges if each.peer == f"127.0.0.1:{connection.port}"]


def test_nothing_is_wrapped():
    """What the other tests show is the counters' doing."""
    assert not hasattr(socket.socket.recv, "noblock")
    assert not hasattr(os.read, "noblock")


@pytest.mark.parametrize("scan", [SocketTable.scan_known, SocketTable.scan_all])
def test_a_round_trip_is_seen_with_its_peer_and_its_bytes(connection, scan):
    table = SocketTable(())
    connection.ask()
    assert of_client(scan(table), connection) == [SocketExchange(f"127.0.0.1:{connection.port}", sent=1, received=2)]


def test_of_a_server_in_this_process_the_round_trip_is_told_once(connection):
    table = SocketTable(())
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _address = listener.accept()
        with server:
            client.sendall(b"?")
            server.sendall(server.recv(1))
            client.recv(1)
            connection.ask()  # its listener is closed: which end asked is not known
            served = f"127.0.0.1:{listener.getsockname()[1]}"
            told = [each.peer for each in table.scan_all()]
            assert (len(told), told.count(served), told.count(f"127.0.0.1:{connection.port}")) == (3, 1, 1)
            assert f"127.0.0.1:{client.getsockname()[1]}" not in told


def test_a_metered_step_keeps_what_was_exchanged(connection, metered):
    """The meter's wrappers are on, and none of them wraps `os.read`."""
    [segment] = metered(lambda: [connection.ask() for _ in range(50)] and None)
    assert segment.calls == ()
    assert segment.round_trips + segment.doubtful_trips == len(segment.exchanged) == 2  # both ends are this process's
    assert SocketExchange(f"127.0.0.1:{connection.port}", sent=50, received=100) in segment.exchanged


def test_a_peer_is_read_of_a_round_trip_only(connection, monkeypatch):
    read = []
    monkeypatch.setattr(tcp_info, "peer_of", read.append)
    table = SocketTable(())
    os.write(connection.client, b"?")
    table.scan_known()
    mine = {connection.client, connection.server}
    assert not mine.intersection(read)  # other connections of this process may exchange what they like
    os.read(connection.server, 1)
    connection.ask()
    table.scan_known()
    assert mine.issubset(read)


@pytest.mark.parametrize("scan", [SocketTable.scan_known, SocketTable.scan_all])
def test_a_round_trip_is_seen_once(connection, scan):
    table = SocketTable(())
    connection.ask()
    scan(table)
    assert scan(table) == []


def test_a_round_trip_before_the_base_is_not_seen(connection):
    table = SocketTable(())
    connection.ask()
    assert table.rebase_known()
    assert table.scan_known() == []


def _sends(connection):
    os.write(connection.client, b"?")


def _receives(connection):
    os.read(connection.client, 1)


def _receives_what_came_meanwhile(connection):
    os.write(connection.server, b"!")
    while select.select([connection.client], [], [], 0.01)[0]:
        os.read(connection.client, 1)


def _is_answered_and_does_not_read(connection):
    os.write(connection.client, b"?")
    os.write(connection.server, b"!")
    select.select([connection.client], [], [], 10)


@pytest.mark.parametrize(
    "half",
    [_sends, _receives, _receives_what_came_meanwhile, _is_answered_and_does_not_read],
    ids=lambda each: each.__name__,
)
def test_half_a_round_trip_is_none(connection, half):
    os.write(connection.server, b".")
    select.select([connection.client], [], [], 10)
    table = SocketTable(())
    if half is _is_answered_and_does_not_read:
        os.read(connection.client, 1)
        table.rebase_known()
    half(connection)
    assert of_client(table.scan_known(), connection) == []


def test_what_is_left_unread_does_not_count(connection):
    table = SocketTable(())
    os.write(connection.client, b"?")
    os.write(connection.server, b"12345")
    select.select([connection.client], [], [], 10)
    os.read(connection.client, 2)
    assert [each.received for each in of_client(table.scan_known(), connection)] == [2]


def test_a_socket_in_an_epoll_set_is_left_out(connection):
    table = SocketTable(())
    with select.epoll() as epoll:
        epoll.register(connection.client, select.EPOLLIN)
        assert connection.client in in_epoll_sets()
        connection.ask()
        assert of_client(table.scan_known(), connection) == []
    assert connection.client not in in_epoll_sets()
    connection.ask()
    assert of_client(table.scan_known(), connection)


def test_a_socket_that_a_loop_has_waited_on_is_left_out(connection):
    awaited = AwaitedDescriptors()
    table = SocketTable(awaited)
    connection.ask()
    awaited.add(connection.client)
    assert of_client(table.scan_known(), connection) == []
    connection.ask()
    assert of_client(table.scan_all(), connection) == []


def test_a_connection_that_was_opened_since_is_known_by_the_age_of_its_traffic(connect):
    table = SocketTable(())
    opened = time.monotonic_ns()
    connection = connect()
    connection.ask()
    within = time.monotonic_ns() - opened
    assert of_client(table.scan_all(within), connection)


def test_a_connection_whose_traffic_is_older_is_anybodys(connect):
    table = SocketTable(())
    connection = connect()
    connection.ask()
    time.sleep(0.05)  # or more: the traffic is older than 1 ms and the clock's 10 ms
    assert of_client(table.scan_all(1_000_000), connection) == []


def test_a_descriptor_that_is_used_again_counts_from_its_beginning(connect):
    old = connect()
    for _ in range(3):
        old.ask()
    table = SocketTable(())
    old.close()
    new = connect()
    assert {new.client, new.server} == {old.client, old.server}
    new.ask()
    assert [(each.sent, each.received) for each in of_client(table.scan_known(), new)] == [(1, 2)]


def test_what_is_no_tcp_connection_has_no_counters():
    counters = tcp_info.TcpCounters()
    one, other = socket.socketpair()
    with (
        one,
        other,
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        assert [counters.of(each.fileno()) for each in (one, datagrams, server)] == [None] * 3
    assert counters.of(one.fileno()) is None  # closed: -1


def test_peers(connection, connect):
    assert peer_of(connection.client) == f"127.0.0.1:{connection.port}"
    one, other = socket.socketpair()
    with one, other:
        assert peer_of(one.fileno()) is None
    assert peer_of(-1) is None


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6")
def test_a_peer_by_ipv6(connect):
    try:
        connection = connect("::1")
    except OSError:
        pytest.skip("no address ::1")
    assert peer_of(connection.client) == f"[::1]:{connection.port}"

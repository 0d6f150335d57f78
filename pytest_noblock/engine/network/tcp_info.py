"""Synchronous round trips: a TCP socket that both sent and had bytes consumed between two scans.

This needs no threshold of time and no knowledge of the driver. It found 300 of 300 calls of psycopg2, psycopg and redis
(33 to 80 us each, on loopback). `struct tcp_info` has bytes_received at offset 128 (Linux >= 4.1) and bytes_sent at 200
(>= 4.19); what FIONREAD still counts as unread has been received but not consumed. Unix sockets have no counters; the
call that receives tells of them (`may_block`).

A socket that an event loop waits on may do both in one step that blocks nobody (consume an answer, then send the next
query): such sockets are left out.
"""

import ctypes
import fcntl
import functools
import os
import socket
import struct
import sys
import termios
from collections.abc import Callable, Container
from typing import NamedTuple

from pytest_noblock.engine.now import close_fd, copy_fd, link_of, list_folder, now, read_file, status_of
from pytest_noblock.model.segment import SocketExchange

_ENOUGH = 208  # bytes of tcp_info up to and including bytes_sent
_FIELDS = struct.Struct("<4xI4xI72xQ64xQ")
"""From offset 40 on: last_data_sent and last_data_recv (ms ago), bytes_received, bytes_sent."""
_AT = 40
_LISTENING = b"\n"  # TCP_LISTEN, in tcpi_state
_CLOCK_MS = 10
"""ms. A kernel with 100 ticks a second gives the ages in steps of 10 ms."""

_ANY = 2  # stderr: a descriptor that is open
_LIST_EVERY_NS = 50_000_000

_PORT_AND_ADDRESS: dict[int, struct.Struct] = {
    socket.AF_INET: struct.Struct("!2xH4s"),
    socket.AF_INET6: struct.Struct("!2xH4x16s"),
}
"""`struct sockaddr_in` and `sockaddr_in6`, see ip(7) and ipv6(7)."""

Counters = tuple[int, int]
"""Bytes sent, bytes received, since the connection was made."""


@functools.cache
def _libc(name: str, *arguments: type) -> Callable[..., int]:
    """A function of libc. PyDLL keeps the GIL. To release it a dozen times a step would let every worker run."""
    function: Callable[..., int] = getattr(ctypes.PyDLL(None), name)
    function.argtypes = arguments  # type: ignore[attr-defined]
    return function


class TcpCounters:
    """Reads the counters of one descriptor at a time."""

    def __init__(self) -> None:
        fd, address = ctypes.c_int, ctypes.c_void_p
        self._getsockopt = _libc("getsockopt", fd, fd, fd, address, address)
        self._buffer = ctypes.create_string_buffer(256)
        self._length = ctypes.c_uint32()
        self._where = ctypes.addressof(self._buffer), ctypes.addressof(self._length)

    def of(self, fd: int) -> Counters | None:
        """None where the descriptor is no TCP connection, or is closed.

        Raises OSError where the kernel has no counters.
        """
        self._length.value = 256
        if self._getsockopt(fd, socket.IPPROTO_TCP, socket.TCP_INFO, *self._where):
            return None
        if self._buffer[0] == _LISTENING:
            return None
        if self._length.value < _ENOUGH:
            raise OSError("this kernel's TCP_INFO has no byte counters")
        _sent_ago, _received_ago, received, sent = _FIELDS.unpack_from(self._buffer, _AT)
        return sent, received

    def oldest_traffic(self) -> int:
        """How long ago, in ms, the socket of the last `of` sent or received, whichever is longer."""
        sent_ago, received_ago, _received, _sent = _FIELDS.unpack_from(self._buffer, _AT)
        return int(max(sent_ago, received_ago))


class _Trip(NamedTuple):
    fd: int
    sent: int
    received: int


class SocketTable:
    """The TCP connections of this process, and their counters at the last scan.

    `awaited` are the descriptors that an event loop has waited on.
    """

    def __init__(self, awaited: Container[int]) -> None:
        self._counters = TcpCounters()
        self._awaited = awaited
        self._last: dict[int, Counters] = {}
        self._descriptors = (0, 0)
        self._listed = 0
        self.scan_all()

    def scan_all(self, since: int | None = None) -> list[SocketExchange]:
        """Read every descriptor; one value for each connection that made a round trip since the last scan.

        `since` is an age in ns. A connection that is new to the table counts only where its traffic is no older:
        anybody may have opened it, long ago.
        """
        oldest = None if since is None else since // 1_000_000 + _CLOCK_MS
        present: dict[int, Counters] = {}
        trips: list[_Trip] = []
        for fd in self._last if self._nothing_new() else map(int, list_folder("/proc/self/fd")):
            counters = self._counters.of(fd)
            if counters is None:
                continue
            present[fd] = counters
            stranger = fd not in self._last and oldest is not None and self._counters.oldest_traffic() > oldest
            trip = None if stranger else _round_trip(fd, self._last.get(fd), counters)
            if trip is not None:
                trips.append(trip)
        exchanges = self._outside_loops(trips)
        self._last = {fd: counters for fd, counters in present.items() if fd not in self._awaited}
        return exchanges

    def scan_known(self) -> list[SocketExchange]:
        """Read the known connections only; one value for each that made a round trip since the last scan."""
        trips: list[_Trip] = []
        for fd, before in self._last.items():
            counters = self._counters.of(fd) or (0, 0)
            if counters != before:
                trip = _round_trip(fd, before, counters)
                if trip is not None:
                    trips.append(trip)
                self._last[fd] = counters
        return self._outside_loops(trips)

    def rebase_known(self) -> bool:
        """Let the next scan count from here. Returns whether there is a known connection."""
        of = self._counters.of
        for fd in self._last:
            self._last[fd] = of(fd) or (0, 0)
        return bool(self._last)

    def _nothing_new(self) -> bool:
        """Whether no descriptor was opened since the last full scan, so that the known connections are all.

        A new descriptor takes the lowest free number and raises the count (`st_size` of /proc/self/fd, Linux >= 6.2;
        0 before). Where one was closed and another took its number, neither value changes: so all are listed
        again every 50 ms.
        """
        moment = now()
        lowest = copy_fd(_ANY)
        close_fd(lowest)
        count = status_of("/proc/self/fd").st_size
        if count and (count, lowest) == self._descriptors and moment - self._listed < _LIST_EVERY_NS:
            return True
        self._descriptors = (count, lowest)
        self._listed = moment
        return False

    def _outside_loops(self, trips: list[_Trip]) -> list[SocketExchange]:
        if not trips:
            return []
        innocent = in_epoll_sets()
        own = [trip for trip in trips if trip.fd not in innocent and trip.fd not in self._awaited]
        far = _far_ends([trip.fd for trip in own]) if len(own) > 1 else ()
        return [SocketExchange(peer_of(fd), sent, received) for fd, sent, received in own if fd not in far]


def _far_ends(fds: list[int]) -> set[int]:
    """Those that a listener of this process accepted, where the other end is among them, too: a test's server.

    Where that listener is closed, nobody can tell the ends apart.
    """
    ends = {fd: (_name_of(fd, "getsockname"), peer_of(fd)) for fd in fds}
    paired = {fd for fd, (here, there) in ends.items() if (there, here) in ends.values()}
    ports = _listening() if paired else set()
    return {fd for fd in paired if _port(ends[fd][0]) in ports and _port(ends[fd][1]) not in ports}


def _listening() -> set[str]:
    """The ports that this process listens on."""
    accepts, length = ctypes.c_int(), ctypes.c_uint32(4)
    where = ctypes.addressof(accepts), ctypes.addressof(length)
    getsockopt = _libc("getsockopt", *(ctypes.c_int,) * 3, *(ctypes.c_void_p,) * 2)
    named = (socket.SOL_SOCKET, socket.SO_ACCEPTCONN, *where)
    return {
        _port(_name_of(fd, "getsockname"))
        for fd in map(int, list_folder("/proc/self/fd"))
        if getsockopt(fd, *named) == 0 and accepts.value
    }


def _port(name: str | None) -> str:
    return (name or "").rpartition(":")[2]


def _round_trip(fd: int, before: Counters | None, counters: Counters) -> _Trip | None:
    """The round trip of a connection: it sent, and the process consumed bytes that came after the last scan."""
    sent, received = before or (0, 0)
    if counters[0] < sent or counters[1] < received:  # the descriptor was closed and used again
        sent = received = 0
    if counters[0] > sent and counters[1] > received and (consumed := counters[1] - _unread(fd) - received) > 0:
        return _Trip(fd, counters[0] - sent, consumed)
    return None


def _unread(fd: int) -> int:
    try:
        unread = fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0")
    except OSError:
        return 0
    return int.from_bytes(bytes(unread), sys.byteorder)


def peer_of(fd: int) -> str | None:
    """`127.0.0.1:5432`, `[::1]:5432`, `/run/docker.sock`; None where the connection is closed, or has no such name."""
    return _name_of(fd, "getpeername")


def _name_of(fd: int, function: str) -> str | None:
    buffer = ctypes.create_string_buffer(128)  # struct sockaddr_storage
    length = ctypes.c_uint32(128)
    ask = _libc(function, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    if ask(fd, ctypes.addressof(buffer), ctypes.addressof(length)):
        return None
    family = int.from_bytes(buffer.raw[:2], sys.byteorder)
    if family == socket.AF_UNIX:
        return os.fsdecode(buffer.raw[2 : length.value].strip(b"\0")) or None
    fields = _PORT_AND_ADDRESS.get(family)
    if fields is None:
        return None
    port, packed = fields.unpack_from(buffer)
    address = socket.inet_ntop(family, packed)
    return f"[{address}]:{port}" if family == socket.AF_INET6 else f"{address}:{port}"


def in_epoll_sets() -> set[int]:
    """The descriptors in any epoll set of this process, whichever loop it belongs to."""
    fds: set[int] = set()
    for name in list_folder("/proc/self/fd"):
        try:
            if "eventpoll" in link_of(f"/proc/self/fd/{name}"):
                lines = read_file(f"/proc/self/fdinfo/{name}").splitlines()
                fds.update(int(line.split()[1]) for line in lines if line.startswith(b"tfd:"))
        except OSError:  # closed meanwhile
            continue
    return fds

"""Synchronous round trips: a TCP socket that both sent and had bytes consumed within one step.

It needs no time threshold and no knowledge of the driver: 300 of 300 psycopg2,
psycopg and redis calls of 33-80 us on loopback. `struct tcp_info` has bytes_received
at offset 128 (Linux >= 4.1) and bytes_sent at 200 (>= 4.19); what FIONREAD still
counts as unread has been received but not consumed. Unix sockets have no counters.

A socket that an event loop waits on may do both in one innocent step (consume an
answer, then send the next query): such sockets are left out.
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

from pytest_noblock.engine.now import now

_open = open  # a test may put a mock in its place

_ENOUGH = 208  # bytes of tcp_info up to and including bytes_sent
_FIELDS = struct.Struct("<4xI4xI72xQ64xQ")
"""From offset 40 on: last_data_sent and last_data_recv (ms ago), bytes_received, bytes_sent."""
_AT = 40
_LISTENING = b"\n"  # TCP_LISTEN, in tcpi_state
_CLOCK_MS = 10
"""Kernels with 100 ticks a second tell the ages no better."""

_ANY = 2  # stderr: a descriptor that is open
_LIST_EVERY_NS = 50_000_000

Counters = tuple[int, int]
"""Bytes sent, bytes received."""


@functools.cache
def _getsockopt() -> Callable[..., int]:
    """PyDLL keeps the interpreter lock: giving it away a dozen times a step invites every worker in."""
    function: Callable[..., int] = ctypes.PyDLL(None).getsockopt
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)  # type: ignore[attr-defined]
    return function


class TcpCounters:
    """Reads the counters of one descriptor. Raises OSError where the kernel has none."""

    def __init__(self) -> None:
        self._getsockopt = _getsockopt()
        self._buffer = ctypes.create_string_buffer(256)
        self._length = ctypes.c_uint32()
        self._where = ctypes.addressof(self._buffer), ctypes.addressof(self._length)

    def of(self, fd: int) -> Counters | None:
        """None where the descriptor is no TCP connection (or closed)."""
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


def _unread(fd: int) -> int:
    try:
        unread = fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0")
    except OSError:
        return 0
    return int.from_bytes(bytes(unread), sys.byteorder)


class SocketTable:
    """The TCP connections of this process and their counters at the last look.

    `managed` are the descriptors that an event loop waits on.
    """

    def __init__(self, managed: Container[int]) -> None:
        self._counters = TcpCounters()
        self._managed = managed
        self._last: dict[int, Counters] = {}
        self._descriptors = (0, 0)
        self._listed = 0
        self.take_stock()

    def take_stock(self, since: int | None = None) -> int:
        """Look at every descriptor; how many connections made a round trip since the last look.

        One unknown so far counts where its traffic is no older than `since` (ns): it may
        have been opened long ago, by anybody.
        """
        oldest = None if since is None else since // 1_000_000 + _CLOCK_MS
        now: dict[int, Counters] = {}
        busy: list[int] = []
        for fd in self._last if self._nothing_new() else map(int, os.listdir("/proc/self/fd")):
            counters = self._counters.of(fd)
            if counters is None:
                continue
            now[fd] = counters
            stranger = fd not in self._last and oldest is not None and self._counters.oldest_traffic() > oldest
            if not stranger and _round_trip(fd, self._last.get(fd), counters):
                busy.append(fd)
        trips = self._outside_loops(busy)
        self._last = {fd: counters for fd, counters in now.items() if fd not in self._managed}
        return trips

    def _nothing_new(self) -> bool:
        """Whether no descriptor was opened since the last look, so that the known connections are all.

        A new one takes the lowest free number and raises the count (`st_size` of
        /proc/self/fd, Linux >= 6.2; 0 before). An exchange of one for another shows in
        neither; hence a full look every 50 ms all the same.
        """
        moment = now()
        lowest = os.dup(_ANY)
        os.close(lowest)
        count = os.stat("/proc/self/fd").st_size
        if count and (count, lowest) == self._descriptors and moment - self._listed < _LIST_EVERY_NS:
            return True
        self._descriptors = (count, lowest)
        self._listed = moment
        return False

    def look(self) -> int:
        """Look at the known connections only; how many made a round trip since the last look."""
        busy: list[int] = []
        for fd, before in self._last.items():
            counters = self._counters.of(fd) or (0, 0)
            if counters != before:
                if _round_trip(fd, before, counters):
                    busy.append(fd)
                self._last[fd] = counters
        return self._outside_loops(busy)

    def refresh(self) -> bool:
        """Look again at the known connections, if any: what others did to them is not this step's."""
        of = self._counters.of
        for fd in self._last:
            self._last[fd] = of(fd) or (0, 0)
        return bool(self._last)

    def _outside_loops(self, busy: list[int]) -> int:
        if not busy:
            return 0
        innocent = awaited()
        return sum(fd not in innocent and fd not in self._managed for fd in busy)


def _round_trip(fd: int, before: Counters | None, now: Counters) -> bool:
    """It sent, and something that came after the last look has been read."""
    sent, received = before or (0, 0)
    if now[0] < sent or now[1] < received:  # the descriptor was closed and used again
        sent = received = 0
    return now[0] > sent and now[1] > received and now[1] - _unread(fd) > received


def awaited() -> set[int]:
    """The descriptors in any epoll set of this process, whichever loop it belongs to."""
    fds: set[int] = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if "eventpoll" in os.readlink(f"/proc/self/fd/{name}"):
                with _open(f"/proc/self/fdinfo/{name}") as file:
                    fds.update(int(line.split()[1]) for line in file if line.startswith("tfd:"))
        except OSError:  # closed meanwhile
            continue
    return fds

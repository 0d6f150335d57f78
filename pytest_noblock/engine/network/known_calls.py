"""Known blocking calls, seen on the loop thread at the moment they happen.

A connection that is opened and closed within one step leaves no socket to read when the step ends. So connecting and
resolving are noted as they happen. Only attributes of Python classes and modules are wrapped: an audit hook could
not be removed. Of a C driver we wrap the function in which it opens its connections.

Three tables say what blocks, for three questions:

- here: which functions are wrapped, so that a call is seen as it happens? A dozen, below all drivers.
- `client_calls`: which methods does a client's call go through, even if a mock answers it and no socket is used?
- `calls.table`: is the name on a line known to block, and what to write instead? Hundreds; nothing is wrapped.
"""

import concurrent.futures
import functools
import ipaddress
import queue
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FrameType
from typing import Any, Literal, NamedTuple, Protocol

from pytest_noblock.engine.network import client_calls
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import Patch

__tracebackhide__ = True
"""pytest leaves this module's frames out of tracebacks: what a wrapped call raises is not ours."""

_INTERNET = (socket.AF_INET, socket.AF_INET6)

Effect = Literal["network", "sleep", "connect", "client", "mock"]
"""What a known call does.

- `network`: it made a round trip.
- `sleep`: it slept in the kernel.
- `connect`: it opened a connection, which may have made a round trip; the sockets tell.
- `client`: it is a client's, and a socket or a mock answered it.
- `mock`: a mock stood in for something.
"""


class Observer(Protocol):
    """The meter of a loop thread."""

    def known_call_ended(self, name: str, effect: Effect, began: int, frame: FrameType, asked: int) -> None:
        """On the loop thread: `frame` has made a known call, which has just ended.

        `began`: when (ns); `asked`: see `segment.BlockingCall`.
        """

    def another_thread_called(self) -> None:
        """On another thread, which is about to make a known call, and has the GIL for now."""


class _KnownCall(NamedTuple):
    owner: Any
    """The class or module whose attribute is wrapped."""
    name: str
    effect: Effect
    blocks: Callable[..., bool]
    """Whether a call with these positional arguments can block."""


def patches(observers: Mapping[int, Observer]) -> list[Patch]:
    """One for each known call. `observers` are read at each call, by identity of the thread."""
    return [
        Patch(known.owner, known.name, functools.partial(_wrapper, known, observers))
        for known in (*_standard_library(), *_c_drivers(), *_clients())
    ]


def _wrapper(known: _KnownCall, observers: Mapping[int, Observer], original: Callable[..., Any]) -> Callable[..., Any]:
    label, effect, blocks = f"{known.owner.__name__}.{known.name}", known.effect, known.blocks
    own = known.owner is time and isinstance(original, BuiltinFunctionType)  # a test's stand-in need not sleep
    sleep_asked = _nanoseconds if own else _zero
    ident = threading.get_ident

    def observed(frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        observer = observers.get(ident())
        if observer is None:
            for other in list(observers.values()):
                other.another_thread_called()
            return original(*args, **kwargs)
        if args and not blocks(*args):
            return original(*args, **kwargs)
        began, asked = now(), 0
        try:
            result = original(*args, **kwargs)
            asked = sleep_asked(*args)  # a call that raised may have been cut short
            return result
        finally:
            observer.known_call_ended(label, effect, began, frame, asked)

    @functools.wraps(original)  # user frames that look the name up must find the known one
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if observers:
            return observed(sys._getframe(1), args, kwargs)
        return original(*args, **kwargs)  # most calls: a loop wakes itself by its own socket

    return wrapper


@functools.cache
def _standard_library() -> tuple[_KnownCall, ...]:
    return (
        _KnownCall(socket.socket, "connect", "network", _connects),
        _KnownCall(socket.socket, "recv", "network", _waits),
        _KnownCall(socket.socket, "recv_into", "network", _waits),
        _KnownCall(socket.socket, "recvfrom", "network", _waits),
        _KnownCall(ssl.SSLSocket, "read", "network", _waits),
        _KnownCall(socket, "getaddrinfo", "network", _asks_a_name_server),
        _KnownCall(time, "sleep", "sleep", _always),
        _KnownCall(subprocess.Popen, "wait", "sleep", _always),
        _KnownCall(concurrent.futures.Future, "result", "sleep", _is_pending),
        _KnownCall(queue.Queue, "get", "sleep", _always),
        _KnownCall(threading.Thread, "join", "sleep", _always),
    )


MODULES = ("psycopg2", "psycopg.waiting", "MySQLdb.connections", *client_calls.MODULES)
"""The modules besides the standard library's: once one more of them is imported, there is more to patch."""


def _c_drivers() -> list[_KnownCall]:
    """Where the imported C drivers open their connections, whatever alias people call.

    Seen on psycopg2 2.9, psycopg 3.3 and mysqlclient 2.2. Where another version lacks the function, only a connection
    that is still open when the step ends is found.
    """
    places = (
        (sys.modules.get("psycopg2"), "_connect"),
        (sys.modules.get("psycopg.waiting"), "wait_conn"),
        (getattr(sys.modules.get("MySQLdb.connections"), "Connection", None), "__init__"),
    )
    return [
        _KnownCall(owner, name, "connect", _always)
        for owner, name in places
        if owner is not None and hasattr(owner, name)
    ]


def _clients() -> list[_KnownCall]:
    return [
        *(_KnownCall(each.owner, each.name, "client", each.counts) for each in client_calls.entry_points()),
        *(_KnownCall(each.owner, each.name, "mock", each.counts) for each in client_calls.mock_entry_points()),
    ]


def _nanoseconds(asked: object) -> int:
    return round(asked * 1e9) if isinstance(asked, int | float) else 0


def _zero(*_: object) -> int:
    return 0


def _always(*_: object) -> bool:
    return True


def _waits(sock: socket.socket, *_: object) -> bool:
    """asyncio's own sockets are non-blocking, and a Unix socket is no network."""
    return sock.gettimeout() != 0 and sock.family in _INTERNET


def _connects(sock: socket.socket, *_: object) -> bool:
    return _waits(sock) and sock.type == socket.SOCK_STREAM


def _is_pending(future: concurrent.futures.Future[object], *_: object) -> bool:
    return not future.done()


def _asks_a_name_server(host: str | bytes | None, *_: object) -> bool:
    """Only names are asked for: an address, or this machine's own name, needs no server."""
    name = host.decode("idna") if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False

"""Known blocking calls, seen on the loop thread at the moment they happen.

A connection opened and closed within one step leaves no socket to look at when the
step ends, so connecting and resolving are noted as they happen. Only attributes of
Python classes and modules are wrapped (audit hooks could not be taken out again); of
C drivers that is the function in which they open their connections.
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
"""Of all frames of this module: what a wrapped call raises is not ours."""

_INTERNET = (socket.AF_INET, socket.AF_INET6)

Effect = Literal["network", "sleep", "connect", "client", "mock"]
"""What such a call does: `connect` may have made a round trip, which the sockets then tell.

`client` is a client's, which a socket answers or a mock; `mock` is a mock's in the place of anything.
"""

Blocks = Callable[..., bool]
"""Whether a call with these positional arguments can block."""


class Observer(Protocol):
    """The meter of an event loop's thread."""

    def known_call_ended(self, name: str, effect: Effect, began: int, frame: FrameType, asked: int) -> None:
        """Of the calling frame, when the call has just ended. `asked`: see `observation.BlockingCall`."""

    def passed_by(self) -> None:
        """Another thread makes a known call: it has the interpreter lock for now."""


class _Known(NamedTuple):
    owner: Any
    name: str
    effect: Effect
    blocks: Blocks


def patches(observers: Mapping[int, Observer]) -> list[Patch]:
    """For the known calls of the threads that have an observer at present, by their identity."""
    return [
        Patch(known.owner, known.name, functools.partial(_wrapper, known, observers))
        for known in (*_known(), *_c_drivers(), *_clients())
    ]


def _wrapper(known: _Known, observers: Mapping[int, Observer], original: Callable[..., Any]) -> Callable[..., Any]:
    label, effect, blocks = f"{known.owner.__name__}.{known.name}", known.effect, known.blocks
    own = known.owner is time and isinstance(original, BuiltinFunctionType)  # what stands in for it need not sleep
    asks = _seconds if own else _nothing
    ident = threading.get_ident

    def seen(frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        observer = observers.get(ident())
        if observer is None:
            for other in list(observers.values()):
                other.passed_by()
            return original(*args, **kwargs)
        if args and not blocks(*args):
            return original(*args, **kwargs)
        began, asked = now(), 0
        try:
            result = original(*args, **kwargs)
            asked = asks(*args)  # one that raised may have been cut short
            return result
        finally:
            observer.known_call_ended(label, effect, began, frame, asked)

    @functools.wraps(original)  # user frames that look the name up must find the known one
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if observers:
            return seen(sys._getframe(1), args, kwargs)
        return original(*args, **kwargs)  # most calls: a loop wakes itself by its own socket

    return wrapper


@functools.cache
def _known() -> tuple[_Known, ...]:
    return (
        _Known(socket.socket, "connect", "network", _connects),
        _Known(socket.socket, "recv", "network", _waits),
        _Known(socket.socket, "recv_into", "network", _waits),
        _Known(socket.socket, "recvfrom", "network", _waits),
        _Known(ssl.SSLSocket, "read", "network", _waits),
        _Known(socket, "getaddrinfo", "network", _asks_a_name_server),
        _Known(time, "sleep", "sleep", _always),
        _Known(subprocess.Popen, "wait", "sleep", _always),
        _Known(concurrent.futures.Future, "result", "sleep", _is_pending),
        _Known(queue.Queue, "get", "sleep", _always),
        _Known(threading.Thread, "join", "sleep", _always),
    )


MODULES = ("psycopg2", "psycopg.waiting", "MySQLdb.connections", *client_calls.MODULES)
"""Which `patches` looks for, besides the standard library's."""


def _c_drivers() -> list[_Known]:
    """Where C drivers open their connections, whatever alias people call; only of those that are imported."""
    places = (
        (sys.modules.get("psycopg2"), "_connect"),
        (sys.modules.get("psycopg.waiting"), "wait_conn"),
        (getattr(sys.modules.get("MySQLdb.connections"), "Connection", None), "__init__"),
    )
    return [
        _Known(owner, name, "connect", _always) for owner, name in places if owner is not None and hasattr(owner, name)
    ]


def _clients() -> list[_Known]:
    return [
        *(_Known(each.owner, each.name, "client", each.counts) for each in client_calls.entry_points()),
        *(_Known(each.owner, each.name, "mock", each.counts) for each in client_calls.mock_entry_points()),
    ]


def _seconds(asked: object) -> int:
    return round(asked * 1e9) if isinstance(asked, int | float) else 0


def _nothing(*_: object) -> int:
    return 0


def _always(*_: object) -> bool:
    return True


def _waits(sock: socket.socket, *_: object) -> bool:
    """asyncio's own sockets are non-blocking; those of the local machine's families are no network."""
    return sock.gettimeout() != 0 and sock.family in _INTERNET


def _connects(sock: socket.socket, *_: object) -> bool:
    return _waits(sock) and sock.type == socket.SOCK_STREAM


def _is_pending(future: concurrent.futures.Future[object], *_: object) -> bool:
    return not future.done()


def _asks_a_name_server(host: str | bytes | None, *_: object) -> bool:
    """Only names do: numbers, and what /etc/hosts answers for this machine, stay here."""
    name = host.decode("idna") if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return False
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return True
    return False

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
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from pytest_noblock.engine import clients
from pytest_noblock.engine.now import now

_INTERNET = (socket.AF_INET, socket.AF_INET6)

Effect = Literal["network", "sleep", "connect", "client", "mock"]
"""What such a call does: `connect` may have made a round trip, which the sockets then tell.

`client` is a client's, which a socket answers or a mock; `mock` is a mock's in the place of anything.
"""

Observer = Callable[[str, Effect, int, FrameType], None]
"""Told of the name, the effect, the begin and the calling frame of a call that has just ended."""

Blocks = Callable[..., bool]
"""Whether a call with these positional arguments can block."""


@dataclass(frozen=True, slots=True)
class _Known:
    owner: Any
    name: str
    effect: Effect
    blocks: Blocks


def install(observer: Observer) -> Callable[[], None]:
    """Wrap the known calls; returns what takes the wrappers out again."""
    while _buried:
        _buried.pop()()
    undo = [_wrap(known, observer) for known in (*_known(), *_imported(len(sys.modules)))]

    def uninstall() -> None:
        for each in undo:
            each()

    return uninstall


_buried: list[Callable[[], None]] = []
"""What could not be taken out, for the test had put something of its own on top: it puts ours back when it is done."""


def _wrap(known: _Known, observer: Observer) -> Callable[[], None]:
    owner, name = known.owner, known.name
    own = name in vars(owner)
    original = getattr(owner, name)
    wrapper = _wrapper(original, known, observer)
    setattr(owner, name, wrapper)

    def undo() -> None:
        if vars(owner).get(name) is not wrapper:
            _buried.append(undo)
        elif own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)

    return undo


@functools.cache
def _wrapper(original: Callable[..., Any], known: _Known, observer: Observer) -> Callable[..., Any]:
    """Made once: with `--noblock` every test puts it in and takes it out."""
    label, effect, blocks = f"{known.owner.__name__}.{known.name}", known.effect, known.blocks

    @functools.wraps(original)  # user frames that look the name up must find the known one
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # what it raises is not ours
        if args and not blocks(*args):
            return original(*args, **kwargs)
        began = now()
        try:
            return original(*args, **kwargs)
        finally:
            observer(label, effect, began, sys._getframe(1))

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


@functools.lru_cache(maxsize=1)
def _imported(_modules: int) -> tuple[_Known, ...]:
    """Those of the packages that are imported: looked for again when there are more modules."""
    return (*_c_drivers(), *_clients())


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
        *(_Known(each.owner, each.name, "client", each.counts) for each in clients.passages()),
        *(_Known(each.owner, each.name, "mock", each.counts) for each in clients.stand_ins()),
    ]


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

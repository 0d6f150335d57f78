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

from pytest_noblock.engine.now import now

_INTERNET = (socket.AF_INET, socket.AF_INET6)

Effect = Literal["network", "sleep", "connect"]
"""What such a call does: `connect` may have made a round trip, which the sockets then tell."""

Observer = Callable[[str, Effect, int, FrameType], None]
"""Told of the name, the effect, the begin and the calling frame of a call that has just ended."""

Blocks = Callable[[Any], bool]
"""Whether a call with this first argument can block."""


@dataclass(frozen=True, slots=True)
class _Known:
    owner: Any
    name: str
    effect: Effect
    blocks: Blocks


def install(observer: Observer) -> Callable[[], None]:
    """Wrap the known calls; returns what takes the wrappers out again."""
    undo = [_wrap(known, observer) for known in (*_known(), *_c_drivers())]

    def uninstall() -> None:
        for each in undo:
            each()

    return uninstall


def _wrap(known: _Known, observer: Observer) -> Callable[[], None]:
    owner, name = known.owner, known.name
    own = name in vars(owner)
    original = getattr(owner, name)
    setattr(owner, name, _wrapper(original, known, observer))
    return (lambda: setattr(owner, name, original)) if own else (lambda: delattr(owner, name))


@functools.cache
def _wrapper(original: Callable[..., Any], known: _Known, observer: Observer) -> Callable[..., Any]:
    """Made once: with `--noblock` every test puts it in and takes it out."""
    label, effect, blocks = f"{known.owner.__name__}.{known.name}", known.effect, known.blocks

    @functools.wraps(original)  # user frames that look the name up must find the known one
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if args and not blocks(args[0]):
            return original(*args, **kwargs)
        began = now()
        try:
            return original(*args, **kwargs)
        finally:
            observer(label, effect, began, sys._getframe(1))

    return wrapper


def _known() -> list[_Known]:
    return [
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
    ]


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


def _always(_first: object) -> bool:
    return True


def _waits(sock: socket.socket) -> bool:
    """asyncio's own sockets are non-blocking; those of the local machine's families are no network."""
    return sock.gettimeout() != 0 and sock.family in _INTERNET


def _connects(sock: socket.socket) -> bool:
    return _waits(sock) and sock.type == socket.SOCK_STREAM


def _is_pending(future: concurrent.futures.Future[object]) -> bool:
    return not future.done()


def _asks_a_name_server(host: str | bytes | None) -> bool:
    """Only names do: numbers, and what /etc/hosts answers for this machine, stay here."""
    name = host.decode("idna") if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return False
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return True
    return False

"""Known blocking calls, seen on the loop thread at the moment they happen.

A connection opened and closed within one step leaves no socket to look at when the
step ends, so connecting and resolving are noted as they happen. Only methods that
are plain attributes of Python classes and modules are wrapped (audit hooks could not
be taken out again); C drivers pass by unseen, their sockets do not.
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
from types import FrameType
from typing import Any, Protocol

_now = time.perf_counter_ns
_INTERNET = (socket.AF_INET, socket.AF_INET6)


class Observer(Protocol):
    def __call__(self, name: str, began: int, frame: FrameType, *, network: bool) -> None: ...


Blocks = Callable[..., bool]
"""Whether a call with these arguments can block."""

_Wrapped = tuple[object, str, bool, Blocks]


_C_CONNECTS = (("psycopg2", "", "_connect"), ("psycopg.waiting", "", "wait_conn"), ("MySQLdb.connections", "Connection", "__init__"))
"""Module, class and function in which a C driver opens its connections: each alias that people import ends there."""


def install(observer: Observer, connected: Callable[[str, int, FrameType], None]) -> Callable[[], None]:
    """Wrap the known calls; returns what takes the wrappers out again."""
    undo = [_wrap(owner, name, observer, network, blocks) for owner, name, network, blocks in _known()]
    for module, owner, name in _C_CONNECTS:
        where = sys.modules.get(module)
        where = getattr(where, owner, None) if owner else where
        if where is not None and hasattr(where, name):
            undo.append(_wrap(where, name, lambda *seen, network: connected(*seen), False, _always))

    def uninstall() -> None:
        for each in undo:
            each()

    return uninstall


def _wrap(owner: Any, name: str, observer: Observer, network: bool, blocks: Blocks) -> Callable[[], None]:
    own = name in vars(owner)
    original = getattr(owner, name)
    setattr(owner, name, _wrapper(original, f"{owner.__name__}.{name}", observer, network, blocks))
    return (lambda: setattr(owner, name, original)) if own else (lambda: delattr(owner, name))


@functools.cache
def _wrapper(
    original: Callable[..., Any], label: str, observer: Observer, network: bool, blocks: Blocks
) -> Callable[..., Any]:
    """Made once: with `--noblock` every test puts it in and takes it out."""

    @functools.wraps(original)  # user frames that look the name up must find the known one
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not blocks(*args, **kwargs):
            return original(*args, **kwargs)
        began = _now()
        try:
            return original(*args, **kwargs)
        finally:
            observer(label, began, sys._getframe(1), network=network)

    return wrapper


def _known() -> list[_Wrapped]:
    return [
        (socket.socket, "connect", True, _connects),
        (socket.socket, "recv", True, _waits),
        (socket.socket, "recv_into", True, _waits),
        (socket.socket, "recvfrom", True, _waits),
        (ssl.SSLSocket, "read", True, _waits),
        (socket, "getaddrinfo", True, _asks_a_name_server),
        (time, "sleep", False, _always),
        (subprocess.Popen, "wait", False, _always),
        (concurrent.futures.Future, "result", False, _is_pending),
        (queue.Queue, "get", False, _always),
        (threading.Thread, "join", False, _always),
    ]


def _always(*_args: object, **_kwargs: object) -> bool:
    return True


def _waits(sock: socket.socket, *_args: object, **_kwargs: object) -> bool:
    """asyncio's own sockets are non-blocking; those of the local machine's families are no network."""
    return sock.gettimeout() != 0 and sock.family in _INTERNET


def _connects(sock: socket.socket, *args: object, **_kwargs: object) -> bool:
    return _waits(sock) and sock.type == socket.SOCK_STREAM


def _is_pending(future: concurrent.futures.Future[object], *_args: object, **_kwargs: object) -> bool:
    return not future.done()


def _asks_a_name_server(host: str | bytes | None, *_args: object, **_kwargs: object) -> bool:
    """Only names do: numbers, and what /etc/hosts answers for this machine, stay here."""
    name = host.decode("idna") if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return False
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return True
    return False

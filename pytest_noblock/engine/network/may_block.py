"""Whether a known call of the standard library can block, by its arguments as the caller gives them.

Each function has the arguments of the call that it is about.
"""

import asyncio
import concurrent.futures
import ipaddress
import queue
import selectors
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from pytest_noblock.engine.network.tcp_info import peer_of

if TYPE_CHECKING:
    import multiprocessing.pool
    import ssl

    from pytest_noblock.engine.network.known_calls import Effect

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_UNIX = getattr(socket, "AF_UNIX", -1)
"""Windows has none."""


def receives(sock: socket.socket, *_: object, **__: object) -> "Effect | None":
    """asyncio's own sockets are non-blocking."""
    return _exchange_by(sock) if sock.gettimeout() != 0 else None


def shakes_hands(sock: "ssl.SSLSocket", block: bool = False) -> "Effect | None":  # noqa: FBT001, FBT002  # as there
    """`do_handshake`, the first time. `block`: it waits even where the socket is non-blocking."""
    waits = block or sock.gettimeout() != 0
    return _exchange_by(sock) if waits and _is_before_handshake(sock) else None


def sends_first(sock: "ssl.SSLSocket", *_: object, **__: object) -> "Effect | None":
    """What sends before the handshake makes it: OpenSSL waits for the other end's part of it."""
    return shakes_hands(sock)


def _is_before_handshake(sock: "ssl.SSLSocket") -> bool:
    """`_sslobj` is private (CPython 3.11 to 3.14): None before `connect` and after `unwrap`.

    Without it, no handshake is seen.
    """
    return getattr(sock, "_sslobj", None) is not None and sock.version() is None


def _exchange_by(sock: socket.socket) -> "Effect":
    family = sock.family
    return "network" if family in _INTERNET or (family == _UNIX and _asks_a_service(sock)) else "local"


def _asks_a_service(sock: Any) -> bool:
    """Whether this Unix socket is a client's: the other end has a name, which a service has bound.

    No end of a socket pair has one, as of a pipe to a child or of the loop's own; nor has the client, to its server.
    """
    try:
        return bool(sock.getpeername())
    except OSError:  # not connected
        return False


def connects(sock: socket.socket, *_: object, **__: object) -> bool:
    return sock.gettimeout() != 0 and sock.family in _INTERNET and sock.type == socket.SOCK_STREAM


def waits_for_the_network(waiter: Any = (), *args: Any, **kwargs: Any) -> bool:
    """Whether a `select` other than the running loop's own waits for a socket of the network.

    A client that polls by itself (dnspython, kafka-python) has a socket that cannot block, and waits here.
    """
    if isinstance(waiter, selectors.BaseSelector):
        timeout = kwargs.get("timeout", args[0] if args else None)
        fileobjs = [key.fileobj for key in (waiter.get_map() or {}).values()]
    else:
        timeout = args[2] if len(args) > 2 else None  # `select.select(read, write, except, timeout)`
        fileobjs = [*waiter, *(args[0] if args else ())]
    may_wait = timeout is None or timeout > 0
    return may_wait and not _is_of_running_loop(waiter) and any(map(_of_network, fileobjs))


def _is_of_running_loop(waiter: object) -> bool:
    """`_selector` is private (asyncio of CPython 3.11 to 3.14); asyncio calls it between the steps, if not nested."""
    try:
        return getattr(asyncio.get_running_loop(), "_selector", None) is waiter
    except RuntimeError:  # there is none: trio
        return False


def _of_network(fileobj: Any) -> bool:
    if isinstance(fileobj, int):
        return peer_of(fileobj) is not None
    family = getattr(fileobj, "family", None)
    return family in _INTERNET or (family == _UNIX and _asks_a_service(fileobj))


def is_pending(future: concurrent.futures.Future[object], *_: object, **__: object) -> bool:
    return not future.done()


def is_unready(result: "multiprocessing.pool.AsyncResult[object]", *_: object, **__: object) -> bool:
    return not result.ready()


def runs(process: "subprocess.Popen[bytes]", *_: object, **__: object) -> bool:
    return process.returncode is None


def is_empty(items: "queue.Queue[object]", *args: object, **kwargs: object) -> bool:
    waits = kwargs.get("block", args[0] if args else True)
    return bool(waits) and not items.qsize()


def lives(thread: threading.Thread, *_: object, **__: object) -> bool:
    return thread.is_alive()


def asks_a_name_server(host: str | bytes | None = None, *_: object, **__: object) -> bool:
    """Only names are asked for: an address, or a name that this machine knows by itself, needs no server."""
    try:
        name = host.decode("idna") if isinstance(host, bytes) else host
    except UnicodeError:
        return False
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        from pytest_noblock.engine.network.hosts import known_here  # most runs resolve no name

        return not known_here(name)
    return False

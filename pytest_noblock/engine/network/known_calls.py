"""Known blocking calls, seen on the loop thread at the moment they happen.

A connection that is opened and closed within one step leaves no socket to read when the step ends. So connecting and
resolving are noted as they happen. Only attributes of Python classes and modules are wrapped: an audit hook could
not be removed. Of a C driver we wrap the function in which it opens its connections.

Four tables say what blocks, for four questions:

- here: which functions are wrapped, so that a call is seen as it happens? Two dozen, below all drivers.
- `driver_calls`: which methods does a driver's call go through, whichever socket carries it?
- `client_calls`: which methods does a client's call go through, even if a mock answers it and no socket is used?
- `calls.tables`: is the name on a line known to block, and what to write instead? Hundreds; nothing is wrapped.
"""

import concurrent.futures
import functools
import queue
import select
import selectors
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FrameType
from typing import Any, Literal, NamedTuple, Protocol

from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.network import client_calls, driver_calls, may_block
from pytest_noblock.engine.network.call_shapes import (
    Observed,
    Polling,
    counting_wrapper,
    polling_wrapper,
    shaped_wrapper,
)
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import Patch

__tracebackhide__ = True
"""pytest leaves this module's frames out of tracebacks: what a wrapped call raises is not ours."""

Effect = Literal["network", "exchange", "local", "sleep", "wait", "over", "connect", "client", "mock"]
"""What a known call does.

- `network`: it made a round trip.
- `exchange`: it made a round trip if it slept, or if a socket shows one.
- `local`: it received from a Unix socket, whose other end no service may be: the call of a client that did this had an
  answer, and of no mock.
- `sleep`: it slept in the kernel, for as long as it was asked to.
- `wait`: it slept in the kernel until another thread or process was ready.
- `over`: it may have found the other thread or process ready. How long it slept, only the kernel says.
- `connect`: it opened a connection, or asked what may be a stand-in of a test; the sockets tell whether it made one.
- `client`: it is a client's, and a socket or a mock answered it.
- `mock`: a mock stood in for something.
"""


EffectOf = Callable[..., Effect | None]
"""What a call with these arguments does; None where it cannot block."""


class Observer(Protocol):
    """The meter of a loop thread."""

    def exchange_begins(self) -> int:
        """On the loop thread: a call begins that may make a round trip. Returns how often the thread has slept."""

    def known_call_ended(self, name: str, effect: Effect, began: int, frame: FrameType, asked: int, slept: int) -> None:
        """On the loop thread: `frame` has made a known call, which has just ended.

        `began`: when (ns); `asked`: see `segment.BlockingCall`; `slept`: what `exchange_begins` returned, else 0.
        """

    def another_thread_called(self) -> None:
        """On another thread, which is about to make a known call, and has the GIL for now."""


class _KnownCall(NamedTuple):
    owner: Any
    """The class or module whose attribute is wrapped."""
    name: str
    effect: EffectOf
    sends: bool = False
    """Whether it is a client's, and sends a request."""


def patches(observers: Mapping[int, Observer], polling: Polling) -> list[Patch]:
    """One for each known call. `observers` are read at each call, by identity of the thread."""
    return [
        Patch(known.owner, known.name, functools.partial(_wrapper, known, observers, polling))
        for known in (*_standard_library(), *_c_drivers(), *_drivers(), *_clients())
    ]


def _wrapper(
    known: _KnownCall,
    observers: Mapping[int, Observer],
    polling: Polling,
    original: Callable[..., Any],
) -> Callable[..., Any]:
    label, effect_of = f"{known.owner.__name__}.{known.name}", known.effect
    own = known.owner is time and isinstance(original, BuiltinFunctionType)  # a test's stand-in need not sleep
    sleep_asked = _nanoseconds if own else _zero
    ident, sends = threading.get_ident, known.sends

    def observed(frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        observer = observers.get(ident())
        if observer is None:
            for other in list(observers.values()):
                guarded(other.another_thread_called)
            if sends and guarded(effect_of, *args) is not None:
                client_calls.SENT.note(known.owner, known.name)
            return original(*args, **kwargs)
        try:
            effect = effect_of(*args, **kwargs)
        except Exception:  # noqa: BLE001  # odd arguments, of which the call itself will complain
            effect = None
        if effect is None:
            return original(*args, **kwargs)
        slept = (guarded(observer.exchange_begins) or 0) if effect == "exchange" else 0
        began, asked = now(), 0
        try:
            result = original(*args, **kwargs)
            asked = sleep_asked(*args)  # a call that raised may have been cut short
            return result
        finally:
            guarded(observer.known_call_ended, label, effect, began, frame, asked, slept)

    shaped = _shaped(known, original, observers, polling, observed)
    return functools.wraps(original)(shaped)  # user frames that look the name up must find the known one


def _shaped(
    known: _KnownCall,
    original: Callable[..., Any],
    observers: Mapping[int, Observer],
    polling: Polling,
    observed: Observed,
) -> Callable[..., Any]:
    if isinstance(known.owner, type) and issubclass(known.owner, selectors.BaseSelector):
        return polling_wrapper(original, observers, polling, observed)
    return counting_wrapper(observed) if known.sends else shaped_wrapper(original, observers, observed)


def _where(effect: Effect, blocks: Callable[..., bool]) -> EffectOf:
    """The effect of those calls that can block."""

    def effect_of(*args: Any, **kwargs: Any) -> Effect | None:
        return effect if blocks(*args, **kwargs) else None

    return effect_of


def _waits(blocks: Callable[..., bool]) -> EffectOf:
    """The effect of a wait for another thread or process."""

    def effect_of(*args: Any, **kwargs: Any) -> Effect:
        return "wait" if blocks(*args, **kwargs) else "over"

    return effect_of


@functools.cache
def _standard_library() -> tuple[_KnownCall, ...]:
    resolves = _where("network", may_block.asks_a_name_server)
    waits = _where("network", may_block.waits_for_the_network)
    rows: tuple[tuple[Any, str, EffectOf], ...] = (
        (socket.socket, "connect", _where("network", may_block.connects)),
        (socket.socket, "recv recv_into recvfrom recvfrom_into recvmsg recvmsg_into", may_block.receives),
        (ssl.SSLSocket, "read unwrap", may_block.receives),
        (ssl.SSLSocket, "do_handshake", may_block.shakes_hands),
        (ssl.SSLSocket, "write send", may_block.sends_first),
        (socket, "getaddrinfo gethostbyname gethostbyname_ex gethostbyaddr", resolves),
        (select, "select", waits),
        (selectors.SelectSelector, "select", waits),
        *((getattr(selectors, name), "select", waits) for name in _SELECTORS if hasattr(selectors, name)),
        (time, "sleep", _always("sleep")),
        (subprocess.Popen, "wait", _waits(may_block.runs)),
        (concurrent.futures.Future, "result", _waits(may_block.is_pending)),
        (queue.Queue, "get", _waits(may_block.is_empty)),
        (threading.Thread, "join", _waits(may_block.lives)),
        (threading.Event, "wait", _always("over")),
    )
    return tuple(
        _KnownCall(owner, name, effect)
        for owner, names, effect in rows
        for name in names.split()
        if hasattr(owner, name)
    )


_SELECTORS = ("_PollLikeSelector", "EpollSelector", "KqueueSelector")
"""Of `selectors`; the first is private (CPython 3.11 to 3.14), and without it a wait by `PollSelector` is not seen."""

_MULTIPROCESSING = "multiprocessing.queues", "multiprocessing.connection", "multiprocessing.pool"

MODULES = (
    *("psycopg2", "psycopg.waiting", "MySQLdb.connections", *_MULTIPROCESSING),
    *driver_calls.MODULES,
    *client_calls.MODULES,
)
"""The modules besides the standard library's: once one more of them is imported, there is more to patch."""


C_DRIVERS = frozenset(
    "psycopg2 pyodbc pymssql cx_Oracle ibm_db _mysql MySQLdb pycurl cimpl confluent_kafka turbodbc "
    "adbc_driver_manager _ldap".split()
)
"""Top-level packages with classes in C that talk to a server (`cimpl` is confluent_kafka's): see `c_calls`."""


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
        _KnownCall(owner, name, _always("connect"))
        for owner, name in places
        if owner is not None and hasattr(owner, name)
    ]


def _drivers() -> list[_KnownCall]:
    queues, connection, pool = (sys.modules.get(name) for name in _MULTIPROCESSING)
    places = (
        (getattr(queues, "Queue", None), "get", _always("wait")),
        (getattr(queues, "SimpleQueue", None), "get", _always("wait")),
        # private; without it, only the kernel's sleep is seen
        (getattr(connection, "_ConnectionBase", None), "recv", _always("wait")),
        (getattr(pool, "AsyncResult", None), "wait", _waits(may_block.is_unready)),  # `Pool.map` waits in it
    )
    waits = [_KnownCall(owner, name, effect) for owner, name, effect in places if hasattr(owner, name)]
    return [*waits, *(_KnownCall(*each) for each in driver_calls.driver_calls())]


def _clients() -> list[_KnownCall]:
    return [
        *(
            _KnownCall(each.owner, each.name, _counted("client", each), sends=True)
            for each in client_calls.entry_points()
        ),
        *(_KnownCall(each.owner, each.name, _counted("mock", each)) for each in client_calls.mock_entry_points()),
    ]


def _counted(effect: Effect, point: client_calls.EntryPoint) -> EffectOf:
    def effect_of(*args: Any, **_: Any) -> Effect | None:
        return effect if point.counts(*args) else None

    return effect_of


def _nanoseconds(asked: object) -> int:
    return round(asked * 1e9) if isinstance(asked, int | float) else 0


def _zero(*_: object) -> int:
    return 0


def _always(effect: Effect) -> EffectOf:
    def effect_of(*_: object, **__: object) -> Effect | None:
        return effect

    return effect_of

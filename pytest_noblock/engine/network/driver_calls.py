"""The Python methods through which every call of a blocking driver goes, whatever carries its bytes.

A counter of a TCP socket cannot say which thread used the socket, and Unix sockets, UDP and sockets that a driver's own
thread uses have no counter. A driver's method that ends on the loop thread says it: the loop thread made the call.

Where a version lacks a method, only what sockets and counters show is found. The methods were seen on SQLAlchemy 2.1,
psycopg 3.3, Django 6.1, mysqlclient 2.3, oracledb 26, redis 8.1, valkey 6.2, grpc 1.85, pyzmq 27.3, dnspython 2.9, pika
1.4, kafka-python 3.0, cassandra-driver 3.30, paho-mqtt 2.2. Not seen, written by their documentation: mariadb, pylibmc,
python-ldap, the C extension of mysql-connector.
"""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pytest_noblock.engine.network.known_calls import Effect

_IN_PROCESS = frozenset({"sqlite", "duckdb", "access", "libsql"})
"""Names of SQLAlchemy's dialects (and vendors of Django's backends) whose database is a library in this process."""
_NOBLOCK_OF_ZMQ = 1
"""`zmq.NOBLOCK`, `ZMQ_DONTWAIT` in zmq.h."""


class DriverCall(NamedTuple):
    """One method of a driver."""

    owner: Any
    """The class, or the module, of which it is an attribute."""
    name: str
    effect: "Callable[..., Effect | None]"
    """What a call with these arguments does; None where it blocks nobody."""


def driver_calls() -> Iterator[DriverCall]:
    """Of the drivers that are imported."""
    for module, owner, names, effect in _DRIVERS:
        there = sys.modules.get(module)
        place = getattr(there, owner, None) if owner else there
        if place is not None:
            yield from _of(place, names, effect)
    yield from _of_sqlalchemy()


def _of(place: Any, names: str, effect: "Callable[..., Effect | None]") -> Iterator[DriverCall]:
    for name in names.split():
        if callable(getattr(place, name, None)):
            yield DriverCall(place, name, effect)


def _of_sqlalchemy() -> Iterator[DriverCall]:
    """Of `DefaultDialect`, and of the dialects that have such a method of their own."""
    base = getattr(sys.modules.get("sqlalchemy.engine.default"), "DefaultDialect", None)
    if not isinstance(base, type):
        return
    for dialect in _with_subclasses(base):
        for names, effect in _SQLALCHEMY:
            for name in names.split():
                if callable(vars(dialect).get(name)):
                    yield DriverCall(dialect, name, effect)


def _with_subclasses(base: type) -> Iterator[type]:
    """Each once: a class with two parents is a subclass of both."""
    found: dict[type, None] = {base: None}
    waiting = [base]
    while waiting:
        subclasses: list[type] = waiting.pop().__subclasses__()
        for each in subclasses:
            if each not in found:
                found[each] = None
                waiting.append(each)
    yield from found


def _query(dialect: Any = None, cursor: Any = None, *_: object, **__: object) -> "Effect | None":
    """A query of SQLAlchemy always goes to the server. For a stand-in of a test, a socket must show that it did."""
    if not _to_a_server(dialect):
        return None
    return "network" if _comes_from(cursor, getattr(dialect, "dbapi", None)) else "connect"


def _transaction(dialect: Any = None, connection: Any = None, *_: object, **__: object) -> "Effect | None":
    """To end a transaction that has not begun asks nobody, and does not sleep."""
    if not _to_a_server(dialect):
        return None
    return "exchange" if _comes_from(connection, getattr(dialect, "dbapi", None)) else "connect"


def _connection(dialect: Any = None, *_: object, **__: object) -> "Effect | None":
    return "connect" if _to_a_server(dialect) else None


def _to_a_server(dialect: Any) -> bool:
    """An asynchronous dialect awaits in a greenlet, on the loop."""
    return not getattr(dialect, "is_async", False) and getattr(dialect, "name", None) not in _IN_PROCESS


def _comes_from(made: object, driver: object) -> bool:
    """Whether a cursor or connection is of a class of the driver, or of one that is derived from it."""
    if not isinstance(driver, ModuleType):
        return False
    package = driver.__name__.partition(".")[0]
    return any(each.__module__.partition(".")[0] == package for each in type(made).__mro__)


def _of_django(wrapper: Any = None, *_: object, **__: object) -> "Effect | None":
    backend = getattr(wrapper, "db", None)
    if getattr(backend, "vendor", None) in _IN_PROCESS:
        return None
    driver = getattr(backend, "Database", None)
    return "network" if _comes_from(getattr(wrapper, "cursor", None), driver) else "connect"


def _always(*_: object, **__: object) -> "Effect | None":
    return "network"


def _if_seen(*_: object, **__: object) -> "Effect | None":
    return "exchange"


def _of_zmq(_socket: object = None, *args: Any, flags: Any = 0, **__: object) -> "Effect | None":
    """A call with NOBLOCK waits for nobody; `zmq.asyncio` makes only such."""
    asked = (flags, *args[:1])
    return None if any(isinstance(each, int) and each & _NOBLOCK_OF_ZMQ for each in asked) else "exchange"


def _of_poller(_poller: object = None, timeout: Any = None, *_: object, **__: object) -> "Effect | None":
    return None if timeout == 0 else "exchange"


_SQLALCHEMY: "tuple[tuple[str, Callable[..., Effect | None]], ...]" = (
    ("do_execute do_executemany do_execute_no_params", _query),
    ("do_ping do_commit do_rollback do_savepoint", _transaction),
    ("connect", _connection),
)

_DRIVERS: "tuple[tuple[str, str, str, Callable[..., Effect | None]], ...]" = (
    ("psycopg.cursor", "Cursor", "execute executemany", _always),
    ("psycopg", "ServerCursor", "execute", _always),
    ("psycopg", "Connection", "wait", _if_seen),
    ("django.db.backends.utils", "CursorWrapper", "execute executemany callproc", _of_django),
    ("MySQLdb.connections", "Connection", "query commit rollback ping", _always),
    ("mysql.connector.connection_cext", "CMySQLConnection", "cmd_query cmd_ping commit rollback", _always),
    ("mysql.connector.connection_cext", "CMySQLConnection", "_open_connection", _if_seen),
    ("mariadb.cursors", "Cursor", "execute executemany callproc", _always),
    ("oracledb.cursor", "Cursor", "execute executemany callproc fetchone fetchmany fetchall", _if_seen),
    ("oracledb.connection", "Connection", "commit rollback ping", _if_seen),
    ("redis.connection", "AbstractConnection", "read_response", _always),
    ("valkey.connection", "AbstractConnection", "read_response", _always),
    ("grpc._channel", "_UnaryUnaryMultiCallable", "__call__ with_call", _always),
    ("grpc._channel", "_StreamUnaryMultiCallable", "__call__ with_call", _always),
    ("grpc._channel", "_MultiThreadedRendezvous", "_next result", _if_seen),
    ("grpc._channel", "_SingleThreadedRendezvous", "_next result", _if_seen),
    ("zmq.sugar.socket", "Socket", "recv recv_into", _of_zmq),
    ("zmq.sugar.poll", "Poller", "poll", _of_poller),
    ("dns.query", "", "udp tcp tls https", _always),
    ("pika.adapters.blocking_connection", "BlockingConnection", "_flush_output", _if_seen),
    ("kafka.producer.future", "FutureRecordMetadata", "get", _if_seen),
    ("cassandra.cluster", "ResponseFuture", "result", _if_seen),
    ("paho.mqtt.client", "MQTTMessageInfo", "wait_for_publish", _if_seen),
    ("pylibmc.client", "Client", "get set get_multi set_multi delete incr decr add replace", _always),
    ("ldap.ldapobject", "SimpleLDAPObject", "result4 search_ext_s simple_bind_s", _if_seen),
)
"""Module, class ("" for a function of the module), methods, and what a call of one does.

This table answers: which call of a driver that ends on the loop thread was a round trip? See `known_calls` for the
other tables of calls.
"""

_DIALECTS = (
    "postgresql._psycopg_common postgresql.psycopg2 mysql.mysqldb mysql.pymysql mysql.mysqlconnector mssql.base "
    "mssql.pyodbc oracle.cx_oracle"
)
"""Modules of `sqlalchemy.dialects` whose classes have such methods of their own. An engine that is made imports its."""

MODULES = (
    "sqlalchemy.engine.default",
    *(f"sqlalchemy.dialects.{name}" for name in _DIALECTS.split()),
    *dict.fromkeys(module for module, *_ in _DRIVERS),
)
"""The modules of this table: once one more of them is imported, there is more to patch."""

"""Which call of a driver makes a round trip, by its arguments."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from pytest_noblock.engine.network import driver_calls as module
from pytest_noblock.engine.network.driver_calls import driver_calls


def driver(name: str, **contents: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(contents)
    return made


def cursor_of(package: str) -> object:
    return type("Cursor", (), {"__module__": f"{package}.cursors"})()


def dialect(name: str = "postgresql", *, is_async: bool = False, dbapi: object = None) -> SimpleNamespace:
    return SimpleNamespace(name=name, is_async=is_async, dbapi=dbapi or driver("fastdb.dbapi"))


@pytest.mark.parametrize(
    ("asked", "cursor", "effect"),
    [
        (dialect(), cursor_of("fastdb"), "network"),
        (dialect(), type("Own", (type(cursor_of("fastdb")),), {"__module__": "shop"})(), "network"),
        (dialect(), cursor_of("shop"), "connect"),
        (dialect(dbapi=SimpleNamespace()), cursor_of("fastdb"), "connect"),
        (dialect("sqlite"), cursor_of("fastdb"), None),
        (dialect(is_async=True), cursor_of("fastdb"), None),
    ],
    ids=["of the driver", "derived", "a stand-in", "a stand-in for the driver", "in this process", "awaited"],
)
def test_a_query_of_sqlalchemy(asked, cursor, effect):
    assert module._query(asked, cursor, "select 1") == effect


def test_the_end_of_a_transaction_must_show_that_it_asked_the_server():
    assert module._transaction(dialect(), cursor_of("fastdb")) == "exchange"
    assert module._transaction(dialect(), object()) == "connect"
    assert module._transaction(dialect("sqlite"), object()) is None
    assert module._transaction(dialect(is_async=True)) is None


def test_a_connection_that_is_opened_shows_in_its_socket():
    assert module._connection(dialect()) == "connect"
    assert module._connection(dialect("sqlite")) is module._connection(dialect(is_async=True)) is None


def test_the_dialects_that_have_the_method_of_their_own(monkeypatch):
    class DefaultDialect:
        def do_execute(self):
            pass

        def do_ping(self):
            pass

    class Derived(DefaultDialect):
        def do_ping(self):
            pass

    class Twice(Derived, DefaultDialect):
        def do_execute(self):
            pass

    monkeypatch.setitem(
        sys.modules, "sqlalchemy.engine.default", driver("sqlalchemy.engine.default", DefaultDialect=DefaultDialect)
    )
    found = {(each.owner, each.name) for each in driver_calls()}
    assert {
        (DefaultDialect, "do_execute"),
        (DefaultDialect, "do_ping"),
        (Derived, "do_ping"),
        (Twice, "do_execute"),
    } <= found
    assert (Derived, "do_execute") not in found


def test_sqlalchemy_is_not_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy.engine.default", None)
    assert not [each for each in driver_calls() if "Dialect" in getattr(each.owner, "__name__", "")]


def test_a_cursor_of_django():
    def wrapper(vendor, cursor):
        return SimpleNamespace(cursor=cursor, db=SimpleNamespace(vendor=vendor, Database=driver("fastdb")))

    assert module._of_django(wrapper("postgresql", cursor_of("fastdb"))) == "network"
    assert module._of_django(wrapper("postgresql", cursor_of("django"))) == "connect"
    assert module._of_django(wrapper("sqlite", cursor_of("sqlite3"))) is None


@pytest.mark.parametrize(
    ("args", "kwargs", "effect"),
    [
        ((), {}, "exchange"),
        ((0,), {}, "exchange"),
        ((1,), {}, None),
        ((), {"flags": 1}, None),
        ((bytearray(1),), {"flags": 1}, None),
        ((bytearray(1),), {}, "exchange"),
    ],
)
def test_zmq_with_and_without_noblock(args, kwargs, effect):
    assert module._of_zmq(object(), *args, **kwargs) == effect


def test_a_poller_of_zmq_that_only_looks():
    assert module._of_poller(object(), 0) is None
    assert module._of_poller(object(), 100) == module._of_poller(object()) == "exchange"


def test_a_method_that_a_version_lacks_is_left_out(monkeypatch):
    class Cursor:
        def execute(self):
            pass

    monkeypatch.setitem(sys.modules, "mariadb.cursors", driver("mariadb.cursors", Cursor=Cursor))
    assert [each.name for each in driver_calls() if each.owner is Cursor] == ["execute"]


def test_a_function_of_a_module(monkeypatch):
    query = driver("dns.query", udp=lambda: None, tcp=lambda: None)
    monkeypatch.setitem(sys.modules, "dns.query", query)
    assert [(each.name, each.effect()) for each in driver_calls() if each.owner is query] == [
        ("udp", "network"),
        ("tcp", "network"),
    ]

"""Calls of drivers in C are told where the user's code makes them; sqlite3 stands in for such a driver."""

import functools
import sqlite3
import sys
import threading
import types

import pytest

from pytest_noblock.engine.network import c_calls as module
from pytest_noblock.engine.network.c_calls import CCalls
from pytest_noblock.engine.usercode import UserCode

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no sys.monitoring")

SOURCE = """
import sqlite3

def plain(connection):
    connection.execute("select 1")  # here
    return connection.cursor()

def hidden(connection):
    def inner():
        return connection.execute("select 1").fetchone()
    return inner

class Store:
    def __init__(self, connection):
        self.connection = connection

    def save(self):
        self.connection.commit()

    @property
    def first(self):
        return self.connection.execute("select 1")

    @staticmethod
    def fails(connection):
        connection.execute("no query")

def looped(each):
    for other in each:
        other.execute("select 1")
"""


class Observer:
    def __init__(self):
        self.calls = []

    def exchange_begins(self):
        return 7

    def known_call_ended(self, name, effect, began, frame, asked, slept):
        self.calls.append((name, effect, frame.f_code.co_name, slept))


@pytest.fixture
def observers():
    return {}


@pytest.fixture
def shop(monkeypatch, tmp_path, observers):
    """A module of the user's whose calls are covered."""
    file = tmp_path / "shop.py"
    shop = types.ModuleType("shop")
    shop.__file__ = str(file)
    exec(compile(SOURCE, str(file), "exec"), vars(shop))
    shop.wrapped = functools.partial(shop.plain)
    monkeypatch.setitem(sys.modules, "shop", shop)
    monkeypatch.setattr(module, "C_DRIVERS", {"sqlite3", "_sqlite3"})
    calls = CCalls(observers)
    calls.cover(UserCode(str(tmp_path)))
    shop.calls = calls
    yield shop
    calls.give_back()


@pytest.fixture
def seen(observers):
    """What this thread is seen to call: class and method, effect, function of the caller, sleeps before."""
    observers[threading.get_ident()] = observer = Observer()
    return observer.calls


@pytest.fixture
def connection():
    with sqlite3.connect(":memory:") as connection:
        yield connection
    connection.close()


def test_a_query_is_a_round_trip_and_all_else_may_be_one(shop, seen, connection):
    shop.plain(connection)
    shop.Store(connection).save()
    assert seen == [("Connection.execute", "network", "plain", 0), ("Connection.commit", "exchange", "save", 7)]


def test_nested_functions_methods_and_properties(shop, seen, connection):
    shop.hidden(connection)()
    _ = shop.Store(connection).first
    assert [(name, function) for name, _effect, function, _ in seen] == [
        ("Connection.execute", "inner"),
        ("Cursor.fetchone", "inner"),
        ("Connection.execute", "first"),
    ]


def test_a_call_that_raises_has_ended_too(shop, seen, connection):
    with pytest.raises(sqlite3.OperationalError):
        shop.Store.fails(connection)
    shop.plain(connection)
    assert [function for _, _, function, _ in seen] == ["fails", "plain"]


def test_one_place_that_calls_now_this_and_now_that(shop, seen, connection):
    class Other:
        def execute(self, query):
            pass

    shop.looped([Other(), connection, Other(), connection])
    assert [name for name, *_ in seen] == ["Connection.execute"] * 2


def test_another_thread_and_a_thread_that_nobody_observes(shop, observers, connection):
    observers[0] = observer = Observer()
    shop.plain(connection)
    assert observer.calls == []


def test_what_is_imported_later_is_covered_later(shop, seen, connection, monkeypatch, tmp_path):
    later = types.ModuleType("later")
    later.__file__ = str(tmp_path / "later.py")
    exec(compile("def late(connection):\n    connection.execute('select 1')", later.__file__, "exec"), vars(later))
    later.late(connection)
    assert seen == []
    monkeypatch.setitem(sys.modules, "later", later)
    shop.calls.cover(UserCode(str(tmp_path)))
    later.late(connection)
    assert [function for _, _, function, _ in seen] == ["late"]


def test_nothing_stays(shop, seen, connection):
    tool = shop.calls._tool
    shop.calls.give_back()
    shop.calls.give_back()
    shop.plain(connection)
    assert seen == []
    assert sys.monitoring.get_tool(tool) is None


def test_it_comes_back(shop, seen, connection, tmp_path):
    shop.calls.give_back()
    shop.calls.cover(UserCode(str(tmp_path)))
    shop.plain(connection)
    assert len(seen) == 1


def test_all_tools_are_taken(shop, seen, connection, tmp_path):
    shop.calls.give_back()
    taken = [tool for tool in range(6) if sys.monitoring.get_tool(tool) is None]
    for tool in taken:
        sys.monitoring.use_tool_id(tool, "somebody")
    try:
        shop.calls.cover(UserCode(str(tmp_path)))
        shop.plain(connection)
    finally:
        for tool in taken:
            sys.monitoring.free_tool_id(tool)
    assert seen == []


def test_an_object_that_answers_for_everything_is_not_asked(shop, tmp_path):
    class Proxy:
        def __getattribute__(self, name):
            raise RuntimeError(name)

    shop.proxy = Proxy()
    assert list(module._codes_of(shop))


def test_psycopg2_in_asynchronous_mode_blocks_nobody():
    assert module._is_asynchronous(types.SimpleNamespace(connection=types.SimpleNamespace(async_=1)))
    assert not module._is_asynchronous(types.SimpleNamespace(connection=types.SimpleNamespace(async_=0)))
    assert not module._is_asynchronous(object())

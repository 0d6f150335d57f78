"""Which round trips are a step's own, and when sockets are scanned at all."""

from types import SimpleNamespace

import pytest

from pytest_noblock.engine.network import round_trips as module
from pytest_noblock.engine.network.round_trips import RoundTrips, StepTrips
from pytest_noblock.model.segment import SocketExchange

ONE = SocketExchange("127.0.0.1:5432", 10, 20)
TWO = SocketExchange("127.0.0.1:6379", 3, 4)
US = 1_000


class Table:
    """Scans that find what they are told to, and are noted."""

    def __init__(self):
        self.scans = []
        self.found = []

    def _scanned(self, name):
        self.scans.append(name)
        found, self.found = self.found, []
        return found

    def scan_known(self):
        return self._scanned("known")

    def scan_all(self, since=None):
        return self._scanned("all" if since is None else f"all since {since // US} us")

    def rebase_known(self):
        self.found = []
        self.scans.append("rebase")
        return True


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def exactly(monkeypatch):
    """What the other threads have burned by now, those included that are on a processor."""
    burned = SimpleNamespace(ns=0)
    monkeypatch.setattr(module, "others_exactly", lambda: burned.ns)
    return burned


@pytest.fixture
def trips(table, exactly):
    """In the middle of a quiet run: no other thread has burned anything."""
    trips = RoundTrips(table)
    trips.begin_step(0)
    table.scans.clear()
    return trips


def reading(wall=0, cpu=0, switches=0, others=0):
    return wall, cpu, b"", switches, cpu + others


START = reading()
SHORT = reading(wall=100 * US, cpu=50 * US)


def test_a_round_trip_is_the_steps_own_where_other_threads_were_quiet(table, trips):
    table.found = [ONE]
    assert trips.end_step(START, SHORT, others=10 * US, called=False) == StepTrips(1, 0, (ONE,))


def test_a_round_trip_is_doubtful_where_another_thread_burned(table, trips):
    table.found = [ONE]
    assert trips.end_step(START, SHORT, others=11 * US, called=False) == StepTrips(0, 1, (ONE,))


def test_a_thread_that_is_on_a_processor_all_the_time_seems_quiet_to_the_clock_of_the_process(table, trips, exactly):
    table.found = [ONE]
    exactly.ns = 60 * US
    assert trips.end_step(START, SHORT, others=0, called=False) == StepTrips(0, 1, (ONE,))


def test_a_thread_that_ran_while_the_sockets_were_read_may_have_used_them_then(table, trips, exactly):
    trips.stale = True
    trips.begin_step(100 * US)
    table.found = [ONE]
    exactly.ns = 160 * US
    start, end = reading(others=160 * US), reading(wall=100 * US, cpu=50 * US, others=160 * US)
    assert trips.end_step(start, end, others=0, called=False) == StepTrips(0, 1, (ONE,))


def test_a_step_without_any(table, trips):
    assert trips.end_step(START, SHORT, others=0, called=False) == StepTrips(0, 0)


def test_what_was_counted_during_the_step_is_told_at_its_end_and_forgotten(table, trips):
    table.found = [ONE]
    assert trips.count_now() == 1
    assert trips.count_now() == 1
    table.found = [TWO]
    assert trips.opened(7 * US)
    assert trips.end_step(START, SHORT, others=0, called=False) == StepTrips(2, 0, (ONE, TWO))
    assert trips.end_step(START, SHORT, others=0, called=False) == StepTrips(0, 0)
    assert table.scans == ["known", "known", "all since 7 us", "known", "known"]


@pytest.mark.parametrize(
    ("end", "called", "scan"),
    [
        (SHORT, False, "known"),
        (SHORT, True, "all since 100 us"),
        (reading(wall=300 * US, cpu=250 * US, switches=1), False, "all since 300 us"),
        (reading(wall=300 * US, cpu=250 * US), False, "known"),
        (reading(wall=300 * US, cpu=150 * US, switches=1), False, "known"),
    ],
    ids=["short", "a known call", "waited", "did not wait", "burned too little to connect"],
)
def test_only_a_step_that_may_have_opened_a_connection_looks_for_new_ones(table, trips, end, called, scan):
    trips.end_step(START, end, others=0, called=called)
    assert table.scans == [scan]


@pytest.mark.parametrize(
    ("others", "stale", "scans"),
    [
        (0, False, []),
        (5 * US, False, []),
        (6 * US, False, ["rebase"]),
        (0, True, ["rebase"]),
        (500 * US, False, ["rebase"]),
        (501 * US, False, ["all"]),
    ],
)
def test_a_step_begins_with_a_scan_where_others_may_have_sent(table, trips, others, stale, scans):
    trips.stale = stale
    assert trips.begin_step(others) is bool(scans)
    assert table.scans == scans
    assert not trips.stale


def test_others_are_counted_from_the_last_scan(table, trips):
    trips.end_step(START, reading(others=100 * US), others=0, called=False)
    table.scans.clear()
    assert not trips.begin_step(105 * US)
    assert trips.begin_step(106 * US)
    assert table.scans == ["rebase"]


def test_without_a_table_nothing_is_known():
    trips = RoundTrips(None)
    assert not trips.begin_step(10**9)
    assert trips.count_now() == 0
    assert not trips.opened(10**9)
    assert trips.end_step(START, SHORT, others=0, called=True) == StepTrips(0, 0)

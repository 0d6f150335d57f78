"""Which threads explain nothing of a sleep, because they go on when the requests are over: tables of literals."""

import threading

import pytest

from pytest_noblock.engine.steps import going_on
from pytest_noblock.model.segment import BesideIt, Segment

MS = 1_000_000
WORKER, POLLER = 2, 3
ASLEEP = 180
"""Ms."""

QUEUED = {WORKER: BesideIt(WORKER, 6 * MS, 6 * MS, 0.05), POLLER: BesideIt(POLLER, 0, 160 * MS, 0.004)}


def segment(*threads, asleep=ASLEEP):
    at_most = max((each.at_most for each in threads), default=0)
    return Segment(
        1, 0, asleep * MS, 0, 0, 0, 1, 0, 0, 0, others_queued=0, others_may_have_queued=at_most, beside=threads
    )


@pytest.fixture
def clocks(monkeypatch):
    """`clocks(poller=..., worker=...)`: the CPU (us) of each look; the last one stays. A list of the looks so far."""
    looks = []

    def script(**cpu):
        by_native = {{"worker": WORKER, "poller": POLLER}[name]: values for name, values in cpu.items()}
        clock = {native: iter(values) for native, values in by_native.items()}
        latest = {}

        def cpu_of(native):
            latest[native] = next(clock[native], latest.get(native)) if native in clock else None
            return None if latest[native] is None else latest[native] * 1000

        monkeypatch.setattr(going_on, "cpu_of", cpu_of)
        monkeypatch.setattr(going_on, "sleep", looks.append)
        monkeypatch.setattr(going_on, "now", lambda: sum(round(1e9 * each) for each in looks))
        return looks

    return script


def explained(*threads, **options):
    """(surely, at most) in ms of the one segment."""
    [(found, step)] = going_on.without([(segment(*threads, **options), 7)], 20 * MS)
    assert step == 7
    return found.others_queued / MS, found.others_may_have_queued / MS


def test_what_goes_on_explains_nothing_and_the_worker_that_has_nothing_to_do_stays(clocks):
    clocks(poller=range(0, 10_000, 60), worker=[5])
    assert explained(QUEUED[WORKER], QUEUED[POLLER]) == (6, 6)


def test_nothing_explains_a_sleep_beside_a_thread_that_goes_on(clocks):
    clocks(poller=range(0, 10_000, 60))
    assert explained(QUEUED[POLLER]) == (0, 0)


@pytest.mark.parametrize(
    "cpu",
    [
        [0],  # it waits for work
        [0, 300, 350],  # it ends its last work
        [0, None],  # it has ended
        [0, *range(0, 100, 5)],  # it asks for work now and then: a small part of what it did in the step
    ],
)
def test_a_worker_of_the_requests_makes_the_doubt_that_it_made(clocks, cpu):
    clocks(worker=cpu)
    assert explained(BesideIt(WORKER, 100 * MS, 160 * MS, 0.05)) == (100, 160)


def test_where_no_thread_runs_nobody_waits_for_long(clocks):
    looks = clocks(worker=[5], poller=[5])
    assert explained(QUEUED[WORKER], QUEUED[POLLER]) == (0, 160)
    assert len(looks) < 10


@pytest.mark.parametrize(("threads", "asleep"), [((), 180), ((QUEUED[POLLER],), 19)])
def test_nobody_waits_where_nothing_is_in_doubt(clocks, threads, asleep):
    looks = clocks(poller=range(0, 10_000, 60))
    before = [(segment(*threads, asleep=asleep), 7)]
    assert (going_on.without(before, 20 * MS), looks) == (before, [])


def test_the_thread_that_asks_is_none_of_them(clocks):
    asking = threading.get_native_id()
    assert explained(BesideIt(asking, 0, 160 * MS, 0.0)) == (0, 160)

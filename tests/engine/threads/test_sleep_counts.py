"""How often other threads have gone to sleep since the watchdog's last wake."""

import threading
from collections import Counter

import pytest

from pytest_noblock.engine.steps.python_threads import Marks
from pytest_noblock.engine.threads import sleep_counts
from pytest_noblock.engine.threads.sleep_counts import SleepCounts


class Kernel:
    """What it tells of two threads: CPU time (ns) and sleeps; and how often it was asked."""

    def __init__(self):
        self.one, self.other = threading.Thread(), threading.Thread()
        self.one._native_id, self.other._native_id = 1, 2
        self.cpu, self.sleeps, self.asked = {self.one: 10}, {1: 5}, Counter()

    def sleeps_of(self, native):
        self.asked[native] += 1
        return self.sleeps.get(native)

    def marks(self):
        return Marks(0, dict(self.cpu), 0, 0, 0)

    def runs(self, thread, *, sleeps, ns=10):
        self.cpu[thread] = self.cpu.get(thread, 0) + ns
        self.sleeps[thread.native_id] = self.sleeps.get(thread.native_id, 0) + sleeps


@pytest.fixture
def kernel(monkeypatch):
    kernel = Kernel()
    monkeypatch.setattr(sleep_counts, "sleeps_of", kernel.sleeps_of)
    return kernel


@pytest.fixture
def counts():
    return SleepCounts()


def test_the_sleeps_since_the_last_count(kernel, counts):
    counts.begin(kernel.marks())
    kernel.runs(kernel.one, sleeps=9)
    assert counts.since(kernel.one) is None  # it lived before
    counts.count(kernel.marks())
    kernel.runs(kernel.one, sleeps=3)
    assert counts.since(kernel.one) == 3
    counts.count(kernel.marks())
    assert counts.since(kernel.one) == 0


def test_of_one_that_has_begun_since_all_count_and_of_one_that_has_ended_nobody_knows(kernel, counts):
    counts.begin(kernel.marks())
    kernel.runs(kernel.other, sleeps=4)
    assert counts.since(kernel.other) == 4
    del kernel.sleeps[2]
    assert counts.since(kernel.other) is None
    assert counts.since(None) is None


def test_who_has_not_run_since_is_not_asked_again(kernel, counts):
    counts.begin(kernel.marks())
    kernel.runs(kernel.one, sleeps=1)
    for _ in range(3):
        counts.count(kernel.marks())
    assert kernel.asked == {1: 1}


def test_at_a_wake_those_are_asked_that_computed_most_and_the_sleeps_of_others_add_up(kernel, counts, monkeypatch):
    monkeypatch.setattr(sleep_counts, "_MOST_AT_ONCE", 1)
    counts.begin(kernel.marks())
    kernel.runs(kernel.one, sleeps=0, ns=30)
    kernel.runs(kernel.other, sleeps=7, ns=20)
    counts.count(kernel.marks())
    assert (counts.since(kernel.one), counts.since(kernel.other)) == (0, 7)
    kernel.runs(kernel.one, sleeps=2, ns=10)
    counts.count(kernel.marks())  # now the other one has computed more that is not counted
    assert (counts.since(kernel.one), counts.since(kernel.other)) == (2, 0)


@pytest.mark.parametrize("begins", [True, False])
def test_where_nobody_read_the_threads_nobody_knows(kernel, counts, begins):
    if begins:
        counts.begin(kernel.marks())
        counts.count(None)
    assert counts.since(kernel.one) is None
    counts.count(kernel.marks())
    assert counts.since(kernel.one) is None  # it lived before

"""What a step is not charged for: our own work, imports, collections that fall due."""

import time

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.steps.deductions import Deductions

MS = 1_000_000


def burn(ms):
    end = time.thread_time_ns() + ms * MS
    while time.thread_time_ns() < end:
        pass


class QueuedClock(PortableClock):
    """Whose thread has queued so long."""

    queued = 0

    def delay(self):
        return b"0 %d 0" % self.queued


@pytest.fixture
def clock():
    return QueuedClock()


@pytest.fixture
def out(clock):
    return Deductions(clock)


def test_our_own_work_is_taken_out_in_all_its_parts(out, clock):
    with out.excluded():
        burn(5)
        time.sleep(0.005)
        clock.queued += 3 * MS
    assert out.cpu >= 5 * MS
    assert out.wall >= 10 * MS
    assert out.queued == 3 * MS
    assert out.imported == 0
    assert out.used


def test_nested_work_counts_once(out):
    with out.excluded():
        with out.excluded():
            burn(5)
        inner = out.wall
        burn(5)
    assert inner == 0
    assert 10 * MS <= out.cpu <= out.wall
    assert not out.excluding


def test_work_that_raises_is_taken_out_all_the_same(out):
    def fails():
        with out.excluded():
            time.sleep(0.005)
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        fails()
    assert out.wall >= 5 * MS
    assert not out.excluding


def test_an_import_is_kept_apart_once(out):
    with out.importing("shop"):
        time.sleep(0.005)
        with out.importing("prices"):
            time.sleep(0.005)
    with out.importing("desk", again=True):
        pass
    assert out.imported_again == out.modules[-1][1] > 0
    assert out.imported >= 10 * MS
    assert [module for module, _took in out.modules] == ["shop", "desk"]
    assert sum(took for _module, took in out.modules) == out.imported
    assert out.imported - out.wall < MS  # not 15, as both together


def test_a_collection_that_falls_due_is_taken_out(out):
    out.collection("start")
    burn(5)
    assert out.collected == 0
    out.collection("stop")
    assert out.collected >= 5 * MS
    assert out.used


def test_a_collection_within_our_own_work_counts_once(out):
    with out.excluded():
        out.collection("start")
        burn(5)
        out.collection("stop")
    assert out.cpu >= 5 * MS
    assert out.collected == 0


def test_the_next_step_begins_with_nothing(out):
    with out.importing("shop"):
        burn(1)
    out.collection("start")
    out.collection("stop")
    out.reset()
    assert (out.wall, out.cpu, out.queued, out.collected, out.imported, out.used) == (0, 0, 0, 0, 0, False)
    assert out.modules == ()

"""How many such requests one worker can serve: tables of literals."""

import pytest

from pytest_noblock.judge.capacity import scarcest, shares, words
from pytest_noblock.model.concurrency import PoolUse
from pytest_noblock.model.observation import THREADS, Exchange, Observation
from tests.report.golden_checks import CHECKS

MS = 1_000_000
EXECUTOR = "the default executor"
GIL = CHECKS["gil"].findings
KEPT = GIL[0].blocked_ns


def seen(copies, *uses):
    return Observation("full", tuple(Exchange(n, "GET", "/", sent=0) for n in range(1, copies + 1)), uses=uses)


@pytest.mark.parametrize(
    ("uses", "copies", "told", "scarce"),
    [
        ([PoolUse(THREADS, 40, 510 * MS)], 1, "40 tokens / 0.51 s = 78 requests per second", 510 * MS // 40),
        ([PoolUse(THREADS, 40, 1020 * MS)], 2, "40 tokens / 0.51 s = 78 requests per second", 510 * MS // 40),
        ([PoolUse(EXECUTOR, 6, 100 * MS)], 1, "6 threads / 0.1 s = 60 requests per second", 100 * MS // 6),
        ([PoolUse(THREADS, 40, 4 * MS)], 1, None, 0),  # looks 5 ms apart cannot tell
        ([], 1, None, 0),
    ],
)
def test_what_threads_allow(uses, copies, told, scarce):
    taken = shares(seen(copies, *uses))
    assert (words(taken), scarcest(taken)) == (told, scarce)


def test_the_scarcest_counts_and_all_are_told():
    taken = shares(seen(1, PoolUse(THREADS, 40, 800 * MS)), 300 * MS)
    assert words(taken) == "40 tokens / 0.8 s = 50 requests per second, 1 event loop / 0.3 s = 3.3 requests per second"
    assert scarcest(taken) == 0  # the loop is
    assert scarcest(shares(seen(1, PoolUse(THREADS, 40, 800 * MS)), 2 * MS)) == 20 * MS


def test_the_time_that_a_thread_keeps_the_gil_is_the_loops_as_well():
    taken = shares(seen(1, PoolUse(THREADS, 40, 800 * MS)), 2 * MS, GIL)
    assert scarcest(taken) == KEPT + 2 * MS
    assert f"1 GIL / {KEPT / 1e9:.2g} s = " in words(taken)

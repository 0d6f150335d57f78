"""Which request had how many threads for how long, by looks of a clock that the test sets."""

import math
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.many import tokens
from pytest_noblock.model.concurrency import PoolUse

MS = 1_000_000


class PoolOf:
    """A pool; `numbers`: the exchanges that have its threads, 0 for nobody's."""

    def __init__(self, name, total):
        self.name, self.total, self.numbers = name, total, ()

    def taken(self):
        return len(self.numbers)

    def holders(self):
        return [SimpleNamespace(record=SimpleNamespace(number=each) if each else None) for each in self.numbers]


@pytest.fixture
def look(monkeypatch):
    """Looks at the pool at this moment (ms), at which these exchanges have threads."""
    clock = [0]
    monkeypatch.setattr(tokens, "now", lambda: clock[0])
    pools = PoolOf("tokens", 140), PoolOf("endless", math.inf)
    looker = tokens.Tokens(pools, 100)

    def look(at, *numbers):
        clock[0] = at * MS
        for pool in pools:
            pool.numbers = numbers
        looker.look()

    look.pools, look.looker = pools, looker
    return look


def test_each_look_is_one_interval_of_each_thread_and_the_size_is_the_apps(look):
    look(5, 7, 7, 0)
    look(10, 7, 8)
    look(15)
    look.pools[0].total = 40  # the sweep has given the threads back
    assert look.looker.uses() == (PoolUse("tokens", 40, 15 * MS, 7), PoolUse("tokens", 40, 5 * MS, 8))


def test_a_look_that_comes_late_is_one_interval_as_well(look):
    look(5, 7)
    look(305, 7)
    look(306, 7)
    assert look.looker.uses() == (PoolUse("tokens", 40, 11 * MS, 7),)

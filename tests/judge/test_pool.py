"""Whether requests took all threads of a pool: tables of literals; no loop, no thread."""

import pytest

from pytest_noblock.judge import pool
from pytest_noblock.model.concurrency import PoolReading
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import EXECUTOR, THREADS, Exchange, Observation
from pytest_noblock.model.rules import Readings

MS = 1_000_000
LIMITS = Limits(50 * MS)
LINE = (Frame("/app/main.py", 7, "report", "json.dumps", user=True),)


def seen(exchanges=1, **what):
    """What was seen beside so many copies of a request."""
    copies = tuple(
        Exchange(number, "GET", "/report", sent=0, returned=10**12, endpoint="app.report", steps=1)
        for number in range(1, exchanges + 1)
    )
    return Observation("full", copies, **what)


def reading(at, holders=(1, 1), queued=0, **more):
    given = {"span": 1, "pool": THREADS, "total": 2, "waiting": 1, "at_work": 2, "stacks": (LINE, LINE)} | more
    return PoolReading(at=at * MS, holders=holders, queued=None if queued is None else queued * MS, **given)


@pytest.mark.parametrize(
    ("readings", "held"),
    [
        ([reading(0), reading(40)], [40]),
        ([reading(0), reading(40), reading(100)], [100]),
        ([reading(0, seen_by="watchdog"), reading(40, seen_by="watchdog")], []),  # a watched test: under the limit
        ([reading(0, seen_by="watchdog"), reading(60, seen_by="watchdog")], [60]),
        ([reading(0, pool=EXECUTOR), reading(40, pool=EXECUTOR)], []),  # one request alone: under the limit
        ([reading(0, pool=EXECUTOR), reading(60, pool=EXECUTOR)], [60]),
        ([reading(0, holders=(1, 2), pool=EXECUTOR), reading(40, holders=(1, 2), pool=EXECUTOR)], [40]),
        ([reading(0), reading(9)], []),  # as long as it takes the loop to fetch the answers of quick ones
        ([reading(0), reading(200, queued=195)], []),  # the workers had no processor
        ([reading(0), reading(200, at_work=1)], []),  # one is done, and its token waits for the loop
        ([reading(0, at_work=1), reading(100), reading(130)], [30]),
        ([reading(0, holders=(1,)), reading(100, holders=(1,))], []),  # the other token was a probe's
        ([reading(0, holders=(0, 0)), reading(100, holders=(0, 0))], []),  # nothing of the request's
        ([reading(0, holders=(0, 1)), reading(100, holders=(0, 1))], [100]),
        ([reading(0, holders=(0, 0, 1), total=3), reading(100, holders=(0, 0, 1), total=3)], []),  # it got the last one
        ([reading(0), reading(20), reading(300, span=2), reading(330, span=2)], [20, 30]),
        ([reading(0, queued=None), reading(40, queued=None)], []),  # the portable meter: not under the limit
        ([reading(0, queued=None), reading(60, queued=None)], [60]),
    ],
)
def test_a_pool_is_starved_while_all_its_threads_are_at_work_for_requests(readings, held):
    found = list(pool.starved(seen(pools=tuple(readings)), LIMITS))
    assert [stall.blocked_ns // MS for stall in found] == held
    assert {(stall.kind, stall.place.frame.line) for stall in found} <= {("pool-starved", 7)}


def test_the_proof_names_shares_and_sizes():
    full = [reading(0, holders=(0, 1)), reading(100, holders=(0, 1), waiting=3)]
    (stall,) = pool.starved(seen(pools=tuple(full)), LIMITS)
    assert stall.proof == (
        "2 of 2 tokens of the thread pool taken (1 by others, 1 by app.report), 3 waiting, 2 workers at this line"
    )


def test_the_line_is_that_of_the_most_telling_stacks():
    """Tasks wait for the workers, and only the workers' line is the one to change."""
    other = (Frame("/app/main.py", 9, "report", user=True),)
    waiting = {"stacks": (other, other), "seen_in": "tasks"}
    (stall,) = pool.starved(seen(pools=(reading(0), reading(20, **waiting), reading(40, **waiting))), LIMITS)
    assert (stall.place.frame.line, stall.place.evidence) == (7, "worker")
    (stall,) = pool.starved(seen(pools=(reading(0, **waiting), reading(40, **waiting))), LIMITS)
    assert (stall.place.frame.line, stall.place.evidence) == (9, "await")
    assert stall.proof.endswith("2 tasks at this line")
    returned = {"stacks": (other,), "seen_in": "responses"}
    (stall,) = pool.starved(seen(pools=(reading(0, **returned), reading(40, **returned))), LIMITS)
    assert stall.proof.endswith("1 tasks in what it returned")


def test_it_says_which_rule_decided_and_what_it_read():
    (stall,) = pool.starved(seen(pools=(reading(0, queued=3), reading(100, queued=10))), LIMITS)
    assert (stall.rule.id, stall.readings) == ("pool-full", Readings(wall=100 * MS, queued=7 * MS, samples=2))
    (stall,) = pool.starved(seen(pools=(reading(0, queued=None), reading(100, queued=None))), LIMITS)
    assert stall.readings.queued is None

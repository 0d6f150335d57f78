"""What the readings, gaps and waits of a free loop mean: tables of literals; no loop, no thread."""

from dataclasses import replace

import pytest

from pytest_noblock.judge import contention, gil, pool
from pytest_noblock.model.concurrency import Gap, HolderSighting, PoolReading, PoolUse, Wait, Worker
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import THREADS, Exchange, Observation

MS = 1_000_000
LIMITS = Limits(50 * MS)
LINE = (Frame("/app/main.py", 7, "report", "json.dumps", user=True),)
LIBRARY = (Frame("/lib/json.py", 1, "dumps"),)


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
        ([reading(0), reading(9)], []),  # as long as it takes the loop to fetch the answers of quick ones
        ([reading(0), reading(200, queued=195)], []),  # the workers had no processor
        ([reading(0), reading(200, at_work=1)], []),  # one is done, and its token waits for the loop
        ([reading(0, at_work=1), reading(100), reading(130)], [30]),
        ([reading(0, holders=(1,)), reading(100, holders=(1,))], []),  # the other token was a probe's
        ([reading(0, holders=(0, 0)), reading(100, holders=(0, 0))], []),  # nothing of the request's
        ([reading(0, holders=(0, 1)), reading(100, holders=(0, 1))], [100]),
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


@pytest.mark.parametrize(
    ("uses", "copies", "words"),
    [
        ([PoolUse(THREADS, 40, 510 * MS)], 1, "40 tokens / 0.51 s = 78 requests per second"),
        ([PoolUse(THREADS, 40, 1020 * MS)], 2, "40 tokens / 0.51 s = 78 requests per second"),
        ([PoolUse("the default executor", 6, 100 * MS)], 1, "6 threads / 0.1 s = 60 requests per second"),
        ([PoolUse(THREADS, 40, 4 * MS)], 1, None),  # looks 5 ms apart cannot tell
        ([], 1, None),
    ],
)
def test_capacity_in_words(uses, copies, words):
    assert pool.capacity(seen(copies, uses=tuple(uses))) == words


def gap(late, switches, others, *workers, asleep=None):
    slept = late if asleep is None else asleep
    return Gap(0, late * MS, late * MS, switches, slept * MS, others * MS, workers)


BURNS = Worker(99 * MS, LINE)
FREE = (Frame("/app/main.py", 9, "sign", "hashlib.pbkdf2_hmac", user=True),)


@pytest.mark.parametrize(
    ("what", "held"),
    [
        (gap(99, 21, 99, BURNS), [99]),
        (gap(383, 40, 81, BURNS), [81]),  # beside hogs it is later, and no dearer
        (gap(99, 1, 99, BURNS), []),  # it slept, or had no processor
        (gap(99, 4, 99, BURNS), []),
        (gap(99, 21, 99, Worker(99 * MS, FREE)), []),  # that one works outside the lock
        (gap(717, 142, 202, Worker(202 * MS, LINE)), [202]),
        (gap(155, 72, 155, Worker(99 * MS, LINE), asleep=118), []),  # it had the lock, again and again
        (gap(99, 21, 99, Worker(40 * MS, LINE), Worker(39 * MS, LINE)), [40]),  # they handed it to each other
        (gap(99, 21, 99), []),  # threads that are nobody's
        (gap(99, 21, 99, Worker(99 * MS, LIBRARY, LINE)), [99]),  # named by the line that awaits it
    ],
)
def test_the_gil_was_kept_by_a_thread_that_burned_while_the_loop_woke_in_vain(what, held):
    found = list(gil.kept(seen(gaps=(what,))))
    assert [stall.blocked_ns // MS for stall in found] == held
    assert {(stall.kind, stall.place.frame.line) for stall in found} <= {("gil", 7)}


@pytest.mark.parametrize(("others", "sure"), [(99, True), (198, True), (708, False)])
def test_beside_others_that_burned_as_much_nobody_is_sure_to_have_kept_it(others, sure):
    (stall,) = gil.kept(seen(gaps=(gap(708, 139, others, BURNS),)))
    assert stall.sure == sure


def test_a_gap_after_the_request_is_nobodys():
    observation = seen(gaps=(gap(99, 21, 99, BURNS),))
    ended = observation.exchanges[0]._replace(sent=-9, returned=-5)
    assert list(gil.kept(observation._replace(exchanges=(ended,)))) == []


WAIT = Wait("/fast", 0, 100 * MS, 90 * MS, LINE, "asyncio.Lock", 1, True, False, (HolderSighting(1, 9, LINE),))


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({}, [90]),
        ({"by": 99}, []),  # another probe's step ended it
        ({"by": None}, []),  # a timer or a thread did, and they share nothing
        ({"by": None, "shared": True}, [90]),
        ({"by": None, "shared": True, "let_go": False}, []),  # the request sat there still
        ({"stack": LIBRARY}, []),  # no line of the user's waits
        ({"sightings": ()}, []),
    ],
)
def test_who_ended_the_wait_had_kept_it(changes, held):
    found = list(contention.kept_waiting(seen(waits=(replace(WAIT, **changes),))))
    assert [stall.blocked_ns // MS for stall in found] == held
    assert {(stall.kind, stall.waiter.frame.line) for stall in found} <= {("contention", 7)}


def test_what_the_probe_takes_alone_is_taken_off():
    (stall,) = contention.kept_waiting(seen(waits=(WAIT,), alone={"/fast": 30 * MS}))
    assert stall.blocked_ns == 60 * MS


def test_a_wait_for_a_thread_is_the_pools():
    assert list(contention.kept_waiting(seen(waits=(WAIT,), pools=(reading(50),)))) == []

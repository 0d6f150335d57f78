"""How full a pool is and who has its threads, read of a pool that the test fills."""

import asyncio
import math
import threading
import time
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.probing import pool_sampler
from pytest_noblock.engine.probing.pool_sampler import PoolSampler
from pytest_noblock.engine.threads.pools import Holder

MS = 1_000_000


class Pool:
    """As many tokens as it has holders are taken."""

    name = "a pool"
    total = 2

    def __init__(self):
        self.held = []
        self.queue = 0
        self.workers = []

    def taken(self):
        return len(self.held)

    def waiting(self):
        return self.queue

    def holders(self):
        return self.held

    def awaited(self):
        return self.held

    def threads(self):
        return self.workers

    def at_work(self):
        return len(self.held)

    def fill(self, *records, waiting=1):
        self.held = [Holder(record, None) for record in records]
        self.queue = waiting


def exchange():
    return LiveExchange("GET", "/")


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0)
    monkeypatch.setattr(pool_sampler, "now", lambda: clock.now)
    return clock


@pytest.fixture
def pool():
    return Pool()


@pytest.fixture
def mine():
    """The observed request."""
    return exchange()


@pytest.fixture
def probes():
    return SimpleNamespace(records=set())


@pytest.fixture
def sampler(clock, pool, mine, user, probes):
    return PoolSampler([pool], user, [mine], probes, splits_waiting=False)


@pytest.fixture
def at(clock, sampler):
    """Sample at a moment in ms."""

    def at(moment):
        clock.now = moment * MS
        return sampler.sample()

    return at


def test_an_empty_pool_is_nothing_to_speak_of(sampler, at):
    assert [at(5), at(10)] == [False, False]
    assert sampler.readings() == ()
    assert sampler.uses() == ()


def test_an_observed_request_with_a_token_is_told_from_another(pool, mine, at):
    pool.fill(exchange())
    assert not at(5)
    pool.fill(exchange(), mine)
    assert at(10)


def test_a_pool_that_is_full_and_waited_for_is_read(pool, mine, sampler, at):
    pool.fill(mine, exchange(), waiting=3)
    at(5)
    (reading,) = sampler.readings()
    assert (reading.at, reading.pool, reading.total, reading.waiting, reading.at_work) == (5 * MS, "a pool", 2, 3, 2)
    assert reading.holders == (mine.number, 0)
    assert reading.queued is None


@pytest.mark.parametrize(("records", "waiting"), [(1, 1), (2, 0)], ids=["a token is free", "nobody waits"])
def test_a_pool_that_keeps_nobody_waiting_is_not_read(pool, mine, sampler, at, records, waiting):
    pool.fill(*[mine] * records, waiting=waiting)
    at(5)
    assert sampler.readings() == ()


def test_a_probes_token_is_not_the_requests_doing(pool, mine, sampler, at, probes):
    probe = exchange()
    probes.records.add(probe)
    pool.fill(mine, probe)
    at(5)
    assert sampler.readings()[0].holders == (mine.number,)


def test_a_span_ends_where_the_pool_is_found_free(pool, mine, sampler, at):
    pool.fill(mine, mine)
    at(5)
    pool.fill(mine)
    at(10)
    pool.fill(mine, mine)
    at(15)
    assert [reading.span for reading in sampler.readings()] == [1, 2]


def test_a_full_pool_is_read_every_10_ms_and_more_rarely_later(pool, mine, sampler, at):
    pool.fill(mine, mine)
    for moment in range(5, 1000, 5):
        at(moment)
    times = [reading.at // MS for reading in sampler.readings()]
    assert times[:5] == [5, 15, 25, 35, 45]
    assert all(100 <= after - before <= 125 for before, after in zip(times[-3:], times[-2:], strict=False))


def test_use_adds_up_the_tokens_of_observed_requests(pool, mine, sampler, at):
    pool.fill(mine, mine)
    at(5)  # 2 tokens at one look of two: half of 5 ms each
    at(15)  # at both: 10 ms each
    pool.fill(mine, exchange())
    at(20)  # one at both, one at the first
    pool.fill(exchange())
    at(520)  # half of a short time, not of a long one
    (use,) = sampler.uses()
    assert (use.pool, use.total) == ("a pool", 2)
    assert use.taken == (5 + 20 + 5 + 2.5 + 2.5) * MS


def test_a_pool_without_end_has_no_limit_of_use(pool, mine, sampler, at):
    pool.total = math.inf
    pool.fill(mine)
    assert [at(5), at(10)] == [True, True]
    assert (sampler.uses(), sampler.readings()) == ((), ())


def test_the_workers_stacks_come_first(pool, mine, sampler, at):
    def works_in_user_code():
        over.wait()

    over = threading.Event()
    thread = threading.Thread(target=works_in_user_code)
    thread.start()
    try:
        pool.fill(mine, mine)
        pool.workers = [thread]
        moment = 5
        deadline = time.monotonic() + 30
        while not (found := [each for each in sampler.readings() if each.stacks]) and time.monotonic() < deadline:
            at(moment)  # the thread may not have got there
            pool.fill()
            at(moment + 1)
            pool.fill(mine, mine)
            moment += 2
    finally:
        over.set()
        thread.join()
    assert found[0].seen_in == "workers"
    assert "works_in_user_code" in {frame.function for frame in found[0].stacks[0]}


def test_then_where_the_tasks_wait(run, clock, mine, user, probes):
    async def hands_over():
        await asyncio.Event().wait()

    async def main():
        pool = Pool()
        task = asyncio.create_task(hands_over())
        await asyncio.sleep(0)
        pool.held = [Holder(mine, task), Holder(mine, task)]
        pool.queue = 1
        sampler = PoolSampler([pool], user, [mine], probes, splits_waiting=False)
        sampler.sample()
        task.cancel()
        return sampler.readings()

    (reading,) = run(main())
    assert reading.seen_in == "tasks"
    assert [[frame.function for frame in stack][-1] for stack in reading.stacks] == ["hands_over", "hands_over"]


def test_then_the_endpoints_that_made_the_responses(pool, mine, sampler, at):
    def sends_a_file():
        """Its response waits for a worker, in no line of the user's."""

    mine.scope["endpoint"] = sends_a_file
    pool.fill(mine, mine)
    at(5)
    (reading,) = sampler.readings()
    assert reading.seen_in == "responses"
    assert {(frame.function, frame.line) for stack in reading.stacks for frame in stack} == {
        ("sends_a_file", sends_a_file.__code__.co_firstlineno)
    }


def test_stacks_are_taken_ever_more_rarely(pool, mine, sampler, at):
    mine.scope["endpoint"] = exchange
    pool.fill(mine, mine)
    for moment in range(5, 95, 10):
        at(moment)
    assert [bool(reading.stacks) for reading in sampler.readings()] == [
        True,
        True,
        False,
        True,
        *[False] * 3,
        True,
        False,
    ]


def test_the_threads_that_are_waited_for_are_those_of_observed_requests(pool, mine, sampler):
    pool.fill(mine, exchange())
    assert [holder.record for holder in sampler.awaited()] == [mine]

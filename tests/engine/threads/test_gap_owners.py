"""Whose worker computed while the watchdog waited, of many requests under way."""

import threading
from contextvars import copy_context

import pytest

from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.threads import gap_workers
from pytest_noblock.engine.threads.gap_owners import GapOwners
from pytest_noblock.engine.threads.pools import Holder
from pytest_noblock.engine.threads.raw_gaps import ThreadInGap
from pytest_noblock.engine.threads.under_way import UnderWay

MS = 1_000_000


def thread(cpu, *exchanges, runs_loop=False):
    return ThreadInGap(cpu * MS, [], is_the_apps=True, runs_loop=runs_loop, exchanges=exchanges)


@pytest.fixture
def requests():
    return [UnderWay(LiveExchange("GET", f"/{each}"), 0, None) for each in range(3)]


def numbers(under_way):
    return [each.record.number for each in under_way]


def test_the_request_of_the_thread_that_computed_most_is_told_at_once(requests):
    first, second, _ = numbers(requests)
    keepers = set()
    owners = GapOwners(list, keepers, 10 * MS)
    found = owners.of([thread(300, runs_loop=True), thread(200, second), thread(100, first)], requests)
    assert (numbers(found), keepers) == ([second], {second})


@pytest.mark.parametrize(
    "threads",
    [[], [thread(200), thread(100, 1)], [thread(200, 1, 2)], [thread(300, runs_loop=True)]],
    ids="none nobodys of-two-jobs the-loop".split(),
)
def test_where_nobody_knows_whose_it_was_it_is_nobodys(requests, threads):
    keepers = set()
    assert list(GapOwners(list, keepers, 10 * MS).of(threads, requests)) == []
    assert keepers == set()


def test_who_computed_for_a_moment_is_no_keeper(requests):
    first, *_ = numbers(requests)
    keepers = set()
    assert numbers(GapOwners(list, keepers, 10 * MS).of([thread(9, first)], requests)) == [first]
    assert keepers == set()


def test_a_worker_is_known_by_its_context_or_by_its_job(requests, monkeypatch):
    """anyio's workers have the context of their call; the default executor's are known by the jobs that are awaited."""
    (one, *_), (other, *_) = requests[:1], requests[1:2]
    context = copy_context()
    context.run(CURRENT.set, one.record)
    over = threading.Event()
    workers = [threading.Thread(target=over.wait) for _ in range(3)]
    for each in workers:
        each.start()
    monkeypatch.setattr(gap_workers, "context_of", {workers[0].ident: context}.get)
    holders = [Holder(other.record, None, workers[1].ident), Holder(None, None, workers[2].ident)]
    found = GapOwners(lambda: holders, set(), 10 * MS).now()
    over.set()
    for each in workers:
        each.join()
    assert found == {workers[0].ident: (one.record.number,), workers[1].ident: (other.record.number,)}

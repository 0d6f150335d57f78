"""How full the thread pools of a loop are, and who holds their tokens."""

import asyncio
import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import pytest

from pytest_noblock.engine.exchange import LiveExchange, owned
from pytest_noblock.engine.threads import pools
from pytest_noblock.engine.threads.executor import SeesExecutor
from pytest_noblock.engine.threads.gap_workers import GapWorkers
from pytest_noblock.engine.threads.pools import ExecutorPool, TokenPool, of_running_loop


class Loop(SeesExecutor, asyncio.SelectorEventLoop):
    """A loop with jobs, as the fixture's."""


def one_token(loop):
    pool, _executor = of_running_loop()
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    return pool, anyio.to_thread.run_sync


def one_worker(loop):
    _tokens, pool = of_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    return pool, asyncio.to_thread


@pytest.fixture(params=[one_token, one_worker])
def run_pool(request):
    """Run a coroutine function of a pool with room for one, and of a function that calls in it."""

    def run_pool(main):
        async def within():
            return await asyncio.wait_for(main(*request.param(asyncio.get_running_loop())), 30)

        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(within())

    return run_pool


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def started(record, coroutine):
    with owned(record):
        return asyncio.create_task(coroutine)


def test_a_pool_that_nobody_uses(run_pool):
    async def main(pool, _call):
        assert (pool.total, pool.taken(), pool.waiting(), pool.at_work()) == (1, 0, 0, 0)
        assert pool.free()
        assert not pool.holders()

    run_pool(main)


def test_a_full_pool_has_a_holder_and_one_that_waits(run_pool):
    async def main(pool, call):
        over = threading.Event()
        record, other = LiveExchange("GET", "/"), LiveExchange("GET", "/other")
        tasks = [started(record, call(over.wait, 10))]
        await until(lambda: pool.at_work() == 1)
        tasks.append(started(other, call(over.wait, 10)))
        await until(lambda: pool.waiting() == 1)
        assert (pool.taken(), pool.at_work(), pool.free()) == (1, 1, False)
        [holder] = pool.holders()
        assert (holder.record, holder.task) == (record, tasks[0])
        [worker] = pool.threads()
        assert holder.worker in (None, worker.ident)
        over.set()
        await asyncio.wait(tasks)
        assert (pool.taken(), pool.waiting(), pool.free()) == (0, 0, True)

    run_pool(main)


def test_a_worker_that_is_done_is_awaited_until_the_loop_takes_the_answer(run_pool):
    async def main(pool, call):
        record, over = LiveExchange("GET", "/"), threading.Event()
        task = started(record, call(over.wait, 10))
        await until(lambda: pool.at_work() == 1)
        over.set()
        while pool.at_work():  # without a turn of the loop
            threading.Event().wait(0.001)
        assert [each.record for each in pool.awaited()] == [record]
        await task
        assert not pool.awaited()

    run_pool(main)


def test_a_probe_waits_for_a_token(run_pool):
    async def main(pool, call):
        over = threading.Event()
        task = asyncio.create_task(call(over.wait, 10))
        await until(lambda: pool.at_work() == 1)
        probe = asyncio.create_task(pool.probe())
        await until(lambda: pool.waiting() == 1)
        await asyncio.sleep(0.01)
        assert not probe.done()
        assert [each.task for each in pool.holders()] == [task]
        over.set()
        await asyncio.wait({task, probe})

    run_pool(main)


def test_a_probe_that_has_a_token_or_a_worker_is_no_holder(monkeypatch):
    async def main():
        tokens, executor = of_running_loop()
        limiter = anyio.to_thread.current_default_thread_limiter()
        token = pools._ProbeToken()
        await limiter.acquire_on_behalf_of(token)
        assert (tokens.taken(), tokens.holders()) == (1, [])
        limiter.release_on_behalf_of(token)
        job = asyncio.get_running_loop().run_in_executor(None, pools._nothing)
        await until(lambda: executor.taken() == 1)
        assert executor.holders() == []
        over.set()
        await job

    over = threading.Event()
    monkeypatch.setattr(pools, "_nothing", functools.partial(over.wait, 10))
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


def test_a_token_that_was_given_back_is_not_free_while_others_wait_for_it():
    async def main():
        [pool, *_] = of_running_loop()
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 1
        await limiter.acquire_on_behalf_of("first")
        others = [asyncio.create_task(limiter.acquire_on_behalf_of(each)) for each in ("second", "third")]
        await until(lambda: pool.waiting() == 2)
        limiter.release_on_behalf_of("first")
        assert not pool.free()
        for each in others:
            each.cancel()
        await asyncio.wait(others)

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


def test_a_probe_of_a_free_pool_waits_for_nothing_and_takes_no_worker(run_pool):
    async def main(pool, _call):
        await pool.probe()
        assert not pool.threads()

    run_pool(main)


def test_the_default_executor_has_no_room_before_its_first_call():
    async def main():
        pool = ExecutorPool(asyncio.get_running_loop())
        before = pool.total
        await asyncio.to_thread(int)
        return before, pool.total > 0

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == (0, True)


def test_a_loop_without_jobs_has_anyios_pool_only(run):
    async def main():
        return [type(pool) for pool in of_running_loop()]

    assert run(main()) == [TokenPool]


def test_a_step_of_trios_in_a_guest_run_has_no_pool_and_no_task_of_asyncios(run, user):
    """A look at a gap comes in such a step, where no loop of asyncio's is running."""

    async def made():
        return GapWorkers(list, user)

    workers = run(made())
    assert pools.awaited_in_own_pools() == []
    assert workers._awaiting(threading.get_ident()) == []

"""While a sweep runs, its requests do not wait for each other's threads; afterwards all is as it was."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest

from pytest_noblock.engine.asgi.own_loops import new_loop
from pytest_noblock.engine.threads.wide_pools import wide_pools


def at_once(start, count):
    """Whether so many calls can be in threads at the same time."""
    barrier = threading.Barrier(count)

    async def one():
        try:
            await start(barrier.wait, 5)
        except threading.BrokenBarrierError:
            return False
        return True

    async def all_of_them():
        return all(await asyncio.gather(*(one() for _ in range(count))))

    return all_of_them()


def test_both_pools_are_wider_in_the_block_and_as_before_after_it():
    async def main():
        limiter = anyio.to_thread.current_default_thread_limiter()
        before = limiter.total_tokens
        await asyncio.to_thread(int)
        executor = asyncio.get_running_loop()._default_executor
        with wide_pools(20):
            assert limiter.total_tokens == before + 20
            assert await at_once(asyncio.to_thread, executor._max_workers + 10)
            assert await at_once(anyio.to_thread.run_sync, int(before) + 10)
        assert limiter.total_tokens == before
        assert asyncio.get_running_loop()._default_executor is executor

    asyncio.run(main())


def test_an_executor_and_a_limit_that_the_app_sets_are_left_alone():
    async def main():
        loop = asyncio.get_running_loop()
        own = ThreadPoolExecutor(1)
        loop.set_default_executor(own)
        limiter = anyio.to_thread.current_default_thread_limiter()
        with wide_pools(20):
            assert loop._default_executor is own
            limiter.total_tokens = 3
        assert limiter.total_tokens == 3

    asyncio.run(main())


def test_an_executor_that_is_made_in_the_block_does_not_stay():
    async def main():
        with wide_pools(20):
            await asyncio.to_thread(int)
        assert asyncio.get_running_loop()._default_executor is None
        await asyncio.to_thread(int)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
@pytest.mark.parametrize("made_before", [True, False])
def test_the_loop_uses_threads_afterwards_as_before(name, made_before):
    """uvloop has an executor beside the one that it shows: the wide one stayed there, and took no call any more."""
    if name == "uvloop":
        pytest.importorskip("uvloop")

    async def main():
        if made_before:
            await asyncio.to_thread(int)
        with wide_pools(20):
            await asyncio.to_thread(int)
        return await asyncio.to_thread(lambda: "done")

    with asyncio.Runner(loop_factory=lambda: new_loop(name)) as runner:
        assert runner.run(main()) == "done"

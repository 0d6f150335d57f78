"""The jobs of a loop's default executor: begun, ended, given up."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_noblock.engine.exchange import LiveExchange, owned
from pytest_noblock.engine.threads.executor import SeesExecutor


class Loop(SeesExecutor, asyncio.SelectorEventLoop):
    """A loop with jobs."""


@pytest.fixture
def run_jobs():
    """Run a coroutine function of the loop on one that has one worker."""

    def run_jobs(main):
        with asyncio.Runner(loop_factory=Loop) as runner:
            loop = runner.get_loop()
            loop.set_default_executor(ThreadPoolExecutor(1))
            return runner.run(main(loop))

    return run_jobs


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def test_a_job_has_its_request_its_task_and_its_worker(run_jobs):
    async def main(loop):
        over = threading.Event()
        record = LiveExchange("GET", "/")
        with owned(record):
            task = asyncio.create_task(asyncio.to_thread(over.wait, 10))
        await until(lambda: any(job.begun for job in loop.jobs))
        [job] = loop.jobs
        [worker] = loop._default_executor._threads
        assert (job.record, job.task, job.worker) == (record, task, worker.ident)
        over.set()
        await task
        assert not loop.jobs
        assert not loop.unanswered

    run_jobs(main)


def test_a_job_that_has_ended_is_unanswered_until_the_loop_takes_the_answer(run_jobs):
    async def main(loop):
        given = threading.Event()
        future = loop.run_in_executor(None, given.wait)
        given.set()
        while loop.jobs:  # without a turn of the loop
            threading.Event().wait(0.001)
        assert len(loop.unanswered) == 1
        await future
        assert not loop.unanswered

    run_jobs(main)


def test_a_job_that_ended_while_it_was_given_is_answered(run_jobs):
    """From Python 3.14 on its future is done then, and whoever awaits it does not wait."""

    class AtOnce(ThreadPoolExecutor):
        def submit(self, function, /, *args, **kwargs):
            job = super().submit(function, *args, **kwargs)
            job.result()
            return job

    async def main(loop):
        with AtOnce() as pool:
            await loop.run_in_executor(pool, lambda: None)
        assert not loop.own_unanswered

    run_jobs(main)


def test_a_job_that_waits_is_forgotten_when_it_is_cancelled_and_one_that_has_begun_goes_on(run_jobs):
    async def main(loop):
        over = threading.Event()
        begun = loop.run_in_executor(None, over.wait, 10)
        await until(lambda: any(job.begun for job in loop.jobs))
        waits = loop.run_in_executor(None, over.wait, 10)
        assert [job.begun for job in sorted(loop.jobs, key=lambda job: not job.begun)] == [True, False]
        begun.cancel()
        waits.cancel()
        await asyncio.sleep(0)
        assert [job.begun for job in loop.jobs] == [True]
        assert not loop.unanswered
        over.set()
        await until(lambda: not loop.jobs)

    run_jobs(main)


def test_a_job_that_raises_has_ended(run_jobs):
    async def main(loop):
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 1, 0)
        assert not loop.jobs

    run_jobs(main)


def test_calls_in_another_executor_are_no_jobs(run_jobs):
    async def main(loop):
        with ThreadPoolExecutor(1) as other:
            over = threading.Event()
            future = loop.run_in_executor(other, over.wait, 10)
            assert not loop.jobs
            over.set()
            assert await future

    run_jobs(main)

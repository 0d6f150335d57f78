"""What a task waits for, through other tasks and through objects that show no frame."""

import asyncio
import threading
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest

from pytest_noblock.engine.exchange import LiveExchange, owned
from pytest_noblock.engine.threads import await_chains


async def leaf(future):
    await future


async def by_await(child):
    await child


async def by_gather(child):
    await asyncio.gather(child)


async def by_wait(child):
    await asyncio.wait({child})


async def by_wait_for(child):
    await asyncio.wait_for(child, 60)


async def by_asyncio_group(child):
    async with asyncio.TaskGroup() as group:
        group.create_task(by_await(child))


async def by_anyio_group(child):
    async with anyio.create_task_group() as group:
        group.start_soon(by_await, child)


@asynccontextmanager
async def waiting(waiter):
    """The task of `waiter`, the task that it waits for, and the future that the latter waits for."""
    future = asyncio.get_running_loop().create_future()
    child = asyncio.create_task(leaf(future))
    task = asyncio.create_task(waiter(child))
    await asyncio.sleep(0.01)  # a few turns
    yield task, child, future
    future.set_result(None)
    await task


def functions(frames):
    return [frame.f_code.co_name for frame in frames]


@pytest.mark.parametrize(
    "waiter",
    [by_await, by_gather, by_wait, by_wait_for, by_asyncio_group, by_anyio_group],
    ids=lambda each: each.__name__,
)
def test_the_chain_goes_through_the_tasks_that_are_awaited(run, waiter):
    async def main():
        async with waiting(waiter) as (task, child, future):
            tasks = list(await_chains.awaited_tasks(task))
            assert (tasks[0], tasks[-1]) == (task, child)
            assert functions(await_chains.frames_through_tasks(task))[0] == "leaf"
            assert waiter.__name__ in functions(await_chains.frames_through_tasks(task))
            assert await_chains.innermost_future(task) is future
            assert next(code.co_name for code, *_ in await_chains.await_chain_through_tasks(task)) == "leaf"

    run(main())


def test_a_chain_of_one_task_ends_with_it(run):
    """The twin: whose future nobody's task sets waits for no task."""

    async def main():
        async with waiting(by_await) as (_task, child, future):
            assert list(await_chains.awaited_tasks(child)) == [child]
            assert await_chains.innermost_future(child) is future
            assert functions(await_chains.coroutine_frames(child)) == ["leaf"]

    run(main())


def test_a_task_that_has_ended_is_not_waited_for(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        first, second = asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(leaf(future))
        task = asyncio.create_task(by_gather_of(first, second))
        await asyncio.sleep(0.01)
        assert first.done()
        assert await_chains.awaited_task(task) is second
        future.set_result(None)
        await task

    run(main())


async def by_gather_of(*tasks):
    await asyncio.gather(*tasks)


def test_no_task_and_one_that_runs_wait_for_no_future(run):
    async def main():
        assert await_chains.innermost_future(None) is None
        assert await_chains.innermost_future(asyncio.current_task()) is None

    run(main())


def test_tasks_that_wait_for_each_other_are_met_once(run):
    async def wait_for(number):
        await asyncio.wait({tasks[number]})

    async def main():
        tasks.extend([asyncio.create_task(wait_for(1)), asyncio.create_task(wait_for(0))])
        await asyncio.sleep(0.01)
        assert list(await_chains.awaited_tasks(tasks[0])) == tasks
        assert functions(await_chains.frames_through_tasks(tasks[0])) == ["_wait", "wait", "wait_for"] * 2
        for task in tasks:
            task.cancel()

    tasks = []
    run(main())


class Awaitable:
    def __init__(self, coroutine):
        self.coroutine = coroutine

    def __await__(self):
        return self.coroutine.__await__()


async def over_a_generator(future):
    async def items():
        yield await future

    async for _each in items():
        pass


async def over_an_object(future):
    await Awaitable(leaf(future))


@pytest.mark.parametrize(("waiter", "innermost"), [(over_a_generator, "items"), (over_an_object, "leaf")])
def test_the_chain_goes_through_what_shows_no_frame(run, waiter, innermost):
    async def main():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(waiter(future))
        await asyncio.sleep(0)
        assert functions(await_chains.coroutine_frames(task)) == [waiter.__name__, innermost]
        future.set_result(None)
        await task

    run(main())


@pytest.fixture
def release():
    """Set when the test is over, so that no worker outlives it."""
    event = threading.Event()
    yield event
    event.set()


def sits(begun, release):
    begun.set()
    release.wait()  # the worker's line


async def in_asyncio_thread(*arguments):
    await asyncio.to_thread(sits, *arguments)


async def in_anyio_thread(*arguments):
    await anyio.to_thread.run_sync(sits, *arguments)


async def beside_a_thread(*arguments):
    thread = threading.Thread(target=sits, args=arguments)
    thread.start()
    await asyncio.Event().wait()  # the request's line


@pytest.mark.parametrize(
    ("waiter", "function"),
    [(in_asyncio_thread, "sits"), (in_anyio_thread, "sits"), (beside_a_thread, "beside_a_thread")],
    ids=["asyncio", "anyio", "no worker of its own"],
)
def test_a_request_sits_at_the_line_of_its_worker_where_it_waits_for_one(run, user, release, waiter, function):
    async def main():
        begun = threading.Event()
        record = LiveExchange("GET", "/")
        with owned(record):
            record.task = asyncio.create_task(waiter(begun, release))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        frame = await_chains.where(record, user)
        release.set()
        record.task.cancel()
        await asyncio.wait({record.task})
        return frame

    thread = threading.Thread(target=lambda: frames.append(run(main())))  # the main thread's lines are the test's
    frames = []
    thread.start()
    thread.join()
    assert [frame.function for frame in frames] == [function]


def test_the_tasks_of_a_request_are_those_that_it_started_and_its_own_comes_last(run):
    async def request(future):
        child = asyncio.create_task(leaf(future))
        await child

    async def main():
        future = asyncio.get_running_loop().create_future()
        record, other = LiveExchange("GET", "/"), LiveExchange("GET", "/other")
        for each in (record, other):
            with owned(each):
                each.task = asyncio.create_task(request(future))
        await asyncio.sleep(0.01)
        child, own = await_chains.tasks_of(record)
        assert own is record.task
        assert child.get_coro().__name__ == "leaf"
        assert child not in await_chains.tasks_of(other)
        future.set_result(None)
        await asyncio.wait({record.task, other.task})

    run(main())


def test_a_task_that_shows_no_future_is_one_that_does_not_wait():
    """As where an implementation of tasks has no `_fut_waiter`."""

    class OtherTask:
        def get_coro(self):
            return None

    assert await_chains.innermost_future(OtherTask()) is None

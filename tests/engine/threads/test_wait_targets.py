"""The objects in whose methods a task waits, and what they are called."""

import asyncio

import anyio
import pytest

from pytest_noblock.engine.threads.wait_targets import describe, waited_objects
from pytest_noblock.engine.usercode import UserCode


async def waited_by(coroutine, user):
    """What a task waits for after a few turns."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0.01)
    found = waited_objects(task, user)
    task.cancel()
    await asyncio.wait({task})
    return found


def test_the_lock_that_a_task_waits_for(run, user):
    async def main():
        lock = asyncio.Lock()
        await lock.acquire()
        assert await waited_by(lock.acquire(), user) == {id(lock): "asyncio.locks.Lock"}

    run(main())


class Gate:
    """User code that waits."""

    def __init__(self):
        self.event = asyncio.Event()

    async def passed(self):
        await self.event.wait()


def test_nothing_beyond_the_innermost_user_line(run, user):
    async def main():
        gate = Gate()
        assert await waited_by(gate.passed(), user) == {id(gate.event): "asyncio.locks.Event"}

    run(main())


@pytest.mark.parametrize("create", [asyncio.TaskGroup, anyio.create_task_group])
def test_a_task_group_is_not_what_is_waited_for_but_what_its_tasks_wait_for(run, tmp_path, create):
    async def main():
        nothing = UserCode(str(tmp_path))
        gate = Gate()
        group = create()

        async def grouped():
            async with group:
                start = getattr(group, "start_soon", None) or (lambda function: group.create_task(function()))
                start(gate.passed)

        found = await waited_by(grouped(), nothing)
        assert next(iter(found.items())) == (id(gate.event), "asyncio.locks.Event")
        assert not [name for name in found.values() if name.endswith("TaskGroup")]

    run(main())


class QueuePool:
    """As SQLAlchemy's: it awaits from a sync method, in a greenlet."""

    def checkout(self, wait):
        wait()


class Session:
    def connect(self, pool, wait):
        pool.checkout(wait)


def test_a_pool_that_waits_in_a_greenlet(run, tmp_path):
    pytest.importorskip("greenlet")
    concurrency = pytest.importorskip("sqlalchemy.util.concurrency")

    def wait():
        concurrency.await_only(asyncio.Event().wait())

    async def main():
        pool = QueuePool()
        found = await waited_by(concurrency.greenlet_spawn(Session().connect, pool, wait), UserCode(str(tmp_path)))
        assert found[id(pool)].endswith(".QueuePool")
        assert not [name for name in found.values() if name.endswith(".Session")]

    run(main())


@pytest.mark.parametrize(
    ("waited", "words"),
    [
        ([], "a future"),
        (["asyncio.locks.Lock"], "asyncio.Lock"),
        (["asyncio.locks.Event", "anyio._core._synchronization.EventAdapter"], "anyio.Event"),
        (["asyncio.locks.Lock", "aiocache.base.Cache"], "asyncio.Lock of aiocache"),
        (["aiocache.base.Lock", "aiocache.base.Cache"], "aiocache.Cache"),
        (
            ["asyncio.locks.Event", "httpcore._async.AsyncConnectionPool", "httpx.AsyncClient"],
            "httpcore.AsyncConnectionPool",
        ),
        (["asyncio.locks.Event", "httpcore._async.AsyncPoolRequest", "httpcore.Other"], "asyncio.Event of httpcore"),
        (["asyncio.locks.Event", "library._PoolState", "library.Other"], "asyncio.Event of library"),
    ],
)
def test_what_a_wait_is_called(waited, words):
    assert describe(waited) == words

"""What an app leaves behind on the fixture's loop is ended, or left, in a bounded time."""

import asyncio
import threading
import time

import pytest

from pytest_noblock.engine.asgi import closing
from pytest_noblock.engine.asgi.closing import close_down
from pytest_noblock.engine.asgi.lifespan import LifespanFailed


@pytest.fixture
def closed(user, monkeypatch):
    """Let a coroutine function leave something behind on a loop of its own, then close down."""

    def closed(leaves, *, limit_s=30):
        monkeypatch.setattr(closing, "CLOSE_S", limit_s)
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(leaves())
            loop.run_until_complete(close_down(loop, user))
        finally:
            loop.close()

    return closed


def test_tasks_are_cancelled_and_generators_closed(closed):
    async def sleeps():
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0)
            ended.append("task")

    async def generates():
        try:
            yield
        finally:
            ended.append("generator")

    async def leaves():
        kept.append(asyncio.create_task(sleeps()))
        kept.append(generates())
        await anext(kept[1])
        await asyncio.sleep(0)

    kept, ended = [], []
    closed(leaves)
    assert ended == ["task", "generator"]


def test_a_task_that_ignores_its_cancellation_is_left_and_told_with_its_line(closed):
    async def stays():
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                cancelled.append(True)

    async def leaves():
        kept.append(asyncio.create_task(stays()))
        await asyncio.sleep(0)

    kept, cancelled = [], []
    with pytest.raises(LifespanFailed, match=r"^the app cannot be stopped: a task of it .* it sits at .* in stays$"):
        closed(leaves, limit_s=0.1)
    assert cancelled == [True]
    closing._left.remove(kept[0])


def test_a_thread_of_the_default_executor_is_not_waited_for(closed):
    async def leaves():
        kept.append(asyncio.ensure_future(asyncio.to_thread(gate.wait, 30)))
        while not kept[0]._coro.cr_await:
            await asyncio.sleep(0)

    kept, gate = [], threading.Event()
    began = time.monotonic()
    try:
        closed(leaves, limit_s=0.1)
        assert time.monotonic() - began < 25
    finally:
        gate.set()
        closing._left.clear()


def test_what_a_task_raises_when_it_is_cancelled_is_told_to_the_loops_handler(closed):
    async def fails():
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            raise LookupError("no") from None

    async def leaves():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        kept.append(asyncio.create_task(fails()))
        await asyncio.sleep(0)

    kept, told = [], []
    closed(leaves)
    assert [repr(each) for each in told] == ["LookupError('no')"]

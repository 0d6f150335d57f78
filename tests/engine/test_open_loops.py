"""What a loop still holds of a test's requests: noted once, when it closes or when the test ends."""

import asyncio
import contextvars

import pytest

from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.open_loops import OpenLoops
from pytest_noblock.engine.steps import closing_loops
from pytest_noblock.model.observation import LIFESPAN


@pytest.fixture(autouse=True)
def forgotten(installed):
    """A test of a watch that is never stopped may have run before."""
    before = set(closing_loops.told)
    yield
    assert closing_loops.told == before


async def forever():
    await asyncio.Event().wait()


async def leaves_a_task(record, *entered):
    """As a request does on this loop, which it entered in each of `entered`."""
    for each in entered:
        each.add(asyncio.get_running_loop())
    context = contextvars.copy_context()
    context.run(CURRENT.set, record)
    task = asyncio.get_running_loop().create_task(forever(), context=context)
    await asyncio.sleep(0)
    record.returned = record.sent
    return task


def returned(method="GET"):
    return LiveExchange(method, "/")


def endings(record):
    return [ending for ending, _frames in record.left]


def test_what_a_closing_loop_cancels_is_noted(user):
    record = returned()
    loops = OpenLoops([record], user)
    loops.start()
    asyncio.run(leaves_a_task(record, loops))
    loops.stop()
    assert endings(record) == ["cancelled"]


def test_what_goes_on_when_the_test_ends_is_noted_and_not_again_when_its_loop_closes(user):
    record = returned()
    loops = OpenLoops([record], user)
    loops.start()
    with asyncio.Runner() as runner:
        runner.run(leaves_a_task(record, loops))
        loops.stop()
        assert endings(record) == ["running"]
    assert endings(record) == ["running"]


def test_a_loop_that_ran_no_request_of_the_test_is_none_of_it(user):
    record = returned()
    loops = OpenLoops([record], user)
    loops.start()
    asyncio.run(leaves_a_task(record))
    loops.stop()
    assert endings(record) == []


def test_a_loop_that_closed_by_itself_is_not_looked_at(user):
    record = returned()
    loops = OpenLoops([record], user)
    loops.start()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # that a task is destroyed
    task = loop.run_until_complete(leaves_a_task(record, loops))
    loop.close()
    loops.stop()
    assert (endings(record), task.done()) == ([], False)


def test_tasks_of_the_lifespan_are_the_apps_own(user):
    record = returned(LIFESPAN)
    loops = OpenLoops([record], user)
    loops.start()
    asyncio.run(leaves_a_task(record, loops))
    loops.stop()
    assert endings(record) == []

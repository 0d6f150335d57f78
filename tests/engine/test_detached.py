"""What a request started and nobody awaited: waited for up to a moment, and noted where it goes on."""

import asyncio
import contextvars
import functools
import threading
import time

import pytest

from pytest_noblock.engine import detached
from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.now import now

MS = 1_000_000


@pytest.fixture
def record():
    record = LiveExchange("GET", "/")
    record.returned = record.sent
    record.scope["endpoint"] = a_timer_in_c
    return record


@pytest.fixture
def lingering(record, user, run):
    """Starts something in the record's context and lingers; returns what was done by then, and the record's notes."""

    def lingering(start, *, at_most=5_000 * MS):
        async def main():
            done = []
            context = contextvars.copy_context()
            context.run(CURRENT.set, record)
            kept = context.run(start, done)
            await detached.linger([record], now() + at_most, user)
            finished = list(done)
            detached.note_left(asyncio.get_running_loop(), [record], user, "lingered")
            del kept
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            return finished

        return run(main()), [(ending, [frame[0].co_name for frame in frames]) for ending, frames in record.left]

    return lingering


def a_task(done):
    async def child():
        await asyncio.sleep(0.01)
        done.append("child")

    async def parent():
        await asyncio.sleep(0.01)
        done.append("parent")
        kept.append(asyncio.ensure_future(child()))

    kept = [asyncio.ensure_future(parent())]
    return kept


def a_timer(done):
    asyncio.get_running_loop().call_later(0.02, lambda: done.append("timer"))


def note(done, name):
    done.append(name)


def a_partial(done):
    asyncio.get_running_loop().call_later(0.02, functools.partial(done.append, "partial"))
    asyncio.get_running_loop().call_later(0.03, functools.partial(note, done, "user's"))


def a_chain(done):
    asyncio.get_running_loop().call_soon(lambda: a_timer(done))


def a_callback_of_a_librarys_task(done):
    task = asyncio.ensure_future(asyncio.sleep(0.01))
    task.add_done_callback(lambda _task: done.append("callback"))
    return task


def a_timer_that_starts_a_timer(done):
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, loop.call_later, 0.01, note, done, "chain")


def a_timer_for_an_object(done):
    class Instance:
        def __call__(self):
            done.append("object")

    asyncio.get_running_loop().call_later(0.02, Instance())


def a_timer_in_c(done):
    asyncio.get_running_loop().call_later(0.02, done.append, "in C")


def a_timer_of_the_standard_library(done):
    event = threading.Event()
    done.append(event)
    asyncio.get_running_loop().call_later(0.02, event.set)


def a_timer_for_a_coroutine(done):
    async def child():
        done.append("coroutine")

    loop = asyncio.get_running_loop()
    loop.call_later(0.02, loop.create_task, child())


@pytest.mark.parametrize(
    ("start", "done"),
    [
        (a_task, ["parent", "child"]),
        (a_timer, ["timer"]),
        (a_partial, ["partial", "user's"]),
        (a_chain, ["timer"]),
        (a_callback_of_a_librarys_task, ["callback"]),
        (a_timer_that_starts_a_timer, ["chain"]),
        (a_timer_for_an_object, ["object"]),
        (a_timer_in_c, ["in C"]),
        (a_timer_for_a_coroutine, ["coroutine"]),
    ],
)
def test_detached_work_is_waited_for(lingering, start, done):
    assert lingering(start) == (done, [])


def a_worker(_done):
    async def worker():
        while True:
            await asyncio.sleep(0.005)

    return asyncio.ensure_future(worker())


def a_far_timer(done):
    def tick():
        done.append("tick")

    asyncio.get_running_loop().call_later(60, tick)


def a_spinning_callback(_done):
    def spin():
        asyncio.get_running_loop().call_soon(spin)

    spin()


def a_librarys_timer(_done):
    asyncio.get_running_loop().call_later(60, asyncio.get_running_loop().create_future().cancel)
    asyncio.get_running_loop().call_later(60, asyncio.Event().set)


def a_far_timer_in_c(_done):
    asyncio.get_running_loop().call_later(60, time.sleep, 0.1)


def a_cancelled_timer(done):
    asyncio.get_running_loop().call_later(60, lambda: done.append("timer")).cancel()


def a_librarys_task(_done):
    return asyncio.ensure_future(asyncio.sleep(60))


def test_a_function_of_the_standard_library_is_waited_for(lingering):
    ((event,), notes) = lingering(a_timer_of_the_standard_library)
    assert event.is_set()
    assert notes == []


@pytest.mark.parametrize(
    ("start", "noted"),
    [
        (a_worker, [("lingered", ["sleep", "worker"])]),
        (a_far_timer, [("due", ["tick"])]),
        (a_spinning_callback, [("lingered", ["spin"])]),
        (a_librarys_timer, []),
        (a_far_timer_in_c, [("due", ["a_timer_in_c"])]),
        (a_cancelled_timer, []),
        (a_librarys_task, []),
    ],
)
def test_what_goes_on_is_noted_where_it_is_the_users(lingering, start, noted):
    done, notes = lingering(start, at_most=30 * MS)
    assert not done
    assert notes == noted


def test_a_timer_that_is_due_later_is_not_waited_for(lingering):
    began = now()
    lingering(a_far_timer, at_most=20_000 * MS)
    assert now() - began < 10_000 * MS


def test_a_request_that_has_not_returned_has_left_nothing(lingering, record):
    record.returned = None
    assert lingering(a_worker, at_most=30 * MS) == ([], [])


def test_an_endpoint_that_leaves_thousands_of_tasks_leaves_few_notes(lingering):
    _done, notes = lingering(lambda done: [a_worker(done) for _ in range(1_000)], at_most=10 * MS)
    assert len(notes) == 20


def test_the_work_of_others_is_not_waited_for(user, run):
    async def main():
        other, mine = LiveExchange("GET", "/other"), LiveExchange("GET", "/")
        other.returned = mine.returned = now()
        context = contextvars.copy_context()
        context.run(CURRENT.set, other)
        task = context.run(a_worker, [])
        await detached.linger([mine], now() + 20_000 * MS, user)
        detached.note_left(asyncio.get_running_loop(), [mine], user, "running")
        task.cancel()
        return other.left + mine.left

    assert run(main()) == []

"""Waits that cannot end, by the source of the line that waits."""

import textwrap

import pytest

from pytest_noblock.judge import deadlocks
from pytest_noblock.model.frames import Frame

SOURCE = textwrap.dedent("""\
    import asyncio

    async def with_lock():
        with lock:  # with
            await asyncio.sleep(1)

    async def with_client():
        with client:  # client
            await asyncio.sleep(1)

    async def without_await():
        with lock:  # short
            count()
        await asyncio.sleep(1)

    async def acquires():
        if not lock.acquire(timeout=1):  # acquire
            return
        async with session:
            pass
        lock.release()

    async def released_before():
        lock.acquire()  # released
        lock.release()
        await asyncio.sleep(1)

    def plain():
        with lock:  # plain
            pass

    async def nested():
        with lock:  # nested
            async def later():
                await asyncio.sleep(1)

    async def own_loop():
        loop = asyncio.get_running_loop()
        future = asyncio.run_coroutine_threadsafe(later(), loop)
        return future.result()  # own

    async def a_loop():
        return asyncio.run_coroutine_threadsafe(later(), LOOP).result()  # any

    async def a_future():
        return pool.submit(work).result()  # pool
    """)
LOCK = (
    "a deadlock: whoever holds lock awaits in line {}, and can release it only when this event loop turns, which this"
    " line prevents (an asyncio.Lock instead)"
)
CORO = "it waits for a coroutine that only this event loop can run (await it instead)"


@pytest.mark.parametrize(
    ("marker", "call", "told"),
    [
        ("# with", "threading.Lock.acquire", LOCK.format(5)),
        ("# with", None, LOCK.format(5)),  # the watchdog reads no variables: it is called a lock
        ("# client", None, None),
        ("# short", "threading.Lock.acquire", None),
        ("# acquire", "threading.Lock.acquire", LOCK.format(19)),
        ("# acquire", "lock.acquire", LOCK.format(19)),
        ("# acquire", "redis.lock.Lock.do", None),
        ("# released", "threading.Lock.acquire", None),
        ("# plain", "threading.Lock.acquire", None),
        ("# nested", "threading.Lock.acquire", None),
        ("# own", "concurrent.futures.Future.result", f"a deadlock: {CORO}"),
        ("# any", "asyncio.run_coroutine_threadsafe().result", f"a deadlock where that loop is this one: {CORO}"),
        ("# pool", "concurrent.futures.Future.result", None),
        ("import asyncio", "threading.Lock.acquire", None),
    ],
)
def test_a_wait_that_cannot_end_is_called_a_deadlock(tmp_path, marker, call, told):
    file = tmp_path / "app.py"
    file.write_text(SOURCE, encoding="utf-8")
    line = next(number for number, text in enumerate(SOURCE.splitlines(), 1) if marker in text)
    assert deadlocks.told(Frame(str(file), line, "f", user=True, call=call)) == told


def test_without_a_source_nothing_is_told():
    assert deadlocks.told(None) is None
    assert deadlocks.told(Frame("/nowhere.py", 3, "f", user=True, call="threading.Lock.acquire")) is None

"""An app on trio, called by asyncio on the same thread."""

import asyncio

import pytest

from pytest_noblock.engine.asgi import closing
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.threads import trio_tasks
from pytest_noblock.engine.threads.await_chains import await_chain

trio = pytest.importorskip("trio")
from pytest_noblock.engine.asgi.trio_guest import on_trio  # noqa: E402  # it imports trio


async def nothing():
    return {"type": "http.request"}


async def send(_message):
    """Accepts it."""


async def until(is_so):
    """At most 5 s: a busy machine may let trio wait for its first tick."""
    for _ in range(500):
        if is_so():
            return
        await asyncio.sleep(0.01)


def on(app, user, use):
    async def main():
        async with on_trio(app, user) as wrapped:
            return await use(wrapped)

    return asyncio.run(main())


def test_the_app_sees_trio_and_no_loop_of_asyncios(user):
    seen = []

    async def app(_scope, receive, send):
        seen.append(trio.lowlevel.current_task().name)
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        await trio.sleep(0.001)
        seen.append(await receive())
        await send({})

    async def use(wrapped):
        await wrapped({}, nothing, send)
        assert asyncio.get_running_loop()

    on(app, user, use)
    assert len(seen) == 2


def test_receive_and_send_may_wait_on_asyncio(user):
    heard = []

    async def receive():
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return "message"

    async def refuses(message):
        await asyncio.sleep(0)
        raise OSError(message)

    async def app(_scope, receive, send):
        heard.append(await receive())
        with pytest.raises(OSError, match="gone"):
            await send("gone")

    on(app, user, lambda wrapped: wrapped({}, receive, refuses))
    assert heard == ["message"]


def test_the_context_goes_with_the_call(user):
    exchange, seen = LiveExchange("GET", "/"), []

    async def app(_scope, _receive, _send):
        async def child():
            seen.append(CURRENT.get())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    async def use(wrapped):
        CURRENT.set(exchange)
        await wrapped({}, nothing, send)

    on(app, user, use)
    assert seen == [exchange]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, StopAsyncIteration])
def test_what_the_app_raises_is_raised_and_the_run_goes_on(user, kind):
    async def app(scope, _receive, _send):
        await trio.sleep(0)
        if scope:
            raise kind("its own")

    async def use(wrapped):
        with pytest.raises(kind, match="its own"):
            await wrapped({"raises": True}, nothing, send)
        await wrapped({}, nothing, send)

    on(app, user, use)


def test_a_cancelled_call_is_cancelled_on_trio_also_where_it_waits_for_asyncio(user):
    began, ended = [], []

    async def never():
        await asyncio.Event().wait()

    async def app(scope, receive, _send):
        began.append(scope)
        try:
            await (receive() if scope else trio.sleep_forever())
        except trio.Cancelled:
            ended.append(bool(scope))
            raise

    async def use(wrapped):
        for scope in ({}, {"receives": True}):
            call = asyncio.create_task(wrapped(scope, never, send))
            await until(lambda scope=scope: scope in began)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    on(app, user, use)
    assert ended == [False, True]


def test_where_a_call_sits_shows_from_asyncio(user):
    record = LiveExchange("GET", "/")

    async def child():
        await trio.sleep_forever()

    async def app(_scope, _receive, _send):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    async def use(wrapped):
        CURRENT.set(record)
        call = asyncio.create_task(wrapped({}, nothing, send))
        await until(lambda: len(trio_tasks.chains(record)) == 2)
        assert "app" in [code.co_name for code, *_ in await_chain(call)]
        assert [[code.co_name for code, *_ in chain][-1] for chain in trio_tasks.chains(record)] == ["child", "run"]
        assert trio_tasks.left_by([record]) == []
        record.returned = 1
        assert {found for _frames, found in trio_tasks.left_by([record])} == {record}
        call.cancel()
        await asyncio.wait([call])

    on(app, user, use)
    assert trio_tasks.chains() == []


def test_a_task_that_ignores_its_cancellation_is_told(user, monkeypatch):
    monkeypatch.setattr(closing, "CLOSE_S", 0.05)
    began, release = [], []

    async def app(_scope, _receive, _send):
        began.append(True)
        with trio.CancelScope(shield=True):
            while not release:
                await trio.sleep(0.02)

    async def leaves_one(calls):
        async with on_trio(app, user) as wrapped:
            calls.append(asyncio.create_task(wrapped({}, nothing, send)))
            await until(lambda: began)

    async def main():
        calls = []
        with pytest.raises(
            LifespanFailed, match=r"did not end within 0.05 s of its cancellation, it sits at .* in app$"
        ):
            await leaves_one(calls)
        release.append(True)
        await asyncio.wait(calls)
        await until(lambda: not trio_tasks.chains())

    asyncio.run(main())

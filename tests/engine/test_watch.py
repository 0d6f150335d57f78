"""The requests of one test: every thread on which one enters an app gets a meter, once."""

import asyncio
import contextlib
import importlib
import sys
import threading
import time
import types

import httpx
import pytest

from pytest_noblock.engine.patches import unwrapped
from pytest_noblock.engine.steps import closing_loops, first_uses
from pytest_noblock.engine.steps.handles import current_meter
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.watch import Kit, RequestWatch

MS = 1_000_000


@pytest.fixture(params=["full", "portable"])
def kit(request, user):
    kit = Kit(request.param, user)
    yield kit
    kit.close()


@pytest.fixture
def watch(kit):
    watch = RequestWatch(kit, sample_after=10 * MS)
    watch.start()
    yield watch
    watch.stop()
    watch.leave()


@pytest.fixture
def app(respond):
    async def app(scope, receive, send):
        if scope["path"] == "/sleeps":
            time.sleep(0.03)
        await respond(send)

    return app


async def send(app, *paths):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        for path in paths:
            await client.get(path)


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_each_request_is_on_record_with_its_steps(watch, app):
    asyncio.run(send(app, "/one", "/two"))
    watch.stop()
    observation = watch.observation()
    assert [each.request for each in observation.exchanges] == ["GET /one", "GET /two"]
    assert all(each.steps and each.status == 200 for each in observation.exchanges)


def test_what_blocks_is_in_the_segments_of_its_request(watch, app):
    asyncio.run(send(app, "/quiet", "/sleeps"))
    watch.stop()
    quiet, sleeps = watch.records
    asleep = [each for each in watch.segments if each.off_cpu > 25 * MS]
    assert {each.exchange for each in asleep} == {sleeps.number}
    assert any(call.name == "time.sleep" for each in asleep for call in each.calls)
    assert quiet.number != sleeps.number


def test_a_long_step_has_the_watchdogs_samples(watch, app):
    asyncio.run(send(app, "/sleeps"))
    watch.stop()
    frames = {frame.function for each in watch.segments for sample in each.samples for frame in sample.stack}
    assert "app" in frames


def test_requests_of_other_threads_are_seen_and_their_meters_end_with_them(watch, app):
    for path in ("/sleeps", "/sleeps"):
        in_a_thread(lambda path=path: asyncio.run(send(app, path)))
    assert len(watch._metered) == 1  # that of the first thread was finished when the second entered
    watch.stop()
    assert len({each.exchange for each in watch.segments}) == 2
    assert len(watch._metered) == 0


def test_a_thread_keeps_its_meter(watch, app):
    async def main():
        await send(app, "/one")
        first = current_meter()
        await send(app, "/two")
        assert current_meter() is first

    asyncio.run(main())


def test_before_and_after_nothing_is_seen(kit, app):
    watch = RequestWatch(kit, 10 * MS)
    asyncio.run(send(app, "/before"))
    watch.start()
    asyncio.run(send(app, "/meanwhile"))
    watch.stop()
    asyncio.run(send(app, "/after"))
    watch.leave()
    assert [record.path for record in watch.records] == ["/meanwhile"]
    assert current_meter() is None


def test_the_patches_are_handed_over_to_the_next_watch(kit, app):
    bare = httpx.ASGITransport.handle_async_request
    first, second = RequestWatch(kit, 10 * MS), RequestWatch(kit, 20 * MS)
    first.start()
    patched = httpx.ASGITransport.handle_async_request
    first.stop()
    second.start(inherits=True)
    assert httpx.ASGITransport.handle_async_request is patched
    asyncio.run(send(app, "/second"))
    second.stop()
    second.leave()
    assert (len(first.records), len(second.records)) == (0, 1)
    assert httpx.ASGITransport.handle_async_request is bare


def test_the_loop_that_ran_is_named(watch, app):
    assert watch.loop == ""
    asyncio.run(send(app, "/"))
    assert watch.loop == "asyncio"
    assert watch.observation().loop == "asyncio"


def test_several_loops_are_all_named(watch, app):
    trio = pytest.importorskip("trio")
    in_a_thread(lambda: trio.run(send, app, "/"))
    in_a_thread(lambda: asyncio.run(send(app, "/")))
    in_a_thread(lambda: trio.run(send, app, "/"))
    assert watch.loop == "trio, asyncio"


@pytest.fixture
def child_blocks(respond):
    """An app one of whose tasks blocks, in a step of its own."""

    async def blocks():
        time.sleep(0.03)

    async def app(scope, receive, send):
        await asyncio.create_task(blocks())
        await respond(send)

    return app


def test_on_a_loop_without_handles_the_requests_tasks_are_metered(watch, child_blocks):
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send(child_blocks, "/"))
        watch.stop()
    assert watch.loop == "uvloop"
    assert any(each.off_cpu > 25 * MS for each in watch.segments)


def test_on_trio_every_step_of_the_request_is_metered(watch, respond):
    trio = pytest.importorskip("trio")

    async def app(scope, receive, send):
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        await respond(send)

    trio.run(send, app, "/")
    (exchange,) = watch.observation().exchanges
    assert exchange.steps > 10


def test_an_apps_own_package_counts_as_user_code_once_a_request_enters_it(app, monkeypatch):
    shop = types.ModuleType("noblock_shop")
    shop.__file__ = "/installed/site-packages/noblock_shop.py"
    monkeypatch.setitem(sys.modules, "noblock_shop", shop)
    app.__module__ = "noblock_shop"
    kit = Kit("portable", UserCode("/elsewhere"))
    watch = RequestWatch(kit, 10 * MS)
    watch.start()
    asyncio.run(send(app, "/"))
    watch.stop()
    watch.leave()
    kit.close()
    assert not kit.user.is_new(app)
    assert shop.__file__ in kit.user


def test_a_kit_starts_its_watchdog_once(kit, app):
    def watchdogs():
        return [thread for thread in threading.enumerate() if thread.name == "noblock watchdog"]

    before = len(watchdogs())
    for _ in range(3):
        watch = RequestWatch(kit, 10 * MS)
        watch.start()
        asyncio.run(send(app, "/"))
        watch.stop()
        watch.leave()
    assert len(watchdogs()) == before + 1


def test_a_kit_that_nobody_used_has_nothing_to_close(user):
    threads = threading.active_count()
    Kit("full", user).close()
    assert threading.active_count() == threads


def layers(function):
    """How many wrappers of ours lie on each other."""
    depth = 0
    while (inner := unwrapped(function)) is not function:
        function, depth = inner, depth + 1
    return depth


def hooks():
    return [importlib._bootstrap._find_and_load, asyncio.events.Handle._run, httpx.ASGITransport.handle_async_request]


def test_after_300_modules_there_is_one_layer_and_at_the_end_none(kit):
    """At the border of two modules the next watch begins before the last one leaves. An import in between is seen."""
    before = hooks()
    last = None
    for number in range(300):
        watch = RequestWatch(kit, sample_after=10 * MS)
        watch.start()
        if last is not None:
            last.leave()
        sys.modules.pop("this_is_imported_late", None)
        with contextlib.suppress(ImportError):
            importlib.import_module("this_is_imported_late")
        depths = [layers(each) for each in hooks()]
        assert depths == [1, 1, 1], number
        watch.stop()
        last = watch
    last.leave()
    assert hooks() == before


@pytest.mark.parametrize("inherits", [False, True])
def test_a_watch_that_cannot_start_leaves_no_patch_in(kit, monkeypatch, inherits):
    before = hooks()
    if inherits:
        last = RequestWatch(kit, sample_after=10 * MS)
        last.start()
        last.stop()
    with monkeypatch.context() as patch:
        patch.setattr(first_uses, "forget", None)
        with pytest.raises(TypeError):
            RequestWatch(kit, sample_after=10 * MS).start(inherits=inherits)
    assert hooks() == before
    assert kit.entry_points.watcher is None


def test_a_watch_that_cannot_stop_leaves_neither_meter_nor_loop_to_the_next(kit, app, monkeypatch):
    told_before = set(closing_loops.told)
    watch = RequestWatch(kit, sample_after=10 * MS)
    watch.start()
    asyncio.run(send(app, "/"))
    with monkeypatch.context() as patch:
        patch.setattr(kit.meters.watchdog, "catch_up", None)
        with pytest.raises(TypeError):
            watch.stop()
    watch.leave()
    assert current_meter() is None
    assert closing_loops.told == told_before

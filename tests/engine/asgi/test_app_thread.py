"""The runner: an app, its lifespan and its loop in a thread of their own."""

import asyncio
import contextvars
import threading
import time

import pytest

from pytest_noblock.engine.asgi import app_thread
from pytest_noblock.engine.asgi.app_thread import AppThread, LoopBlocked, LoopEnded
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.now import now


def with_lifespan(log, fail=None):
    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        for stage in ("startup", "shutdown"):
            await receive()
            log.append(stage)
            if fail == stage:
                raise ValueError(f"no {stage}")
            await send({"type": f"lifespan.{stage}.complete"})

    return app


async def without_lifespan(scope, receive, send):
    raise NotImplementedError


@pytest.fixture
def started(user):
    """A runner that has started, and is stopped at the end if the test did not."""
    runners = []

    def started(app):
        runner = AppThread(app, user)
        runners.append(runner)
        runner.start()
        return runner

    yield started
    for runner in runners:
        runner.stop()


def test_the_lifespan_frames_what_is_called_between(started):
    log = []

    async def work(word):
        log.append(word)
        return asyncio.get_running_loop()

    runner = started(with_lifespan(log))
    first = runner.call(work, "one", timeout_s=5)
    second = runner.call(work, "two", timeout_s=5)
    runner.stop()
    assert log == ["startup", "one", "two", "shutdown"]
    assert first is second


def test_an_app_without_a_lifespan_runs_as_well(started):
    async def thread():
        return threading.current_thread().name

    assert started(without_lifespan).call(thread, timeout_s=5) == "noblock app"


def test_what_a_call_raises_comes_out(started):
    async def fail():
        raise KeyError("it")

    with pytest.raises(KeyError, match="it"):
        started(without_lifespan).call(fail, timeout_s=5)


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_failing_lifespan_is_a_sentence(user, stage):
    runner = AppThread(with_lifespan([], fail=stage), user)

    def live():
        runner.start()
        runner.stop()

    with pytest.raises(LifespanFailed, match=f"^the app's lifespan {stage} failed: .*no {stage}"):
        live()
    assert not runner._thread.is_alive()


def test_the_app_sees_the_tests_context_but_not_the_name_of_its_async_library(started):
    sniffio = pytest.importorskip("sniffio")
    word = contextvars.ContextVar("word")

    async def seen():
        return word.get(), sniffio.current_async_library()

    def call():
        word.set("said")
        sniffio.current_async_library_cvar.set("trio")
        return runner.call(seen, timeout_s=5)

    runner = started(without_lifespan)
    assert contextvars.copy_context().run(call) == ("said", "asyncio")


def test_a_loop_that_is_held_is_told_with_its_stack(started):
    gate = threading.Event()

    async def hold():
        gate.wait(10)

    runner = started(without_lifespan)
    try:
        with pytest.raises(LoopBlocked) as blocked:
            runner.call(hold, timeout_s=0.1)
        assert "hold" in {frame[0].co_name for frame in blocked.value.frames}
    finally:
        gate.set()


def test_stopping_twice_is_stopping_once(started):
    log = []
    runner = started(with_lifespan(log))
    runner.stop()
    runner.stop()
    assert log == ["startup", "shutdown"]


def test_a_runner_that_has_stopped_says_so(started):
    runner = started(without_lifespan)
    runner.stop()
    with pytest.raises(RuntimeError, match="not running"):
        runner.call(asyncio.sleep, 0, timeout_s=1)


def test_a_runner_leaves_no_thread(started):
    before = threading.active_count()
    runner = started(without_lifespan)
    assert threading.active_count() > before
    runner.stop()
    assert threading.active_count() == before


def test_a_loop_that_ends_while_it_is_called_is_told(user):
    async def end():
        def exits():
            raise SystemExit(3)

        asyncio.get_running_loop().call_soon(exits)
        await asyncio.Event().wait()

    runner = AppThread(without_lifespan, user)
    runner.start()
    with pytest.raises(LoopEnded, match=r"SystemExit\(3\)"):
        runner.call(end, timeout_s=30)
    runner._thread.join(30)
    assert not runner._thread.is_alive()


def test_the_loop_goes_by_a_clock_that_no_test_freezes(started, monkeypatch):
    async def clock():
        return asyncio.get_running_loop().time()

    runner = started(without_lifespan)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    before = now() / 1e9
    assert before <= runner.call(clock, timeout_s=5) <= now() / 1e9


def slow(stage, wait):
    """An app whose stage takes 2 s: `wait` is `time.sleep` (holds the loop) or `asyncio.sleep`."""

    async def app(scope, receive, send):
        for each in ("startup", "shutdown"):
            await receive()
            if each == stage and (waiting := wait(2)):
                await waiting
            await send({"type": f"lifespan.{each}.complete"})

    return app


def from_start_to_stop(runner):
    runner.start()
    runner.stop()


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_stage_that_holds_the_loop_at_its_limit_gets_no_grace(user, monkeypatch, stage):
    """The grace is for the loop thread's own sentence; a loop that is held has none to say."""
    monkeypatch.setattr(app_thread.lifespan, "LIMIT_S", 0.2)
    monkeypatch.setattr(app_thread, "_GRACE_S", 20)
    runner = AppThread(slow(stage, time.sleep), user)
    with pytest.raises(LifespanFailed, match=rf"{stage} did not finish within 0\.2 s, it sits at .*test_app_thread"):
        from_start_to_stop(runner)
    assert not runner.usable


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_stage_that_awaits_at_its_limit_is_told_by_the_loop_itself(user, monkeypatch, stage):
    monkeypatch.setattr(app_thread.lifespan, "LIMIT_S", 0.2)
    monkeypatch.setattr(app_thread, "_GRACE_S", 20)
    runner = AppThread(slow(stage, asyncio.sleep), user)
    with pytest.raises(LifespanFailed, match=rf"{stage} did not finish within 0\.2 s, it sits at .*test_app_thread"):
        from_start_to_stop(runner)
    assert runner.usable  # the loop ended by itself


def test_the_tests_thread_looks_each_time_it_has_waited(started, monkeypatch):
    """It may have the GIL before the watchdog, right after a call in C that kept it."""
    monkeypatch.setattr(app_thread, "_LOOK_EVERY_S", 0.01)
    looks, over = [], threading.Event()

    def look_at(ident):
        looks.append(ident)
        over.set()

    async def until_seen():
        await asyncio.to_thread(over.wait, 30)

    monkeypatch.setattr("pytest_noblock.engine.instrument.look_at", look_at)
    runner = started(without_lifespan)
    runner.call(until_seen, timeout_s=30)
    assert set(looks) == {runner._thread.ident}

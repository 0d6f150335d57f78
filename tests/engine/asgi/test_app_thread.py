"""The runner: an app, its lifespan and its loop in a thread of their own."""

import asyncio
import threading

import pytest

from pytest_noblock.engine.asgi.app_thread import AppThread, LoopBlocked
from pytest_noblock.engine.asgi.lifespan import LifespanFailed


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

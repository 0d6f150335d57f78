"""A call waits until the test's thread, which hands it to the loop thread, sleeps."""

import asyncio
import sys
import threading
import time

import pytest

from pytest_noblock.engine.asgi import handed_over


@pytest.mark.parametrize(("answers", "checks"), [([True], 1), ([False, False, True], 3), ([False] * 99, 20)])
def test_a_call_waits_for_its_caller_to_sleep_but_not_for_ever(monkeypatch, answers, checks):
    def sleeps(_native):
        asked.append(answers[len(asked)])
        return asked[-1]

    async def answer(word):
        return word, len(asked)

    asked = []
    monkeypatch.setattr(handed_over, "_sleeps", sleeps)
    assert asyncio.run(handed_over.once_caller_sleeps(0, answer, "it")) == ("it", checks)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says it")
def test_a_thread_that_waits_sleeps_and_one_that_runs_does_not():
    over = threading.Event()
    waiting = threading.Thread(target=over.wait)
    waiting.start()
    try:
        deadline = time.monotonic() + 30
        while not handed_over._sleeps(waiting.native_id) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert handed_over._sleeps(waiting.native_id)
        assert not handed_over._sleeps(threading.get_native_id())
    finally:
        over.set()
        waiting.join()


def test_where_the_kernel_does_not_say_nobody_is_waited_for():
    assert handed_over._sleeps(0)

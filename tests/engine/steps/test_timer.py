"""A timer rings once, when it was armed for last."""

import threading
import time

import pytest

from pytest_noblock.engine.steps import timer as module
from pytest_noblock.engine.steps.timer import PollingTimer, Timer, best_timer

MS = 1_000_000


@pytest.fixture(params=[Timer, PollingTimer])
def timer(request):
    timer = request.param()
    yield timer
    timer.close()


def test_a_timer_rings_when_it_was_armed_for(timer):
    began = time.perf_counter()
    timer.arm(20 * MS)
    timer.wait()
    assert time.perf_counter() - began > 0.015  # and it did ring


def test_arming_again_puts_it_off(timer):
    began = time.perf_counter()
    timer.arm(20 * MS)
    timer.arm(80 * MS)
    timer.wait()
    assert time.perf_counter() - began > 0.07


def test_a_thread_that_waits_is_woken(timer):
    woken = threading.Event()
    thread = threading.Thread(target=lambda: (timer.wait(), woken.set()))
    thread.start()
    assert not woken.wait(0.05)
    timer.arm(1)
    assert woken.wait(30)
    thread.join()


def test_a_disarmed_timer_does_not_ring_before_it_is_armed_again(timer):
    woken = threading.Event()
    timer.arm(10_000 * MS)
    timer.disarm()
    thread = threading.Thread(target=lambda: (timer.wait(), woken.set()))
    thread.start()
    assert not woken.wait(0.05)
    timer.arm(1)
    assert woken.wait(5)  # and not after ten seconds
    thread.join()


def test_where_the_libc_has_no_timerfd_the_timer_polls(monkeypatch):
    monkeypatch.setattr(module, "_libc", object)
    assert isinstance(best_timer(), PollingTimer)


def test_where_the_kernel_has_no_timerfd_the_timer_polls(monkeypatch):
    class Libc:
        @staticmethod
        def timerfd_create(*_):
            return -1

    monkeypatch.setattr(module, "_libc", Libc)
    assert isinstance(best_timer(), PollingTimer)

"""Which threads are read, where there are few and where there are many."""

import sys
import threading
from contextlib import contextmanager

import pytest

from pytest_noblock.engine.now import sleep
from pytest_noblock.engine.steps import thread_marks
from pytest_noblock.engine.steps.thread_marks import read_threads, sleeps_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what another thread does")


@contextmanager
def thread_that_waits():
    """A thread that computes a little each time it is told to, and what tells it."""
    go, done, ends = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def work():
        while go.acquire() and not ends.is_set():
            sum(range(100_000))
            done.release()

    def turn():
        go.release()
        done.acquire()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        turn()
        yield thread, turn
    finally:
        ends.set()
        go.release()
        thread.join()


@pytest.fixture
def read(monkeypatch):
    """The files that were read since the last call."""
    files, original = [], thread_marks._read

    def noting(path):
        files.append(path)
        return original(path)

    def since():
        paths = " ".join(files)
        files.clear()
        return paths

    monkeypatch.setattr(thread_marks, "_read", noting)
    return since


def settled(thread, monkeypatch):
    """Its last mark, once it waits for its next turn: the GIL was free, and it did not want it."""
    monkeypatch.setattr(thread_marks, "_FEW_THREADS", 1_000)
    for _ in range(1_000):
        sleep(0.005)
        mark = read_threads().threads[thread.native_id]
        if mark.state == "waits":
            return mark
    raise AssertionError("it never rests")


def test_of_many_threads_those_are_read_that_have_run(monkeypatch, read):
    with thread_that_waits() as (thread, turn):
        rests = settled(thread, monkeypatch)
        monkeypatch.setattr(thread_marks, "_FEW_THREADS", 0)
        read()
        again = read_threads()
        assert f"/{thread.native_id}/" not in read()
        assert again.threads[thread.native_id].cpu == rests.cpu
        assert again.threads[thread.native_id].state == "wants"  # nobody has asked
        assert again.before[thread.native_id] == rests
        turn()
        assert read_threads().threads[thread.native_id].cpu > rests.cpu
        assert f"/{thread.native_id}/" in read()


def test_few_threads_are_all_read(monkeypatch, read):
    with thread_that_waits() as (thread, _turn):
        settled(thread, monkeypatch)
        read()
        read_threads()
        assert f"/{thread.native_id}/" in read()


def test_more_threads_than_can_be_read_at_a_look_are_not_read(monkeypatch):
    monkeypatch.setattr(thread_marks, "_MOST_THREADS", 0)
    assert read_threads() is None


def test_how_often_a_thread_went_to_sleep():
    native = threading.get_native_id()
    before = sleeps_of(native)
    for _ in range(5):
        sleep(0.001)
    assert sleeps_of(native) - before >= 5
    assert sleeps_of(0) is None  # no thread of this process

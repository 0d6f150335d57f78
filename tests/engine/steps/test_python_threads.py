"""What the threads burned that can hold the GIL."""

import threading
import time

import pytest

from pytest_noblock.engine.exchange import LiveExchange, owned
from pytest_noblock.engine.now import now
from pytest_noblock.engine.other_threads import cpu_of
from pytest_noblock.engine.steps import python_threads
from pytest_noblock.engine.steps.python_threads import PythonThreads
from pytest_noblock.engine.steps.watchdog import Watchdog

MS = 1_000_000

pytestmark = pytest.mark.skipif(
    cpu_of(threading.get_native_id()) is None, reason="this kernel has no clock of another thread"
)


class Burner:
    """A thread that burns when it is told to, and lives on."""

    def __init__(self):
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._seconds = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        python_threads.note_start(self._thread)  # as the patch of `Thread.start` does
        self._thread.start()

    def _run(self):
        while self._go.acquire() and self._seconds >= 0:
            until = time.thread_time() + self._seconds
            while time.thread_time() < until:
                pass
            self._done.release()

    def burn(self, seconds):
        self._seconds = seconds
        self._go.release()
        self._done.acquire()

    def end(self):
        self._seconds = -1
        self._go.release()
        self._thread.join()


@pytest.fixture
def burner():
    burner = Burner()
    yield burner
    burner.end()


def test_what_a_python_thread_burned_since_the_step_began(burner):
    burner.burn(0.02)
    threads = PythonThreads()
    threads.step_begins(now())
    burner.burn(0.01)
    assert 10 * MS <= threads.burned() < 20 * MS


def test_the_loop_threads_own_cpu_and_the_watchdogs_do_not_count():
    watchdog = Watchdog(after=MS)
    try:
        threads = PythonThreads()
        threads.step_begins(now())
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        assert threads.burned() < 10 * MS
        assert watchdog._thread not in threads.marks.cpu
    finally:
        watchdog.stop()


def test_of_a_thread_that_began_since_all_counts():
    threads = PythonThreads()
    threads.step_begins(now())
    burner = Burner()
    burner.burn(0.01)
    assert threads.burned() >= 10 * MS
    burner.end()


def test_where_a_thread_has_ended_nobody_knows(burner):
    threads = PythonThreads()
    threads.step_begins(now())
    assert threads.burned() is not None
    short = Burner()
    short.end()
    assert threads.burned() is None  # it began and ended in between
    later = PythonThreads()
    later.step_begins(now())
    assert later.burned() is not None


def test_where_a_thread_that_was_marked_has_ended_nobody_knows():
    short = Burner()
    threads = PythonThreads()
    threads.step_begins(now())
    short.end()
    assert threads.burned() is None


def test_marks_are_taken_anew_only_when_they_are_old(burner):
    threads = PythonThreads()
    moment = now()
    threads.step_begins(moment)
    burner.burn(0.005)
    threads.step_begins(moment + 9 * MS)
    assert threads.burned() >= 5 * MS
    threads.step_begins(moment + 11 * MS)
    assert threads.burned() < 5 * MS


def test_without_a_clock_of_other_threads_nobody_knows(monkeypatch, burner):
    monkeypatch.setattr(python_threads, "_clock_ns", None)
    threads = PythonThreads()
    threads.step_begins(now())
    assert threads.burned() is None


def test_more_threads_than_it_pays_to_read_are_not_read(monkeypatch, burner):
    monkeypatch.setattr(python_threads, "_MOST_THREADS", 1)
    threads = PythonThreads()
    threads.step_begins(now())
    assert threads.burned() is None


def test_where_no_other_thread_is_there_none_burned(monkeypatch):
    monkeypatch.setattr(python_threads, "_enumerate", lambda: [threading.current_thread()])
    threads = PythonThreads()
    threads.step_begins(now())
    assert threads.burned() == 0


def test_what_the_app_starts_is_the_apps_and_what_that_starts(burner):
    assert not python_threads.is_the_apps(burner._thread)
    with owned(LiveExchange("GET", "/")):
        first = Burner()
    assert python_threads.is_the_apps(first._thread)
    with python_threads.app_starts():
        second = Burner()
    assert python_threads.is_the_apps(second._thread)
    nested = []

    def starts():
        nested.append(Burner())

    starter = threading.Thread(target=starts)
    python_threads.mark_as_the_apps(starter)
    starter.start()
    starter.join()
    assert python_threads.is_the_apps(nested[0]._thread)
    for each in (first, second, *nested):
        each.end()


def test_threading_may_be_replaced_by_a_test(monkeypatch):
    monkeypatch.setattr(threading, "enumerate", None)
    monkeypatch.setattr(time, "clock_gettime_ns", None)
    threads = PythonThreads()
    threads.step_begins(now())
    assert threads.burned() is not None


def test_a_full_collection_is_no_work_of_the_thread_in_which_it_falls_due():
    """One that the thread asks for is: see `collector`."""
    heap = [[number] for number in range(300_000)]
    seen = []

    def work():
        mine = threading.current_thread()
        before = cpu_of(mine.native_id), python_threads.worked(mine)
        python_threads.collection("start")
        sum(len(each) for each in heap)
        midst = cpu_of(mine.native_id), python_threads.worked(mine)
        python_threads.collection("stop")
        after = cpu_of(mine.native_id), python_threads.worked(mine)
        seen.extend([end - begin for begin, end in zip(before, each, strict=True)] for each in (midst, after))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(seen) == 2
    for burned, worked in seen:
        assert worked < burned / 2

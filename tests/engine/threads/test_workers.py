"""Which threads work for a loop, where they are, what they burn and how long they queue."""

import asyncio
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import anyio.to_thread
import pytest

from pytest_noblock.engine import instrument
from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.other_threads import cpu_of
from pytest_noblock.engine.steps import python_threads
from pytest_noblock.engine.threads import workers
from pytest_noblock.engine.threads.workers import RunQueue, ThreadClocks

MS = 1_000_000

needs_clocks = pytest.mark.skipif(
    cpu_of(threading.get_native_id()) is None, reason="this kernel has no clock of another thread"
)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("call", "own", "other"),
    [
        (anyio.to_thread.run_sync, workers.of_anyio, workers.of_executor),
        (asyncio.to_thread, workers.of_executor, workers.of_anyio),
    ],
    ids=["anyio", "asyncio"],
)
def test_a_worker_is_its_librarys_and_its_loops(run, call, own, other):
    async def main():
        await call(int)
        loop = asyncio.get_running_loop()
        stranger = asyncio.new_event_loop()
        try:
            return len(own(loop)), len(other(loop)), len(own(stranger)), workers.most_of_executor(loop) > 0
        finally:
            stranger.close()

    assert run(main()) == (1, 0, 0, call is asyncio.to_thread)


def test_a_worker_is_at_work_while_it_calls(run):
    async def main():
        over = threading.Event()
        threads = workers.of_anyio(asyncio.get_running_loop())
        assert workers.at_work(threads) == 0
        task = asyncio.create_task(anyio.to_thread.run_sync(over.wait))
        await until(lambda: workers.at_work(workers.of_anyio(asyncio.get_running_loop())) == 1)
        over.set()
        await task
        await until(lambda: workers.at_work(workers.of_anyio(asyncio.get_running_loop())) == 0)

    run(asyncio.wait_for(main(), 30))


def test_a_thread_that_is_no_worker_is_not_at_work():
    assert workers.at_work([threading.current_thread()]) == 0


@pytest.fixture
def thread():
    """Starts threads that call a function and end when the test does."""
    over = threading.Event()
    threads = []

    def thread(function):
        called = threading.Event()
        threads.append(threading.Thread(target=lambda: (function(), called.set(), over.wait())))
        threads[-1].start()
        called.wait()
        return threads[-1]

    yield thread
    over.set()
    for each in threads:
        each.join()


def test_a_thread_is_busy_where_it_is_in_user_code(user, thread, tmp_path):
    from pytest_noblock.engine.usercode import UserCode

    mine = thread(int)
    [stack] = workers.busy([mine], user)
    assert "<lambda>" in [code.co_name for code, *_ in stack]
    assert workers.busy([mine], UserCode(str(tmp_path))) == []


def join_in_the_kernel(thread):
    """The kernel's thread ends a moment later than Python's."""
    thread.join()
    while cpu_of(thread.native_id) is not None:
        time.sleep(0.001)


def no_app(_thread):
    return False


def burn():
    end = time.thread_time_ns() + 20 * MS
    while time.thread_time_ns() < end:
        pass


@needs_clocks
def test_what_a_thread_burned_since_the_marks(run, thread):
    async def main():
        clocks = ThreadClocks()
        before = thread(burn)
        clocks.marks = clocks.read()
        after = thread(burn)
        return clocks.burned(no_app).get(before, 0), clocks.burned(no_app)[after]

    before, after = run(main())
    assert before < 10 * MS
    assert after >= 20 * MS


@needs_clocks
@pytest.mark.skipif(sys.platform != "linux", reason="nobody counts the sleeps of another thread")
@pytest.mark.parametrize("counts", [True, False])
def test_how_often_a_thread_went_to_sleep_since_the_marks(run, counts):
    """As each time that it hands the GIL over."""
    turns = [threading.Semaphore(0) for _ in range(2)]

    def takes_turns():
        for _ in range(6):
            turns[0].acquire()
            turns[1].release()
        turns[0].acquire()

    def take(times):
        for _ in range(times):
            time.sleep(0.005)  # it lies down meanwhile, or queues for a processor
            turns[0].release()
            turns[1].acquire()

    async def main():
        clocks = ThreadClocks(counts_sleeps=counts)
        worker = threading.Thread(target=takes_turns)
        worker.start()
        take(1)
        born = clocks.slept(worker)
        clocks.marks = clocks.read()
        take(5)
        slept = clocks.slept(worker)
        turns[0].release()
        join_in_the_kernel(worker)
        return born, slept, clocks.slept(worker)

    born, slept, ended = run(main())
    assert (born is not None, slept is not None, ended) == (counts, counts, None)
    assert not counts or slept > 0


@needs_clocks
def test_what_a_stranger_burned_does_not_count(run):
    begin, burned, end = threading.Event(), threading.Event(), threading.Event()

    async def main():
        stranger = threading.Thread(target=lambda: (begin.wait(), burn(), burned.set(), end.wait()))
        stranger.start()
        clocks = ThreadClocks()
        clocks.marks = clocks.read()
        begin.set()
        burned.wait()
        alive = clocks.burned(no_app)
        assert clocks._since()[stranger] >= 20 * MS
        end.set()
        stranger.join()
        return stranger in alive, clocks.ended(50 * MS, ())

    assert run(main()) == (False, 0)


def with_more(marks, thread):
    """As if the thread had lived at the marks."""
    return marks._replace(cpu=marks.cpu | {thread: 0})


@needs_clocks
def test_one_thread_that_has_ended_has_burned_what_no_living_one_did(run):
    async def main():
        clocks = ThreadClocks()
        ended = [threading.Thread(target=burn), threading.Thread(target=burn)]
        clocks.marks = with_more(clocks.read(), ended[0])
        living = sum(clocks._since().values())
        one = clocks.ended(living + 1000 * MS, ())
        seen = clocks.ended(living + 1000 * MS, [ended[0]])
        clocks.marks = with_more(clocks.marks, ended[1])
        return one, seen, clocks.ended(living + 1000 * MS, ())

    one, seen, several = run(main())
    assert 500 * MS < one <= 1000 * MS
    assert (seen, several) == (0, 0)


@needs_clocks
@pytest.mark.parametrize(("starts", "known"), [(0, False), (1, True), (2, False)])
def test_one_that_the_app_started_and_that_ended_before_anybody_looked_is_in_no_marks(run, monkeypatch, starts, known):
    async def main():
        clocks = ThreadClocks()
        clocks.marks = clocks.read()
        monkeypatch.setattr(python_threads._Starts, "apps", clocks.marks.starts + starts)
        living = sum(clocks._since().values())
        return clocks.ended(living + 1000 * MS, ())

    assert (500 * MS < run(main()) <= 1000 * MS) is known


@needs_clocks
def test_one_that_the_app_started_and_that_still_lives_or_was_seen_has_not_ended(run):
    over = threading.Event()

    async def main():
        clocks = ThreadClocks()
        clocks.marks = clocks.read()
        with started_by_the_app():
            lives, seen = threading.Thread(target=over.wait), threading.Thread(target=burn)
            lives.start()
            seen.start()
        seen.join()
        living = sum(clocks._since().values())
        return clocks.ended(living + 1000 * MS, [seen]), clocks.ended(living + 1000 * MS, [])

    seen, not_seen = run(main())
    over.set()
    assert (seen, not_seen > 500 * MS) == (0, True)


@contextmanager
def started_by_the_app():
    """What is started here a request starts."""
    token = CURRENT.set(LiveExchange("GET", "/"))
    instrument.install()
    try:
        yield
    finally:
        instrument.uninstall()
        CURRENT.reset(token)


@needs_clocks
def test_the_clock_of_a_thread_that_is_gone_reads_nothing():
    thread = threading.Thread(target=int)
    thread.start()
    join_in_the_kernel(thread)
    assert cpu_of(None) is None
    assert cpu_of(threading.get_native_id()) > 0


def test_the_run_queue_counts_from_the_first_reading_of_each(monkeypatch):
    delays = {1: 100, 2: 7}
    monkeypatch.setattr(workers, "_delay", delays.get)
    queue = RunQueue()
    assert queue.read([1]) == 0
    delays[1] = 130
    assert queue.read([1, 2, 3, None]) == 30
    delays.update({1: 131, 2: 9})
    assert queue.read([1, 2]) == 33
    assert queue.read([]) == 33


def test_the_delay_of_a_thread_that_is_gone_is_unknown():
    assert workers._delay(SimpleNamespace()) is None


def test_the_loop_thread_is_nobody_who_keeps_it_from_the_gil(run):
    """Its stack shows code of the app whenever it runs a step."""

    async def main():
        clocks = ThreadClocks()
        clocks.marks = clocks.read()
        burn()
        assert clocks._since()[threading.current_thread()] >= 20 * MS
        return threading.current_thread() in clocks.burned(lambda _thread: True)

    assert run(main()) is False

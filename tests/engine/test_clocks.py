"""The counters of a thread tell a sleep from a computation, and both from the machine."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_noblock.engine import clocks
from pytest_noblock.engine.clocks import (
    CPU,
    PROCESS,
    QUEUED,
    SWITCHES,
    WALL,
    LinuxClock,
    PortableClock,
    best_clock,
    longest_queued,
    others_cpu,
    queued,
)
from pytest_noblock.engine.now import now
from pytest_noblock.engine.other_threads import others_so_far

MS = 1_000_000


def burn(ms):
    end = time.thread_time_ns() + ms * MS
    while time.thread_time_ns() < end:
        pass


@pytest.mark.parametrize("kind", [LinuxClock, PortableClock])
def test_a_clock_tells_a_sleep_from_a_computation(kind):
    clock = kind()
    start = clock.begin()
    time.sleep(0.02)
    slept = clock.end()
    end = time.thread_time_ns() + 10 * MS
    while time.thread_time_ns() < end:
        pass
    computed = clock.end()
    assert slept[WALL] - start[WALL] > 18 * MS
    assert slept[CPU] - start[CPU] < 10 * MS
    assert computed[CPU] - slept[CPU] >= 9 * MS
    assert clock.splits_waiting is (kind is LinuxClock)
    if clock.splits_waiting:
        assert slept[SWITCHES] > start[SWITCHES]


def in_a_new_thread(function):
    """What the function returns, given the moment at which its thread was started."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, now()).result()


def test_a_young_threads_clock_opens_no_file_until_the_thread_has_waited(monkeypatch):
    opened = []
    real = os.open
    monkeypatch.setattr(clocks, "open_fd", lambda *args: opened.append(args[0]) or real(*args))

    def run(born):
        clock = LinuxClock(born)
        start = clock.begin()
        young, at_begin = now() - born - time.thread_time_ns() < MS // 2, len(opened)
        time.sleep(0.02)
        end = clock.end()
        clock.close()
        return young, at_begin, end[WALL] - start[WALL] - (queued(end[QUEUED]) - queued(start[QUEUED]))

    young, at_begin, asleep = in_a_new_thread(run)
    assert not (young and at_begin)  # beside busy processes it may have waited already
    assert len(opened) == 1
    assert opened[0].endswith("/schedstat")
    assert asleep > 15 * MS


def test_a_young_threads_clock_that_gets_no_descriptor_goes_without_the_split(monkeypatch):
    def none_left(*_args):
        raise OSError

    clock = LinuxClock(born=0)
    monkeypatch.setattr(clocks, "open_fd", none_left)
    clock.begin()
    assert not clock.splits_waiting
    assert queued(clock.end()[QUEUED]) == 0
    clock.close()


def test_the_run_queue_delay_is_the_second_field():
    assert queued(b"123456 789 42\n") == 789


@pytest.mark.parametrize(
    ("after", "longest"),
    [(b"0 100 10", 0), (b"0 121 11", 21), (b"0 121 12", 21), (b"0 121 20", 4), (b"0 121 10", 21)],
    ids="never-waited once twice often no-turn".split(),
)
def test_the_longest_wait_for_a_processor_is_at_most_twice_their_mean(after, longest):
    assert longest_queued(b"0 100 10", after) == longest


def test_the_others_burned_what_this_thread_did_not():
    began, ended = (0, 5 * MS, b"", 0, 10 * MS), (0, 15 * MS, b"", 0, 40 * MS)
    assert others_cpu(began, ended) == 20 * MS
    assert others_cpu(ended, ended) == 0


@pytest.mark.parametrize("kind", [LinuxClock, PortableClock])
@pytest.mark.parametrize("read", ["begin", "end"])
def test_the_places_of_a_reading_have_names(kind, read):
    before = now(), time.thread_time_ns(), time.process_time_ns()
    reading = getattr(kind(), read)()
    after = now(), time.thread_time_ns(), time.process_time_ns()
    places = reading[WALL], reading[CPU], reading[PROCESS]
    assert all(low <= place <= high for low, place, high in zip(before, places, after, strict=True))
    assert isinstance(reading[QUEUED], bytes)
    assert (reading[SWITCHES] == 0) is (kind is PortableClock)


def test_what_other_threads_burn_is_theirs():
    before = others_so_far()
    with ThreadPoolExecutor(1) as pool:
        clock = PortableClock()
        start = clock.begin()
        pool.submit(burn, 20).result()
        others = others_cpu(start, clock.end())
    assert others >= 19 * MS
    assert others_so_far() - before >= 19 * MS


def test_what_this_thread_burns_is_no_others():
    clock = PortableClock()
    start = clock.begin()
    burn(20)
    end = clock.end()
    assert end[CPU] - start[CPU] >= 20 * MS
    assert others_cpu(start, end) < 10 * MS


def test_a_reading_that_was_interrupted_is_taken_again(monkeypatch):
    """Its parts would not belong together."""
    clock = LinuxClock()
    interrupted = [10 * MS]

    def thread_time():
        late = interrupted.pop() if interrupted else 0
        moments.append(late)
        return 0

    moments = []
    monkeypatch.setattr(clocks, "_cpu", thread_time)
    monkeypatch.setattr(clocks, "now", lambda: sum(moments))
    reading = clock.end()
    assert reading[WALL] == 10 * MS  # that of the second try
    assert len(moments) == 2
    clock.close()


def test_a_closed_clock_still_reads_what_needs_no_descriptor():
    """Another thread may close it while its own thread is in a step."""
    clock = LinuxClock()
    before = clock.begin()
    clock.close()
    clock.close()
    time.sleep(0.01)
    after = clock.end()
    assert after[WALL] - before[WALL] >= 10 * MS
    assert queued(after[QUEUED]) == queued(before[QUEUED])


def test_where_the_counters_are_missing_the_clock_is_the_portable_one(monkeypatch):
    def missing(*_):
        raise FileNotFoundError("/proc/self/task/1/schedstat")

    monkeypatch.setattr(clocks, "open_fd", missing)
    assert isinstance(best_clock(), PortableClock)


def test_a_platform_without_usage_per_thread_has_no_linux_clock(monkeypatch):
    monkeypatch.setattr(clocks, "_RUSAGE_THREAD", None)
    with pytest.raises(OSError, match="per-thread"):
        LinuxClock()
    assert isinstance(best_clock(), PortableClock)

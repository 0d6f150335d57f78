"""The small parts: whose code is it, the timer, the self-check, the clocks."""

import os
import socket
import sys
import sysconfig
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_noblock.engine import selfcheck
from pytest_noblock.engine.clocks import LinuxClock, PortableClock, longest_queued, others_cpu, queued
from pytest_noblock.engine.now import now
from pytest_noblock.engine.selfcheck import meter_of_this_machine
from pytest_noblock.engine.timer import PollingTimer, Timer
from pytest_noblock.engine.usercode import UserCode

MS = 1_000_000


@pytest.mark.parametrize(
    ("file", "mine"),
    [
        ("/project/app/main.py", True),
        ("/project/tests/test_api.py", True),
        ("/project/.venv/lib/python3.12/site-packages/requests/api.py", False),
        ("/usr/lib/python3/dist-packages/thing.py", False),
        ("/elsewhere/app.py", False),
        ("/projects/app.py", False),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
        (sysconfig.get_paths()["stdlib"] + "/socket.py", False),
        (selfcheck.__file__, False),
    ],
)
def test_the_users_code_lies_under_the_root_and_is_not_installed(file, mine):
    assert (file in UserCode("/project")) is mine


def test_the_root_may_be_the_whole_machine_and_the_library_is_still_not_the_users():
    user = UserCode("/")
    assert os.__file__ not in user
    assert "/elsewhere/app.py" in user


def test_the_apps_own_package_is_the_users_wherever_it_is_installed():
    """Under tox the app itself sits in site-packages."""
    import httpx

    assert httpx.__file__ not in UserCode("/project")
    assert httpx.__file__ in UserCode("/project", ["httpx"])
    assert pytest.__file__ not in UserCode("/project", ["httpx"])


@pytest.mark.parametrize(
    ("file", "shown"), [("/project/app/main.py", "app/main.py"), ("/elsewhere/app.py", "/elsewhere/app.py")]
)
def test_a_file_is_shown_relative_to_the_root(file, shown):
    assert UserCode("/project").relative(file) == shown


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


def kernel_counts():
    """Whether this kernel counts waits for a processor, sleeps and a connection's bytes; gVisor does not."""
    import resource  # there is none on Windows

    if not Path("/proc/thread-self/schedstat").exists():
        return False
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"ping")
        counters = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    slept = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    time.sleep(0.001)
    return counters[200:208] == (4).to_bytes(8, sys.byteorder) and (
        resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw > slept
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the full meter is Linux's")
def test_a_machine_has_the_full_meter_where_its_kernel_counts_all_that():
    meter, missing = meter_of_this_machine()
    assert (meter, bool(missing)) == (("full", False) if kernel_counts() else ("portable", True))


@pytest.mark.parametrize("answer", ["a sleep", "a CPU burn, a round trip"])
def test_a_machine_that_does_not_show_all_is_judged_by_the_portable_rules(monkeypatch, answer):
    monkeypatch.setattr(selfcheck, "_in_a_thread", lambda: answer)
    assert meter_of_this_machine() == ("portable", answer)


def test_one_bad_moment_does_not_make_a_machine_portable(monkeypatch):
    answers = iter(["a sleep", ""])
    monkeypatch.setattr(selfcheck, "_in_a_thread", lambda: next(answers))
    assert meter_of_this_machine() == ("full", "")


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
    assert slept[0] - start[0] > 18 * MS
    assert slept[1] - start[1] < 10 * MS
    assert computed[1] - slept[1] >= 9 * MS
    assert clock.splits_waiting is (kind is LinuxClock)
    if clock.splits_waiting:
        assert slept[3] > start[3]


def in_a_new_thread(function):
    """What the function returns, given the moment at which its thread was started."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, now()).result()


def test_a_young_threads_clock_opens_no_file_until_the_thread_has_waited(monkeypatch):
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *args: opened.append(args[0]) or real(*args))

    def run(born):
        clock = LinuxClock(born)
        start = clock.begin()
        young, at_begin = now() - born - time.thread_time_ns() < MS // 2, len(opened)
        time.sleep(0.02)
        end = clock.end()
        clock.close()
        return young, at_begin, end[0] - start[0] - (queued(end[2]) - queued(start[2]))

    young, at_begin, asleep = in_a_new_thread(run)
    assert not (young and at_begin)  # beside busy processes it may have waited already
    assert len(opened) == 1
    assert opened[0].endswith("/schedstat")
    assert asleep > 15 * MS


def test_a_young_threads_clock_that_gets_no_descriptor_goes_without_the_split(monkeypatch):
    def none_left(*_args):
        raise OSError

    clock = LinuxClock(born=0)
    monkeypatch.setattr(os, "open", none_left)
    clock.begin()
    assert not clock.splits_waiting
    assert queued(clock.end()[2]) == 0
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

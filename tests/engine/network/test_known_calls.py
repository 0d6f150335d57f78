"""Known calls are seen on observed threads when they end, with their caller, and let through everywhere else."""

import concurrent.futures
import contextlib
import queue
import selectors
import socket
import subprocess
import sys
import threading
import time
import types

import pytest

from pytest_noblock.engine.network import known_calls
from pytest_noblock.engine.network.call_shapes import Polling
from pytest_noblock.engine.patches import Patches

MS = 1_000_000


class Observer:
    """Notes what it is told."""

    def __init__(self):
        self.calls = []
        self.passed = 0

    def exchange_begins(self):
        return 0

    def known_call_ended(self, name, effect, began, frame, asked, slept):
        self.calls.append((name, effect, frame.f_code.co_name, asked))

    def another_thread_called(self):
        self.passed += 1


@pytest.fixture
def observers():
    """By thread, as the meters are; the known calls are wrapped."""
    observers = {}
    patches = Patches(lambda: known_calls.patches(observers, Polling()))
    patches.install()
    yield observers
    patches.uninstall()


@pytest.fixture
def calls(observers):
    """The calls that this thread was seen to make: name, effect, function of the caller, sleep asked for."""
    observers[threading.get_ident()] = observer = Observer()
    return observer.calls


def test_a_sleep_is_seen_with_its_caller_and_what_it_asked_for(calls):
    time.sleep(0.002)
    assert calls == [("time.sleep", "sleep", "test_a_sleep_is_seen_with_its_caller_and_what_it_asked_for", 2 * MS)]


def test_a_call_that_raises_is_seen_and_gave_no_sleep(calls):
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)
    assert [(name, asked) for name, _effect, _function, asked in calls] == [("time.sleep", 0)]


def test_a_stand_in_for_a_sleep_asks_for_none(observers, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    patches = Patches(lambda: known_calls.patches(observers, Polling()))
    patches.install()
    observers[threading.get_ident()] = observer = Observer()
    try:
        time.sleep(5)
    finally:
        patches.uninstall()
    assert [asked for *_, asked in observer.calls] == [0]


class Loop:
    """It counts the looks."""

    def __init__(self, *, overdue=True):
        self.polled = False
        self.rings = types.SimpleNamespace(due=2, seen=1 if overdue else 2)
        self.looks = 0

    def look_between_steps(self):
        self.looks += 1


def test_a_selector_that_is_polled_tells_its_loop_whatever_arguments_it_takes(monkeypatch):
    def odd(selector, *args, **kwargs):
        return [(args, kwargs)]

    for replaced in (False, True):
        if replaced:
            monkeypatch.setattr(selectors.DefaultSelector, "select", odd)
        polling = Polling()
        patches = Patches(lambda polling=polling: known_calls.patches({}, polling))
        patches.install()
        try:
            with selectors.DefaultSelector() as mine, selectors.DefaultSelector() as other:
                polling.tell(loop := Loop(), mine)
                other.select(0)
                assert not loop.polled
                assert mine.select(timeout=0) == ([((), {"timeout": 0})] if replaced else [])
                assert loop.polled
                assert loop.looks == 2
        finally:
            patches.uninstall()


def test_a_call_of_another_thread_tells_the_observers_that_it_has_the_gil(observers):
    observers[0] = observer = Observer()  # no thread's identity
    time.sleep(0)
    assert (observer.calls, observer.passed) == ([], 1)


def test_nobody_observes(observers):
    time.sleep(0)
    assert observers == {}


def test_what_waits_on_this_machine(calls):
    done = concurrent.futures.Future()
    done.set_result(1)
    done.result()
    with contextlib.suppress(TimeoutError):
        concurrent.futures.Future().result(timeout=0.001)
    items = queue.Queue()
    with contextlib.suppress(queue.Empty):
        items.get(timeout=0.001)
    items.put(1)
    items.get()
    with contextlib.suppress(queue.Empty):
        items.get(block=False)
    subprocess.run([sys.executable, "-c", ""], check=True)
    names = {name for name, *_ in calls}
    assert names == {"Future.result", "Queue.get", "Popen.wait"}
    effects = {each: [effect for name, effect, *_ in calls if name == each] for each in names}
    assert effects["Future.result"] == ["over", "wait"]  # a future that is done waits for nobody
    assert effects["Queue.get"] == ["wait", "over", "over"]
    assert effects["Popen.wait"][0] == "wait"


def test_a_blocking_socket_makes_round_trips(calls):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        server, _address = listener.accept()
        with server:
            server.sendall(b"?")
            client.recv(1)
            server.sendall(b"?")
            client.recv_into(bytearray(1))
    assert [(name, effect) for name, effect, *_ in calls] == [
        ("socket.connect", "network"),
        ("socket.recv", "network"),
        ("socket.recv_into", "network"),
    ]


def test_a_socket_that_cannot_block_or_that_stays_on_this_machine(calls):
    one, other = socket.socketpair()
    with one, other, socket.socket(type=socket.SOCK_DGRAM) as datagrams, socket.socket() as waits_never:
        other.sendall(b"!")
        one.recv(1)
        datagrams.connect(("127.0.0.1", 9))  # sends nothing
        waits_never.setblocking(False)
        with contextlib.suppress(OSError):  # it is not connected
            waits_never.recv(1)
    assert [(name, effect) for name, effect, *_ in calls] == [("socket.recv", "local")]


def test_every_wrapped_call_exists():
    for known in known_calls._standard_library():
        assert callable(getattr(known.owner, known.name))


def test_a_loop_that_polls_looks_where_the_watchdog_is_overdue():
    """It may have got the GIL first, in the poll or before; the poll, and the step after it, may release the GIL."""
    for loop, looks in ((Loop(), 2), (Loop(overdue=False), 0)):
        polling = Polling()
        patches = Patches(lambda polling=polling: known_calls.patches({}, polling))
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
            polling.tell(loop, selector)
            patches.install()
            stack.callback(patches.uninstall)
            selector.select(0)
        assert (loop.polled, loop.looks) == (True, looks)


def test_each_of_several_loops_is_told_of_its_own_polls_until_it_is_stopped():
    polling, loops = Polling(), [Loop(), Loop(), Loop()]
    patches = Patches(lambda: known_calls.patches({}, polling))
    with contextlib.ExitStack() as stack:
        all_selectors = [stack.enter_context(selectors.DefaultSelector()) for _ in loops]
        for loop, selector in zip(loops, all_selectors, strict=True):
            polling.tell(loop, selector)
        patches.install()
        stack.callback(patches.uninstall)
        all_selectors[0].select(0)
        all_selectors[2].select(0)
        assert [loop.polled for loop in loops] == [True, False, True]
        polling.stop(loops[0])
        polling.stop(loops[1])
        for selector in all_selectors:
            selector.select(0)
        assert [loop.polled for loop in loops] == [True, False, True]
        polling.tell(loops[1], all_selectors[1])
        all_selectors[1].select(0)
        assert loops[1].polled
    assert polling.others
    polling.stop(loops[2])
    assert not polling.others

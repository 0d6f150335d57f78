"""The self-check: what the meter does not see on this machine is said in words."""

import resource
import socket
import sys
import threading
import time
import types
from pathlib import Path

import pytest

from pytest_noblock.engine import selfcheck
from pytest_noblock.engine.now import now
from pytest_noblock.engine.selfcheck import meter_of_this_machine
from pytest_noblock.engine.steps.meter import SHORT_NS, STEPPING


def kernel_counts():
    """Whether this kernel counts waits for a processor, sleeps and a connection's bytes; gVisor does not."""
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


@pytest.mark.skipif(sys.platform != "linux", reason="the full meter is Linux's")
def test_a_thread_that_works_all_the_time_does_not_make_a_machine_portable():
    """As exporters, schedulers and pollers do: they may be there before the first test."""
    before = meter_of_this_machine()
    ended = threading.Event()

    def work():
        while not ended.is_set():
            sum(range(1000))
            time.sleep(0.0001)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert [meter_of_this_machine() for _ in range(5)] == [before] * 5
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("answer", ["a sleep", "a CPU burn, a round trip"])
def test_a_machine_that_does_not_show_all_is_judged_by_the_portable_rules(monkeypatch, answer):
    monkeypatch.setattr(selfcheck, "_in_a_thread", lambda: answer)
    assert meter_of_this_machine() == ("portable", answer)


def test_one_bad_moment_does_not_make_a_machine_portable(monkeypatch):
    answers = iter(["a sleep", ""])
    monkeypatch.setattr(selfcheck, "_in_a_thread", lambda: next(answers))
    assert meter_of_this_machine() == ("full", "")


@pytest.mark.skipif(sys.platform != "linux", reason="the full meter is Linux's")
@pytest.mark.parametrize(
    ("planted", "missing"),
    [("_sleep", "a planted sleep"), ("_burn", "a planted CPU burn"), ("_talk", "a planted round trip")],
)
def test_what_is_not_planted_is_not_seen(monkeypatch, planted, missing):
    """Else the check would pass on a machine that shows nothing."""
    stands_in = selfcheck._burn if planted == "_sleep" else selfcheck._sleep
    monkeypatch.setattr(selfcheck, planted, lambda *_: stands_in())
    meter, unseen = meter_of_this_machine()
    assert meter == "portable"
    assert missing in unseen  # a busy machine may hide more


def test_what_is_planted_is_long_enough_to_be_looked_into(monkeypatch):
    """One round trip within one thread takes a third of that on a fast machine, which then was a portable one."""
    sent = []
    end = types.SimpleNamespace(sendall=sent.append, recv=sent.append)
    began = now()
    selfcheck._talk(end, end)
    assert now() - began >= SHORT_NS
    assert sent[:4] == [b"?", 1, b"!", 1]


def test_a_kernel_without_the_counters_is_named(monkeypatch):
    def no_schedstat(*_):
        raise OSError("no schedstat")

    monkeypatch.setattr(selfcheck.MeterKit, "new_meter", no_schedstat)
    assert meter_of_this_machine() == ("portable", "the kernel's counters (no schedstat)")


def test_it_leaves_no_thread_and_no_step():
    before = set(STEPPING)  # other tests leave loops that are held for ever, in daemons
    meter_of_this_machine()
    assert "noblock self-check" not in [thread.name for thread in threading.enumerate()]
    assert set(STEPPING) <= before

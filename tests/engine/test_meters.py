"""What a step costs, on a real loop: its processor time, its sleep, its round trips, and nobody else's."""

import functools
import gc
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_noblock.engine import clocks
from pytest_noblock.engine.meters import MeterKit
from pytest_noblock.engine.network.tcp_info import TcpCounters
from pytest_noblock.engine.steps import collector, counters, line_costs
from pytest_noblock.engine.steps.queued_others import NOTHING
from pytest_noblock.engine.steps.raw_samples import RawSample
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.segment import Segment, Standstill

MS = 1_000_000


def burn(ms=30):
    end = time.thread_time_ns() + ms * MS
    while time.thread_time_ns() < end:
        pass


def sleep(ms=30):
    time.sleep(ms / 1000)


def test_a_computation_is_processor_time(metered):
    (segment,) = metered(burn)
    assert 25 * MS < segment.cpu < 60 * MS
    assert segment.asleep < 10 * MS


def test_a_sleep_is_sleep(metered):
    (segment,) = metered(sleep)
    assert 25 * MS < segment.asleep < 60 * MS
    assert segment.cpu < 15 * MS


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="no full meter here")
@pytest.mark.parametrize("ends", [True, False])
def test_a_thread_that_ended_and_no_look_met_may_have_waited_for_a_processor(metered, monkeypatch, ends):
    """As a worker that `executor.shutdown()` joins. The kernel tells nothing of a thread that is gone."""
    monkeypatch.setattr(counters, "queued_meanwhile", lambda *_: NOTHING)  # of those that live on
    go, slept, over = (threading.Event() for _ in range(3))
    thread = threading.Thread(target=lambda: (go.wait(), sleep(50), slept.set(), ends or over.wait()))
    thread.start()
    (segment,) = metered(lambda: (go.set(), slept.wait(), ends and thread.join()), sample_after=10**10)
    over.set()
    thread.join()
    assert (segment.others_may_have_queued >= 25 * MS) is ends


def test_a_short_step_leaves_nothing(metered):
    assert metered(lambda: None) == []


def test_the_garbage_collectors_time_is_taken_out(metered):
    """What falls due in a step is not the step's; what it asks for by name is."""

    def falls_due():
        gc.set_threshold(50, 1, 1)
        try:
            kept = [[] for _ in range(60_000)]
        finally:
            gc.set_threshold(*thresholds)
        return len(kept)

    thresholds = gc.get_threshold()
    segments = metered(lambda: (falls_due(), sleep(5)))
    alive = [[] for _ in range(200_000)]  # without them it takes 0.15 ms here, which is worth no segment
    (asked,) = metered(lambda: gc.collect() and None)
    del alive
    (due,) = segments
    assert due.collected > MS
    assert due.cpu + due.collected <= due.wall
    assert asked.cpu > asked.collected


def test_so_is_a_collection_that_falls_due_as_the_step_ends(metered, monkeypatch):
    """Python code of ours runs between the step and the reading of the clock. The collector may run in it."""
    reads = clocks.LinuxClock.end

    def end(clock):
        collector.collection("start", {"generation": 2})
        burn(30)
        collector.collection("stop", {"generation": 2})
        return reads(clock)

    monkeypatch.setattr(clocks.LinuxClock, "end", end)
    (segment,) = metered(sleep)
    assert segment.collected >= 25 * MS
    assert segment.cpu < 15 * MS


def peers():
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    return client, server


def asks(client, answer):
    """As a client in C does: past every wrapper of ours, so that only the kernel's counters tell."""
    os.write(client.fileno(), b"?"), answer(), os.read(client.fileno(), 1)


def test_a_round_trip_is_seen_at_any_speed(metered):
    client, server = peers()

    def answer():
        server.recv(1)
        server.sendall(b"!")

    thread = threading.Thread(target=answer)
    thread.start()
    with client, server:
        (segment,) = metered(lambda: asks(client, lambda: None))
        thread.join()
    assert segment.calls == ()
    assert segment.round_trips + segment.doubtful_trips >= 1


def as_long_as_one():
    """Both ends in one thread are faster than any round trip."""
    end = time.perf_counter() + 0.0001
    while time.perf_counter() < end:
        pass


def trips_of_one_step(metered):
    """The most of several tries: where another thread ran meanwhile, it may have been that one's."""
    client, server = peers()
    with client, server:
        for _ in range(50):
            segments = metered(
                lambda: time.sleep(0.002),  # meanwhile the watchdog's thread starts
                lambda: (asks(client, lambda: os.write(server.fileno(), b"!")), as_long_as_one()),
            )
            if trips := sum(segment.round_trips for segment in segments):
                return trips
    return 0


def test_a_round_trip_that_nobody_else_can_have_made_is_the_steps(metered):
    assert trips_of_one_step(metered) >= 1


def test_without_the_kernels_counters_it_is_not_seen(metered, monkeypatch):
    """The other direction: nothing else than TCP_INFO shows what `asks` does."""
    monkeypatch.setattr(TcpCounters, "of", lambda self, fd: (0, 0))
    monkeypatch.setattr(TcpCounters, "oldest_traffic", lambda self: 0)
    assert trips_of_one_step(metered) == 0


@pytest.mark.parametrize("half", ["send", "receive"])
def test_half_a_round_trip_is_none(metered, half):
    client, server = peers()
    with client, server:
        server.sendall(b"!")
        time.sleep(0.01)
        step = (lambda: client.sendall(b"?")) if half == "send" else (lambda: client.recv(1))
        segments = metered(step)
    assert sum(segment.round_trips for segment in segments) == 0


def test_a_pair_of_unix_sockets_is_no_network(metered):
    one, other = socket.socketpair()
    with one, other:
        other.sendall(b"!")
        segments = metered(lambda: (one.sendall(b"?"), one.recv(1)))
    assert all(not segment.round_trips and not any(call.network for call in segment.calls) for segment in segments)


def test_a_known_call_is_noted_with_its_line(metered):
    (segment,) = metered(sleep)
    (call,) = segment.calls
    assert (call.name, call.network) == ("time.sleep", False)
    frame = next(frame for frame in call.stack if frame.user)
    assert (Path(frame.file).name, frame.function) == ("test_meters.py", "sleep")
    assert frame.call == "time.sleep"


def test_a_sleep_is_noted_with_what_it_asked_for(metered):
    (segment,) = metered(lambda: (sleep(20), time.sleep(True * 0), sleep(30)))
    assert [call.asked for call in segment.calls] == [20 * MS, 0, 30 * MS]


def test_what_stands_in_for_a_sleep_gives_none(metered, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: burn(5))
    (segment,) = metered(sleep)
    assert [call.asked for call in segment.calls] == [0]


def test_a_sleep_that_was_cut_short_gave_none(metered):
    def alarmed():
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(InterruptedError):
            sleep(1000)

    def interrupt(*_):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        segments = metered(alarmed)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [call.asked for segment in segments for call in segment.calls] == [0]


def test_what_an_import_sleeps_is_no_sleep_of_the_step(metered, tmp_path, monkeypatch):
    (tmp_path / "sleeps_at_import.py").write_text("import time; time.sleep(0.06)")
    monkeypatch.syspath_prepend(tmp_path)
    (segment,) = metered(lambda: __import__("sleeps_at_import") and None)
    assert [call.asked for call in segment.calls] == [0]
    assert segment.imported >= 60 * MS


@pytest.mark.parametrize("step", [burn, sleep])
def test_the_watchdog_looks_at_a_long_step(metered, step):
    (segment,) = metered(lambda: step(60))
    functions = {frame.function for sample in segment.samples for frame in sample.stack if frame.user}
    assert step.__name__ in functions
    assert all(segment.began <= sample.began <= segment.ended for sample in segment.samples)


def test_the_watchdog_does_not_look_at_a_short_one(metered):
    half = 5 * MS  # of `sample_after`; a busy machine makes the step longer than that, and it is looked at
    for segment in metered(lambda: sleep(3)):
        assert segment.samples == () or segment.samples[0].began - segment.began >= half


def test_the_kernel_call_is_named_where_the_kernel_tells(metered):
    (segment,) = metered(lambda: sleep(60))
    told = {sample.syscall for sample in segment.samples} - {"running"}  # awake, and waiting for a processor
    assert told <= {"clock_nanosleep", "unknown"}


@pytest.mark.parametrize("exact", [True, False])
def test_steps_are_told_apart(metered, exact):
    slept, burned = metered(sleep, burn, exact=exact)
    assert slept.asleep >= 25 * MS > burned.asleep
    assert burned.cpu >= 5 * MS  # less what the counters took of it
    assert slept.ended <= burned.began


def two_lines():
    time.sleep(0.004)
    time.sleep(0.008)
    sum(range(500_000))


def test_line_counters_name_each_line(metered):
    """`sys.monitoring` on 3.12 and later, `sys.settrace` before."""
    (segment,) = metered(two_lines, exact=True)
    first = two_lines.__code__.co_firstlineno
    asleep = {line.frame.line - first: line.asleep for line in segment.lines if line.asleep > MS}
    assert asleep.keys() == {1, 2}
    assert 3 * MS < asleep[1] < asleep[2]
    (computed,) = [line.frame.line - first for line in segment.lines if line.cpu > 2 * MS]
    assert computed == 3


def test_line_counters_see_a_round_trip_of_one_line(metered):
    client, server = peers()
    line = asks.__code__.co_firstlineno + 2
    with client, server:
        for _ in range(50):  # until no other thread ran meanwhile
            (segment,) = metered(lambda: asks(client, functools.partial(os.write, server.fileno(), b"!")), exact=True)
            if lines := {each.frame.line: each.round_trips for each in segment.lines if each.round_trips}:
                break
    assert lines.keys() == {line}


def test_after_counters_that_gave_up_in_a_hot_loop_come_looks(metered, monkeypatch):
    """Else nobody would know which line the later steps computed in."""
    monkeypatch.setattr(line_costs, "_BUDGET_NS", 20 * MS)
    segments = metered(lambda: burn(60), lambda: burn(60), exact=True)
    assert "burn" in {each.frame.function for each in segments[0].lines}
    assert (segments[0].counted, segments[0].samples) == (False, ())
    assert segments[-1].lines == ()
    assert "burn" in {frame.function for sample in segments[-1].samples for frame in sample.stack}


def test_line_counters_leave_the_tracer_to_whoever_has_it(metered):
    def tracer(*_):
        return None

    if sys.version_info >= (3, 12):
        for tool in (3, 4):
            sys.monitoring.use_tool_id(tool, "somebody")
        try:
            (segment,) = metered(sleep, exact=True)
        finally:
            for tool in (3, 4):
                sys.monitoring.free_tool_id(tool)
    else:
        kept = sys.gettrace()
        sys.settrace(tracer)
        try:
            (segment,) = metered(sleep, exact=True)
            assert sys.gettrace() is tracer
        finally:
            sys.settrace(kept)
    assert segment.lines == ()
    assert segment.calls


def test_the_portable_clock_does_not_split_what_it_cannot(metered):
    (segment,) = metered(sleep, kind="portable")
    assert (segment.queued, segment.switches) == (None, None)
    assert segment.off_cpu > 25 * MS
    assert segment.asleep == 0
    assert segment.calls[0].name == "time.sleep"


def looked_at(*steps):
    """A kit whose watchdog has looked once at each of these steps."""
    kit = MeterKit("portable", UserCode(os.sep))
    samples = [RawSample(step, 0, []) for step in steps]
    vars(kit)["watchdog"] = SimpleNamespace(take=lambda: samples, take_standstills=list)
    return kit


def test_a_step_that_waited_for_a_processor_has_no_sample():
    """To name what its frames call takes a millisecond, and of such a step nothing is told."""
    counted = {"collected": 0, "switches": 0, "others_cpu": 0, "round_trips": 0, "doubtful_trips": 0}
    usual = Segment(1, 0, 30 * MS, 9 * MS, queued=21 * MS, **counted)
    steps = [
        (usual, 1),
        (usual._replace(cpu=10 * MS), 2),
        (usual._replace(turn=7, cpu=6 * MS), 3),
        (usual._replace(turn=7, cpu=6 * MS), 4),
        (usual._replace(turn=8, cpu=6 * MS), 5),
        (usual._replace(round_trips=1), 6),
        (usual._replace(queued=None), 7),
        (usual._replace(queued=0, switches=1), 8),
    ]
    has_sample = [bool(each.samples) for each in looked_at(*range(1, 9)).with_samples(steps, 10 * MS)]
    assert has_sample == [False, True, True, True, False, True, True, True]
    assert all(each.samples for each in looked_at(*range(1, 9)).with_samples(steps))


def test_a_step_that_waited_for_a_processor_in_a_loop_that_waits_has_its_samples(tmp_path):
    """By the clock it may have been as long alone."""
    waits, works = tmp_path / "waits.py", tmp_path / "works.py"
    waits.write_text("def until(end):\n    while time.monotonic() < end:\n        pass\n")
    works.write_text("def until(end):\n    for row in end:\n        row.sum()\n")
    usual = Segment(1, 0, 30 * MS, 9 * MS, 0, 21 * MS, 0, 0, 0, 0)
    kit = looked_at()
    code = until.__code__
    raw = [
        RawSample(1, 0, [(code.replace(co_filename=str(waits)), 3, 0, {})]),
        RawSample(2, 0, [(code.replace(co_filename=str(works)), 3, 0, {})]),
        RawSample(3, 0, [(code.replace(co_filename=str(waits)), 3, 0, {})]),
    ]
    vars(kit)["watchdog"] = SimpleNamespace(take=lambda: raw, take_standstills=list)
    short = usual._replace(ended=19 * MS, queued=10 * MS)
    told = kit.with_samples([(usual, 1), (usual, 2), (short, 3)], 10 * MS)
    assert [bool(each.samples) for each in told] == [True, False, False]


def until(end):
    """Stands for a function of the app's."""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="no full meter here")
def test_what_was_left_after_a_look_is_the_cpu_that_the_thread_then_burned(metered):
    """None of the last look where the step ended while the watchdog read the counters; none of a step without waits."""
    (segment,) = metered(lambda: (burn(120), sleep(10)))
    left = [look.left for look in segment.samples if look.left is not None]
    assert left
    assert left == sorted(left, reverse=True)
    assert left[0] <= segment.cpu


def test_of_a_test_at_which_nobody_looked_no_segment_is_copied():
    """A copy takes 5 us, and most tests are such."""
    usual = Segment(1, 0, 0, 0, 0, 0, 1, 0, 0, 0)
    (kept,) = looked_at().with_samples([(usual, 1)])
    assert kept is usual
    assert MeterKit("portable", UserCode(os.sep)).with_samples([(usual, 1), (usual, 1)]) == (usual, usual)


def test_a_standstill_is_one_of_the_machine_only_where_no_step_came_or_went_for_so_long():
    """Else the host kept the watchdog's processor alone: measured, 90 ms with twelve steps of 10 ms in it."""
    kit = MeterKit("full", UserCode(os.sep))
    usual = Segment(1, 0, 0, 0, 0, 0, 1, 0, 0, 0)

    def seen(*steps, ns):
        stood = Standstill(0, 15 * MS, 130 * MS, ns * MS)
        vars(kit)["watchdog"] = SimpleNamespace(take=list, take_standstills=lambda: [stood])
        timed = (usual._replace(began=began * MS, ended=ended * MS) for began, ended in steps)
        return [bool(each.standstills) for each in kit.with_samples([(each, 1) for each in timed])]

    assert seen((0, 120), ns=90) == [True]
    assert seen(*((at, at + 10) for at in range(0, 120, 12)), ns=90) == [False] * 10
    assert seen((0, 10), (12, 110), (112, 125), ns=90) == [True] * 3
    assert seen((0, 10), (12, 50), (52, 90), (92, 125), ns=90) == [False] * 4
    assert seen((140, 150), ns=90) == [False]


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="no full meter here")
def test_the_meters_of_the_main_thread_share_one_clock_which_goes_with_the_kit(monkeypatch):
    """To open one for each test took a third of what a watched request costs."""
    opened, closed = [], []
    open_fd, close_fd = clocks.open_fd, clocks.close_fd
    monkeypatch.setattr(clocks, "open_fd", lambda *args: opened.append(open_fd(*args)) or opened[-1])
    monkeypatch.setattr(clocks, "close_fd", lambda fd: closed.append(fd) or close_fd(fd))
    kit = MeterKit("full", UserCode("/"))
    for _ in range(3):
        meter = kit.new_meter()
        assert meter.clock.begin() <= meter.clock.end()
        meter.close()
    assert (len(opened), closed) == (1, [])
    kit.close()
    assert closed == opened


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="no full meter here")
def test_a_forked_process_reads_no_clock_of_its_parents(monkeypatch):
    kit = MeterKit("full", UserCode("/"))
    before = kit.new_meter().clock
    monkeypatch.setattr(threading, "get_native_id", lambda: -1)
    monkeypatch.setattr(clocks, "open_fd", lambda *_: os.open("/proc/self/schedstat", os.O_RDONLY))
    assert kit.new_meter().clock is not before
    kit.close()

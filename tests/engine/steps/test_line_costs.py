"""The reckoning of the line counters, called as a tracer would: what each line has cost."""

import hashlib
import itertools
import socket
import sys
import time

import pytest

from pytest_noblock.engine.clocks import LinuxClock
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.steps import line_costs
from pytest_noblock.engine.steps.line_costs import LineCounters
from pytest_noblock.engine.steps.meter import StepMeter

MS = 1_000_000


@pytest.fixture
def counting(user):
    """`counting(step)` lets `step(at)` be the one step of a request; returns the costs by line."""
    clock = LinuxClock()

    def counting(step, *, owned=True):
        table = SocketTable(set())
        meter = StepMeter(clock, user, None)
        counters = LineCounters(meter, user, table)
        meter.attach_lines(counters)
        code = step.__code__

        def at(line, frame=None):
            """From now on this line runs; None: no line of the user's."""
            counters.at(None if line is None else (code, line), frame)

        if owned:
            meter.begin(LiveExchange("GET", "/"))
        else:
            counters.enter()
        step(at)
        costs = counters.leave()
        meter.attach_lines(None)
        meter.end()
        return {cost.frame.line: cost for cost in costs}

    yield counting
    clock.close()


def sleeping(at):
    at(1)
    time.sleep(0.02)
    at(2)
    at(3)
    at(None)


def test_the_line_that_slept(counting):
    costs = counting(sleeping)
    assert costs[1].asleep > 15 * MS
    assert all(costs[line].asleep < costs[1].asleep for line in costs if line != 1)  # a busy machine's part
    assert costs[1].hits == 1


def test_the_line_that_computed(counting):
    def computing(at):
        at(1)
        at(2)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 40_000)
        at(None)

    costs = counting(computing)
    assert costs[2].cpu > 2 * MS
    assert all(costs[line].cpu < costs[2].cpu for line in costs if line != 2)
    assert costs[2].asleep < costs[2].cpu


def test_a_line_that_comes_often_adds_up(counting):
    def often(at):
        for _ in range(5):
            at(1)
            time.sleep(0.002)
            at(2)
        at(None)

    costs = counting(often)
    assert 2 not in costs or costs[2].asleep < costs[1].asleep  # a busy machine may take the processor, or the GIL
    assert costs[1].hits == 5
    assert costs[1].asleep > 8 * MS


def test_the_line_that_made_a_round_trip(counting):
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as ours,
        server.accept()[0] as theirs,
    ):

        def asking(at):
            at(1)
            at(2)
            ours.sendall(b"ping")
            theirs.recv(4)
            theirs.sendall(b"pong")
            ours.recv(4)
            at(3)
            at(None)

        costs = until_nobody_else_ran(lambda: counting(asking))
    assert list(costs) == [2]
    assert costs[2].round_trips >= 1


def until_nobody_else_ran(attempt):
    """A round trip may be another thread's where one ran meanwhile, as those of xdist do now and then."""
    return next(filter(None, (attempt() for _ in range(50))), {})


def test_what_runs_between_the_users_lines_is_no_lines(counting):
    def elsewhere(at):
        at(1)
        at(None)
        time.sleep(0.005)
        at(2)
        at(None)

    assert counting(elsewhere) == {}


def test_nobodys_step_is_not_counted(counting):
    assert counting(sleeping, owned=False) == {}


def test_the_call_is_named_by_the_frame_of_the_line(counting):
    line = sys._getframe().f_lineno + 4

    def sleeps(at):
        at(line)
        time.sleep(0.005)
        at(None, sys._getframe())

    cost = counting(sleeps)[line]
    assert cost.frame.call == "time.sleep"
    assert cost.stack[0].function == "sleeps"


def test_the_budget_ends_the_counting(user):
    clock = LinuxClock()
    counters = LineCounters(StepMeter(clock, user), user, None)
    assert not counters.exhausted
    counters.spent = 10**10
    assert counters.exhausted
    clock.close()


def test_a_preemption_is_not_the_countings(user, monkeypatch):
    """By the clock, each of these calls takes a second."""
    seconds = itertools.count(step=10**9)
    clock = LinuxClock()
    meter = StepMeter(clock, user, None)
    counters = LineCounters(meter, user, None)
    meter.begin(LiveExchange("GET", "/"))
    monkeypatch.setattr(line_costs, "now", lambda: next(seconds))
    for line in range(1, 9):
        counters.at((sleeping.__code__, line), None)
    assert 0 < counters.spent < 100 * MS
    meter.end()
    clock.close()

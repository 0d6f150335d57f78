"""What the watchdog sees of turns of the loop in which no step of a request runs."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from pytest_noblock.engine import instrument
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.now import sleep
from pytest_noblock.engine.steps.meter import STEPPING
from pytest_noblock.engine.threads import held_turns
from pytest_noblock.engine.threads.held_turns import HeldTurns, LoopThread
from pytest_noblock.engine.threads.under_way import UnderWay

MS = 1_000_000


class Loop:
    """A loop in a thread of its own, which is held until `go_on`."""

    def __init__(self, *, holds):
        self.holds = holds
        self.turn = 1
        self.stepping = set()
        self._go_on = threading.Event()
        self._held = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        self._held.wait()
        self.held = HeldTurns(self._of, self.stepping)

    async def _main(self):
        if self.holds == "in C":
            asyncio.get_running_loop().call_soon(self._held.set)
            asyncio.get_running_loop().call_soon(time.sleep, 0.4)
            await asyncio.sleep(0)
        elif self.holds:
            self._held.set()
            self._go_on.wait()
        else:
            self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
            asyncio.get_running_loop().call_later(0.01, self._held.set)
            await self._done.wait()

    def _of(self, ident):
        return LoopThread(self._thread.native_id, self.turn) if ident == self._thread.ident else None

    def look_twice(self, *, between=lambda: None, apart=0.03):
        under_way = [UnderWay(LiveExchange("GET", "/"), self._thread.ident, None)]
        self.held.look(under_way)
        between()
        sleep(apart)
        self.held.look(under_way)

    def end(self):
        self._go_on.set()
        if self.holds is False:
            self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()


@pytest.fixture
def loop():
    loops = []

    def loop(*, holds=True):
        loops.append(Loop(holds=holds))
        return loops[-1]

    yield loop
    for each in loops:
        each.end()


def test_a_turn_that_two_looks_find_was_held_from_one_to_the_other(loop, user):
    held = loop()
    held.look_twice(apart=0.1)
    (turn,) = held.held.turns(user)
    assert "_run_once" not in [frame.function for frame in turn.stack]  # nor who runs the loop
    assert turn.ns > 10 * MS  # a busy machine may keep this thread, and the loop thread, waiting
    assert "_main" in [frame.function for frame in turn.stack]
    assert held.held.longer_than(10 * MS)


def test_a_callback_written_in_c_is_seen_as_well(loop, user):
    held = loop(holds="in C")
    held.look_twice(apart=0.1)
    (turn,) = held.held.turns(user)
    assert (turn.stack[0].file, turn.stack[0].function) == (asyncio.events.__file__, "_run")


@pytest.mark.parametrize(
    ("syscall", "counters", "held_ms"),
    [
        ("running", [(1, 0), (1, 0)], 0),
        ("running", [(1, 0), (70, 10)], 69),
        ("nanosleep", [(1, 0), (1, 0)], 80),
        ("nanosleep", [(1, 0), (1, 60)], 20),
    ],
    ids=["queues", "computes", "sleeps", "has queued and sleeps"],
)
def test_a_thread_that_waits_for_a_processor_holds_nothing(loop, monkeypatch, syscall, counters, held_ms):
    """The kernel counts such a wait once it is over: a good turn was told to be held for 50 ms on a busy machine."""
    moments, counted = iter((0, 80 * MS)), iter([(cpu * MS, delay * MS) for cpu, delay in counters])
    monkeypatch.setattr(held_turns, "now", lambda: next(moments))
    monkeypatch.setattr(held_turns, "syscall_of", lambda _native: syscall)
    monkeypatch.setattr(held_turns, "_counters", lambda _native: next(counted))
    held = loop()
    held.look_twice()
    assert [each.ns for each in held.held._held.values()] == [held_ms * MS] * bool(held_ms)


def test_the_loop_s_own_work_is_nobody_s_callback(loop, user):
    held = loop(holds="in C")
    held.look_twice(apart=0.1)
    ((number, seen),) = held.held._held.items()
    without = [frame for frame in seen.frames if frame[0].co_name != "_run"]
    held.held._held[number] = seen._replace(frames=without)
    assert held.held.turns(user) == ()


def test_another_turn_is_not_the_same(loop, user):
    held = loop()
    held.look_twice(between=lambda: setattr(held, "turn", 2))
    assert not held.held.longer_than(20 * MS)


def test_a_loop_that_polls_is_not_held(loop, user):
    resting = loop(holds=False)
    resting.look_twice()
    assert resting.held.turns(user) == ()


def test_a_loop_that_polls_while_another_thread_is_in_a_step_is_not_held_either(loop, user, monkeypatch):
    """Then two wrappers of ours stand around its poll."""
    instrument.install()
    monkeypatch.setitem(STEPPING, 0, SimpleNamespace(another_thread_called=lambda: None))  # no thread's identity
    try:
        resting = loop(holds=False)
        resting.look_twice(apart=0.1)
    finally:
        instrument.uninstall()
    assert resting.held.turns(user) == ()


def test_a_request_s_own_step_is_left_to_its_meter(loop, user):
    held = loop()
    held.stepping.add(held._thread.ident)
    held.look_twice()
    assert held.held.turns(user) == ()


def test_a_loop_whose_turns_nobody_counts_is_not_looked_at(loop, user):
    held = loop()
    held.turn = 0
    held.look_twice()
    assert held.held.turns(user) == ()


def test_a_thread_that_nobody_meters_is_not_looked_at(user):
    held = HeldTurns(lambda ident: None, set())
    held.look([UnderWay(LiveExchange("GET", "/"), 1, None), SimpleNamespace(ident=2)])
    assert held.turns(user) == ()

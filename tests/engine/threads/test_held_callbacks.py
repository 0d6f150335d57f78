"""A callback that sleeps on a loop that does not say when it turns. The test plays the loop, and the kernel."""

import threading

import pytest

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.threads import held_callbacks
from pytest_noblock.engine.threads.held_callbacks import HeldCallbacks, runner_of
from pytest_noblock.engine.threads.under_way import UnderWay

MS = 1_000_000


class Loop(threading.Thread):
    """Its function `runs_loop` is what runs the loop; `data_received` is a callback of it."""

    def __init__(self, *, in_callback):
        super().__init__(daemon=True)
        self._in_callback = in_callback
        self.reached, self._over = threading.Event(), threading.Event()

    def run(self):
        self.runs_loop()

    def runs_loop(self):
        if self._in_callback:
            self.data_received()
        else:
            self._rests()

    def data_received(self):
        self._rests()

    @property
    def _rests(self):
        self.reached.set()
        return self._over.wait

    def end(self):
        self._over.set()
        self.join()


@pytest.fixture
def looks(monkeypatch, user):
    """Two looks at a loop thread, 60 ms apart; what is held after them."""

    def looks(*, in_callback=True, runs=(b"7", b"7"), stepping=(), under_way=True, runner=Loop.runs_loop):
        loop = Loop(in_callback=in_callback)
        loop.start()
        loop.reached.wait()
        requests = [UnderWay(LiveExchange("GET", "/"), loop.ident, None)] if under_way else []
        held = HeldCallbacks(loop.ident, 0, runner.__code__, [loop.ident] if stepping else ())
        for number, moment in enumerate((100 * MS, 160 * MS)):
            monkeypatch.setattr(held_callbacks, "now", lambda moment=moment: moment)
            monkeypatch.setattr(held_callbacks, "_runs", lambda _native, number=number: runs[number])
            goes_on = held.look(requests)
        loop.end()
        turns = held.turns(user)
        assert held.longer_than(60 * MS) is bool(turns)
        return turns, goes_on

    return looks


def test_a_callback_in_which_the_thread_has_slept_from_look_to_look_is_told_without_what_runs_the_loop(looks):
    (turn,), goes_on = looks()
    assert turn.ns == 60 * MS
    functions = [frame.function for frame in turn.stack]
    assert "data_received" in functions
    assert "runs_loop" not in functions
    assert goes_on


@pytest.mark.parametrize(
    "how",
    [
        {"runs": (b"7", b"8")},  # it ran in between: another callback, or it waits for the GIL
        {"runs": (b"", b"")},  # it computes
        {"stepping": True},  # in a step, of which the rules of steps tell
        {"under_way": False},
        {"runner": threading.Thread.is_alive},  # another function runs the loop now
    ],
    ids="ran computes in-a-step nothing-under-way another-loop".split(),
)
def test_else_nothing_is(looks, how):
    turns, _goes_on = looks(**how)
    assert list(turns) == []


@pytest.mark.parametrize(("syscall", "asleep"), [("running", False), ("unknown", False), ("clock_nanosleep", True)])
def test_a_thread_that_computes_or_of_which_nobody_knows_is_not_asleep(monkeypatch, syscall, asleep):
    monkeypatch.setattr(held_callbacks, "syscall_of", lambda _native: syscall)
    monkeypatch.setattr(held_callbacks, "read_file", lambda _path: b"100 200 7")
    assert held_callbacks._runs(1) == (b"7" if asleep else b"")


def test_a_thread_that_is_gone_is_not_asleep(monkeypatch):
    monkeypatch.setattr(held_callbacks, "syscall_of", lambda _native: "futex")
    assert held_callbacks._runs(2**22 + 1) == b""


def test_what_runs_a_loop_is_the_function_that_called_it():
    uvloop = pytest.importorskip("uvloop")

    async def main():
        import asyncio

        return runner_of(asyncio.get_running_loop())

    def runs(loop):
        return loop.run_until_complete(main())

    loop = uvloop.new_event_loop()
    try:
        assert runs(loop) is runs.__code__
    finally:
        loop.close()

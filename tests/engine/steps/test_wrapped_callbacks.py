"""Loops whose callbacks are wrapped when they are scheduled: each runs as the step of its request."""

import asyncio
import contextvars
import importlib
import socket
import sys

import pytest

from pytest_noblock.engine import callbacks
from pytest_noblock.engine.exchange import CURRENT, OURS, LiveExchange
from pytest_noblock.engine.steps.meter import STEPPING, StepMeter
from pytest_noblock.engine.steps.other_loops import install_steps, loop_name
from pytest_noblock.engine.steps.wrapped_callbacks import wrap, wrapping

LEAVES_SOCKETS = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
"""rloop (0.5) forgets to close its own two sockets."""
LOOPS = ["uvloop", pytest.param("rloop", marks=LEAVES_SOCKETS)]


class Meter(StepMeter):
    """Notes what ran, and in whose step."""

    def __init__(self, clock, user):
        super().__init__(clock, user)
        self.ran = {}

    def call(self, name):
        self.ran[name] = self.owner


@pytest.fixture
def meter_class():
    return Meter


@pytest.fixture
def exchange():
    return LiveExchange("GET", "/")


def run_on(loop, main):
    package = pytest.importorskip(loop)
    with asyncio.Runner(loop_factory=package.new_event_loop) as runner:
        return runner.run(main())


@pytest.mark.parametrize("loop", LOOPS)
def test_the_loop_thread_looks_before_a_callback_whosever_it_is(loop, meter):
    """It may have the GIL before the watchdog; what it runs next may let go of the GIL."""
    seen = []

    async def main():
        undo = install_steps(meter)
        meter.look_between_steps = lambda: seen.append(len(seen))
        asyncio.get_running_loop().call_soon(lambda: seen.append("ran"))
        await asyncio.sleep(0)
        undo()

    run_on(loop, main)
    assert seen.index("ran") > 0


@pytest.mark.parametrize("loop", LOOPS)
def test_what_a_request_schedules_is_its_step_and_nobody_elses(loop, meter, exchange):
    async def main():
        loop = asyncio.get_running_loop()
        undo = install_steps(meter)
        assert install_steps(meter) is None, "it is wrapped already"
        loop.call_soon(meter.call, "nobody's")
        CURRENT.set(exchange)
        loop.call_soon(meter.call, "soon")
        loop.call_soon_threadsafe(meter.call, "threadsafe")
        loop.call_later(0.001, meter.call, "later")
        loop.call_at(loop.time() + 0.001, meter.call, "at")
        loop.call_soon(meter.call, "in a context", context=contextvars.Context())
        future = loop.create_future()
        future.add_done_callback(lambda _: meter.call("done"))
        future.set_result(None)
        await asyncio.create_task(in_task())
        CURRENT.set(OURS)
        loop.call_soon(meter.call, "ours")
        await asyncio.sleep(0.02)
        undo()

    async def in_task():
        await asyncio.sleep(0)
        meter.call("task")

    run_on(loop, main)
    of_request = {"soon", "threadsafe", "later", "at", "done", "task"}
    assert {name for name, owner in meter.ran.items() if owner is exchange} == of_request
    assert {name for name, owner in meter.ran.items() if owner is None} == {"nobody's", "in a context", "ours"}
    assert not STEPPING


@pytest.mark.parametrize("loop", LOOPS)
def test_a_reader_is_a_step(loop, meter, exchange):
    async def main():
        loop = asyncio.get_running_loop()
        undo = install_steps(meter)
        CURRENT.set(exchange)
        ours, other = socket.socketpair()
        with ours, other:
            loop.add_reader(ours.fileno(), lambda: (ours.recv(1), meter.call("reader")))
            CURRENT.set(None)
            other.send(b"x")
            await asyncio.sleep(0.02)
            loop.remove_reader(ours.fileno())
        undo()

    run_on(loop, main)
    assert meter.ran == {"reader": exchange}


class Receives(asyncio.DatagramProtocol):
    """The method of a protocol, on whose transport the loop calls it."""

    def __init__(self, meter, received):
        self._meter, self._received = meter, received

    def send_to(self, transport):
        transport.sendto(b"x", transport.get_extra_info("sockname"))

    def datagram_received(self, _data, _address):
        self._meter.call("received")
        self._received.set()


def test_the_method_of_a_protocol_is_a_step_until_the_end(meter, exchange):
    """Of uvloop: rloop (0.5) calls it in no context, and so it is nobody's."""

    async def main():
        loop = asyncio.get_running_loop()
        undo = install_steps(meter)
        CURRENT.set(exchange)
        received = asyncio.Event()
        transport, protocol = await loop.create_datagram_endpoint(
            protocol_factory=lambda: Receives(meter, received), local_addr=("127.0.0.1", 0)
        )
        protocol.send_to(transport)
        await received.wait()
        assert meter.ran.pop("received") is exchange
        CURRENT.set(None)
        undo()
        meter.close()
        received.clear()
        protocol.send_to(transport)
        await received.wait()
        transport.close()

    run_on("uvloop", main)
    assert meter.ran == {"received": None}
    assert not STEPPING


def test_a_method_that_a_step_calls_is_part_of_that_step(meter, exchange):
    kept = []

    async def main():
        loop = asyncio.get_running_loop()
        undo = install_steps(meter)
        near, far = socket.socketpair()
        near.setblocking(False)
        transport, protocol = await loop.create_connection(lambda: Receives(meter, asyncio.Event()), sock=near)
        CURRENT.set(exchange)
        loop.call_soon(lambda: (protocol.datagram_received(b"", None), kept.append(meter.owner)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        transport.close()
        far.close()
        undo()

    run_on("uvloop", main)
    assert (meter.ran, kept) == ({"received": exchange}, [exchange])


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_is_afterwards_what_it_was(loop, meter, exchange):
    async def main():
        loop = asyncio.get_running_loop()
        before = dict(vars(loop))
        undo = install_steps(meter)
        CURRENT.set(exchange)
        timer = loop.call_later(0.01, meter.call, "after")
        undo()
        assert vars(loop) == before
        meter.close()
        await asyncio.sleep(0.03)
        assert timer.when()

    run_on(loop, main)
    assert meter.ran == {"after": None}, "what was scheduled runs, and is metered no more"


@pytest.mark.parametrize("loop", LOOPS)
def test_what_a_request_left_behind_is_found_until_it_runs_or_is_cancelled(loop, meter, exchange):
    async def main():
        loop = asyncio.get_running_loop()
        undo = install_steps(meter)
        loop.call_later(5, meter.call, "nobody's")
        CURRENT.set(exchange)
        loop.call_soon(meter.call, "soon")
        cancelled, due = loop.call_later(5, meter.call, "cancelled"), loop.call_later(0.01, meter.call, "due")
        CURRENT.set(None)
        cancelled.cancel()
        (soon,) = callbacks.ready(loop)
        first, second = callbacks.timers(loop)
        assert (soon._callback, soon._args, soon._context.get(CURRENT)) == (meter.call, ("soon",), exchange)
        assert [first.cancelled(), second.cancelled()] == [True, False]
        assert 0 < second.when() - loop.time() < 1
        assert repr(second) == repr(meter.call)
        for _ in range(100):
            contextvars.copy_context().run(as_of, exchange, lambda: loop.call_later(5, print).cancel())
        assert len(callbacks.timers(loop)) < 100, "those that are cancelled are let go of"
        await asyncio.sleep(0.03)
        assert not callbacks.ready(loop)
        assert [each for each in callbacks.timers(loop) if not each.cancelled()] == []
        undo()
        return due.when()

    assert run_on(loop, main)
    assert "cancelled" not in meter.ran


def as_of(exchange, function):
    CURRENT.set(exchange)
    function()


def test_a_loop_of_ours_wraps_from_the_start(meter, exchange):
    uvloop = pytest.importorskip("uvloop")
    kind = wrapping(uvloop.Loop, lambda owner: None if owner is None else (meter, owner))

    async def main():
        CURRENT.set(exchange)
        asyncio.get_running_loop().call_soon(meter.call, "soon")
        await asyncio.sleep(0)
        return loop_name()

    with asyncio.Runner(loop_factory=kind) as runner:
        runner.run(main())
    assert meter.ran == {"soon": exchange}


def test_what_a_callback_raises_is_its_own_and_ends_its_step(meter, exchange):
    told = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        undo = install_steps(meter)
        CURRENT.set(exchange)
        loop.call_soon(lambda: 1 / 0)
        CURRENT.set(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        undo()

    run_on("uvloop", main)
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert meter.owner is None


def test_a_fault_of_ours_is_no_fault_of_the_callback(meter, exchange, monkeypatch):
    from pytest_noblock.engine import guard

    monkeypatch.setattr(guard, "waiting", [])

    def fails(_owner):
        raise RuntimeError("planted")

    async def main():
        loop = asyncio.get_running_loop()
        undo = wrap(loop, fails)
        loop.call_soon(meter.call, "soon")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        undo()

    run_on("uvloop", main)
    assert meter.ran == {"soon": None}
    assert guard.waiting


def test_the_module_is_not_loaded_for_asyncios_own_loops():
    name = "pytest_noblock.engine.steps.wrapped_callbacks"
    loaded = sys.modules.pop(name)
    try:

        async def main():
            assert install_steps(None) is None

        asyncio.run(main())
        assert name not in sys.modules
    finally:
        sys.modules[name] = loaded
        importlib.import_module(name)

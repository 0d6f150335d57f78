"""Loops whose steps are not `asyncio.events.Handle`s: which loop runs, and its steps one by one."""

import asyncio
import sys
import types

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.steps import other_loops
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.other_loops import Stepped, install_steps, loop_name, metered_coroutine


class Meter(StepMeter):
    """Notes the begin and the end of steps."""

    def __init__(self, clock, user):
        super().__init__(clock, user)
        self.told = []

    def begin(self, owner):
        super().begin(owner)
        self.told.append(owner)

    def end(self):
        if self.owner is not None:
            self.told.append("end")
        super().end()


@pytest.fixture
def meter_class():
    return Meter


@pytest.fixture
def exchange():
    exchange = LiveExchange("GET", "/")
    token = CURRENT.set(exchange)
    yield exchange
    CURRENT.reset(token)


async def twice():
    await asyncio.sleep(0)
    return "done"


class ForeignLoop:
    """Stands for a loop that is written in C, and takes no wrapper: it has tasks, and no handles of asyncio's."""

    __module__ = "fastloop.loop"
    __slots__ = ("_loop", "factory")

    def __init__(self, loop):
        self._loop = loop
        self.factory = None

    def get_task_factory(self):
        return self.factory

    def set_task_factory(self, factory):
        self.factory = factory


async def named():
    return loop_name()


def test_a_loop_of_the_standard_library_or_derived_from_one_is_asyncio():
    class Own(asyncio.SelectorEventLoop):
        """The fixture's loop is one."""

    assert asyncio.run(named()) == "asyncio"
    with asyncio.Runner(loop_factory=Own) as runner:
        assert runner.run(named()) == "asyncio"


def test_another_loop_is_named_by_its_package(monkeypatch):
    monkeypatch.setattr(other_loops, "running_loop", lambda: ForeignLoop(None))
    assert loop_name() == "fastloop"


@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")  # rloop 0.5 leaves its own open
@pytest.mark.parametrize("name", ["uvloop", "rloop"])
def test_a_fast_loop_is_named(name):
    package = pytest.importorskip(name)
    with asyncio.Runner(loop_factory=package.new_event_loop) as runner:
        assert runner.run(named()) == name


def test_trio_is_named():
    assert pytest.importorskip("trio").run(named) == "trio"


def test_a_coroutine_that_is_driven_by_hand_has_no_loop():
    with pytest.raises(StopIteration, match=r"^$"):
        named().send(None)


def test_where_the_handles_are_metered_nothing_is_to_be_done(meter):
    async def main():
        call = twice()
        assert install_steps(meter) is None
        assert metered_coroutine(call, meter) is call
        await call

    asyncio.run(main())


def test_each_resumption_of_a_coroutine_is_a_step(meter, exchange):
    call = Stepped(twice(), meter)
    call.send(None)
    assert meter.told == [exchange, "end"]
    with pytest.raises(StopIteration, match="done"):
        call.send(None)
    assert meter.told == [exchange, "end"] * 2
    assert meter.owner is None


def test_an_error_that_is_thrown_in_is_a_step_too(meter, exchange):
    call = Stepped(twice(), meter)
    call.send(None)
    with pytest.raises(ValueError, match="in"):
        call.throw(ValueError("in"))
    assert meter.told == [exchange, "end"] * 2


def test_a_stepped_coroutine_is_the_one_that_it_was_given_in_all_else(meter):
    call = twice()
    stepped = Stepped(call, meter)
    assert stepped.cr_frame is call.cr_frame
    stepped.close()
    assert call.cr_frame is None


def test_a_stepped_coroutine_can_be_awaited(meter, exchange):
    async def main():
        return await Stepped(twice(), meter)

    assert asyncio.run(main()) == "done"
    assert meter.told == [exchange, "end"] * 2


def test_the_tasks_of_a_request_are_stepped_on_a_loop_that_takes_no_wrapper(meter, exchange, monkeypatch):
    """And nobody else's; what made them before makes them again in the end."""
    made = []

    def before(loop, coro, **options):
        made.append(type(coro))
        coro.close()

    foreign = ForeignLoop(None)
    foreign.factory = before
    monkeypatch.setattr(other_loops, "running_loop", lambda: foreign)
    undo = install_steps(meter)
    foreign.factory(foreign, twice())
    token = CURRENT.set(None)
    foreign.factory(foreign, twice())
    CURRENT.reset(token)
    assert made == [Stepped, types.CoroutineType]
    undo()
    assert foreign.factory is before


def test_a_task_in_a_context_of_its_own_is_that_contexts(meter, exchange, monkeypatch):
    import contextvars

    made = []
    foreign = ForeignLoop(None)
    foreign.factory = lambda loop, coro, **options: made.append(type(coro)) or coro.close()
    monkeypatch.setattr(other_loops, "running_loop", lambda: foreign)
    undo = install_steps(meter)
    foreign.factory(foreign, twice(), context=contextvars.Context())
    undo()
    assert made == [types.CoroutineType]


def test_on_a_loop_without_handles_the_apps_call_is_stepped(meter, exchange, monkeypatch):
    monkeypatch.setattr(other_loops, "running_loop", lambda: ForeignLoop(None))
    call = metered_coroutine(twice(), meter)
    assert isinstance(call, Stepped)
    call.close()


def test_trios_steps_are_those_of_the_request(user):
    trio = pytest.importorskip("trio")
    exchange = LiveExchange("GET", "/")

    async def main():
        meter = Meter(PortableClock(), user)
        undo = install_steps(meter)
        await trio.lowlevel.checkpoint()
        CURRENT.set(exchange)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        CURRENT.set(None)
        await trio.lowlevel.checkpoint()
        undo()
        undo()  # as where that run has ended
        CURRENT.set(exchange)
        await trio.lowlevel.checkpoint()
        meter.close()
        return meter.told

    assert trio.run(main) == [exchange, "end"] * 3


def test_without_trio_nobody_asks_for_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "trio", None)
    assert install_steps(None) is None
    assert loop_name() == ""

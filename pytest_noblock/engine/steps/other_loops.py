"""Names the running loop, and meters the steps of loops that do not use `asyncio.events.Handle`.

The steps of uvloop and rloop are seen where their callbacks are scheduled (`wrapped_callbacks`), those of a loop that
takes no wrapper by a task factory; trio's by an instrument. Everything here runs on the loop thread.
"""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pytest_noblock.engine.callbacks import WRAPPED
from pytest_noblock.engine.exchange import CURRENT, OURS, LiveExchange
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.driven import Driven
from pytest_noblock.engine.steps.meter import StepMeter

border(__file__)

T = TypeVar("T")
Undo = Callable[[], None]

OWN = "noblock_loop"
"""The attribute of the fixture's own loop that names what the app runs on."""
_TURN = getattr(asyncio.BaseEventLoop, "_run_once", None)
_RUN = asyncio.BaseEventLoop.run_forever
"""What nearly every loop has; somebody may have put others there before this module was imported (nest_asyncio)."""


def loop_name() -> str:
    """The name of the loop that the calling thread runs: asyncio, trio, or the package of another (uvloop, rloop).

    "" where the coroutine is driven by hand.
    """
    return name_of(running_loop())


def name_of(loop: asyncio.AbstractEventLoop | None) -> str:
    """The same of the loop that the calling thread runs; None where it is none of asyncio's."""
    if loop is None:
        return "trio" if _in_trio() else ""
    own: str | None = getattr(loop, OWN, None)
    return own or ("asyncio" if _has_handles(loop) else type(loop).__module__.partition(".")[0])


def install_steps(meter: StepMeter) -> Undo | None:
    """Have the steps of the running loop metered. Returns what undoes it; None where `Handle._run` does it already."""
    return install_steps_on(running_loop(), meter)


def install_steps_on(loop: asyncio.AbstractEventLoop | None, meter: StepMeter) -> Undo | None:
    """The same of the loop that the calling thread runs; None where it is none of asyncio's."""
    if loop is None:
        return _instrument(meter) if _in_trio() else None
    if _has_handles(loop) or hasattr(loop, WRAPPED):
        return None
    from pytest_noblock.engine.steps.wrapped_callbacks import wrap  # most loops have handles

    return wrap(loop, _whose(meter)) or _task_factory(loop, meter)


def _whose(meter: StepMeter) -> Callable[[LiveExchange | None], tuple[StepMeter, LiveExchange] | None]:
    def whose(owner: LiveExchange | None) -> tuple[StepMeter, LiveExchange] | None:
        meter.look_between_steps()
        if owner is None:
            meter.step_of_nobody()
            return None
        meter.turn = 0
        return None if owner is OURS or meter.closed else (meter, owner)

    return whose


def turns_as_usual(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Whether the loop turns as those of the stdlib do: it polls its selector, and then runs what is ready.

    A loop derived from them may turn in a way of its own (nest_asyncio, qasync). `_run_once` is private (CPython 3.4
    to 3.14); without it no turn is counted.
    """
    if loop is None or not _has_handles(loop):
        return False
    kind = type(loop)
    turns, runs = getattr(kind, "_run_once", None), kind.run_forever
    if turns is _TURN and runs is _RUN:
        return _USUAL
    return _is_asyncios(turns) and _is_asyncios(runs)


def _is_asyncios(function: object) -> bool:
    return str(getattr(function, "__module__", "")).startswith("asyncio.")


_USUAL = _is_asyncios(_TURN) and _is_asyncios(_RUN)


def metered_coroutine(call: Coroutine[Any, Any, T], meter: StepMeter) -> Awaitable[T]:
    """The call, with each of its steps metered; unchanged where the loop's steps are metered already.

    A task factory may make eager tasks (`asyncio.eager_task_factory`): where such a task suspends, no step of the loop
    ends, and whoever made the task goes on.
    """
    return Stepped(call, meter) if ends_no_steps(meter) else call


def ends_no_steps(meter: StepMeter) -> bool:
    """Whether nobody tells the meter that a step of the running loop has ended; see `metered_coroutine`."""
    loop = running_loop()
    if loop is not None and _has_handles(loop):
        return loop.get_task_factory() is not None
    meter.turn = 0  # an earlier loop of this thread may have been counted
    return loop is not None or not _in_trio()


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:  # trio, or a coroutine that is driven by hand
        return None


def _has_handles(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether it is a loop of the stdlib or derived from one."""
    return isinstance(loop, asyncio.BaseEventLoop)


def _in_trio() -> bool:
    trio = sys.modules.get("trio")
    try:
        return trio is not None and trio.lowlevel.current_task() is not None
    except RuntimeError:
        return False


class Stepped(Driven[T]):
    """Each resumption is one step of the meter."""

    def __init__(self, call: Coroutine[Any, Any, T], meter: StepMeter) -> None:
        super().__init__(call)
        self._meter = meter

    def _resume(self, resume: Callable[..., Any], *given: Any) -> Any:
        __tracebackhide__ = True
        guarded(self._meter.switch_owner, CURRENT.get())
        try:
            return resume(*given)
        finally:
            guarded(self._meter.end)


def _task_factory(loop: asyncio.AbstractEventLoop, meter: StepMeter) -> Undo:
    before = loop.get_task_factory()

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
        make = before or (lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options))
        context = options.get("context")
        owner = context.get(CURRENT) if context is not None else CURRENT.get()
        return make(loop, coro if owner is None else Stepped(coro, meter), **options)

    loop.set_task_factory(factory)
    return lambda: loop.set_task_factory(before)


@functools.cache
def _steps_of_tasks() -> "type[Any]":
    """An instrument of trio's that meters the steps of tasks; to make the class takes 0.1 ms."""
    import trio

    class Steps(trio.abc.Instrument):
        def __init__(self, meter: StepMeter) -> None:
            self._meter = meter

        def __dir__(self) -> list[str]:  # trio asks for each name here whether it is another method than its own
            return ["before_task_step", "after_task_step"]

        def before_task_step(self, task: Any) -> None:
            owner = task.context.get(CURRENT)
            if self._meter.closed:  # trio outlived the test, and the thread that ended the watch could not remove this
                trio.lowlevel.remove_instrument(self)
            elif owner is None:
                self._meter.step_of_nobody()
            else:
                self._meter.turn = 0
                guarded(self._meter.begin, owner)

        def after_task_step(self, task: Any) -> None:  # noqa: ARG002  # trio's signature
            if self._meter.owner is not None:  # most steps of trio's are no request's
                guarded(self._meter.end)

    return Steps


def _instrument(meter: StepMeter) -> Undo:
    import trio

    steps = _steps_of_tasks()(meter)
    trio.lowlevel.add_instrument(steps)

    def undo() -> None:
        try:
            trio.lowlevel.remove_instrument(steps)
        except (RuntimeError, KeyError):  # that run has ended, or another thread runs it: see above
            return

    return undo

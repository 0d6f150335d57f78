"""Steps of loops that have no `asyncio.events.Handle`: uvloop by a task factory, trio by an instrument.

Not covered under uvloop: bare callbacks (`call_later` and friends), for its handles
are C; and tasks whose factory the app sets itself.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar, cast

from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.meter import StepMeter

T = TypeVar("T")
Undo = Callable[[], None]


def prepare(meter: StepMeter) -> Undo | None:
    """Have the steps of the running loop metered; what undoes it, None where `Handle._run` does it already."""
    if _in_trio():
        return _instrument(meter)
    loop = asyncio.get_running_loop()
    return None if _has_handles(loop) else _task_factory(loop, meter)


def stepping(call: Coroutine[Any, Any, T], meter: StepMeter) -> Awaitable[T]:
    """The call itself where the loop's steps are metered; where only tasks can be, step by step."""
    if _in_trio() or _has_handles(asyncio.get_running_loop()):
        return call
    return Stepped(call, meter)


def _has_handles(loop: asyncio.AbstractEventLoop) -> bool:
    return isinstance(loop, asyncio.BaseEventLoop)


def _in_trio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "trio" in sys.modules
    return False


class Stepped(Awaitable[T]):
    """A coroutine whose every resumption is one step."""

    def __init__(self, call: Coroutine[Any, Any, T], meter: StepMeter) -> None:
        self._call = call
        self._meter = meter

    def __await__(self) -> Generator[Any, Any, T]:
        call, meter = self._call, self._meter
        step: Callable[[], Any] = lambda: call.send(None)  # noqa: E731
        while True:
            meter.cut(CURRENT.get())
            try:
                waits_for = step()
            except StopIteration as end:
                return cast("T", end.value)
            finally:
                meter.end()
            try:
                answer = yield waits_for
            except BaseException as error:  # thrown into the coroutine, as into any other
                step = _thrower(call, error)
            else:
                step = _sender(call, answer)


def _sender(call: Coroutine[Any, Any, T], answer: object) -> Callable[[], Any]:
    return lambda: call.send(answer)


def _thrower(call: Coroutine[Any, Any, T], error: BaseException) -> Callable[[], Any]:
    return lambda: call.throw(error)


def _task_factory(loop: asyncio.AbstractEventLoop, meter: StepMeter) -> Undo:
    before = loop.get_task_factory()

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
        make = before or (lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options))
        context = options.get("context")
        owner = context.get(CURRENT) if context is not None else CURRENT.get()
        return make(loop, coro if owner is None else _as_coroutine(Stepped(coro, meter)), **options)

    loop.set_task_factory(factory)
    return lambda: loop.set_task_factory(before)


async def _as_coroutine(call: Awaitable[T]) -> T:
    return await call



def _instrument(meter: StepMeter) -> Undo:
    import trio

    class Steps(trio.abc.Instrument):
        def before_task_step(self, task: Any) -> None:
            meter.begin(task.context.get(CURRENT))

        def after_task_step(self, task: Any) -> None:
            meter.end()

    steps = Steps()
    trio.lowlevel.add_instrument(steps)

    def undo() -> None:
        try:
            trio.lowlevel.remove_instrument(steps)
        except (RuntimeError, KeyError):  # that run of trio has ended, and its instruments with it
            return

    return undo

"""Runs an app on trio, as a guest of the fixture's own loop: trio schedules the app's tasks, in the loop's thread.

What sends requests and probes stays on asyncio. So that nothing differs for the app, no asyncio loop is to be seen from
its tasks. Everything here runs on the loop thread.

Public in trio (0.27 to 0.35): `start_guest_run`, `Instrument`, `spawn_system_task`, `wait_task_rescheduled`. Of
asyncio: `_set_running_loop`, which is documented for whoever writes a loop, and the `_asyncio_future_blocking` of a
future, which PEP 492's protocol of asyncio's tasks sets (CPython 3.11 to 3.15).
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from types import coroutine
from typing import Any

import trio

from pytest_noblock.engine.asgi import closing
from pytest_noblock.engine.asgi.lifespan import LifespanFailed, sits_at
from pytest_noblock.engine.exchange import CURRENT, ASGIApp, Receive, Scope, Send
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.now import thread_cpu
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.handles import current_meter, whose_step
from pytest_noblock.engine.threads import trio_tasks
from pytest_noblock.engine.threads.await_chains import bridges
from pytest_noblock.engine.usercode import UserCode

border(__file__, inside=("_step", "_driven", "awaited"))

_left: list[object] = []
"""What belongs to runs that could not be stopped. It is kept: trio complains of a run that is thrown away."""
_set_running_loop = asyncio._set_running_loop  # noqa: SLF001  # see above


@asynccontextmanager
async def on_trio(app: ASGIApp, user: UserCode) -> AsyncIterator[ASGIApp]:
    """The app as asyncio can call it, while the block runs. Raises LifespanFailed where trio's run does not end."""
    guest = _Guest()
    guest.start()
    try:
        yield guest.wrapped(app)
    finally:
        await guest.stop(user)


class _Guest:
    """One run of trio; its system tasks are the calls of the app."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ours = contextvars.copy_context()
        self._stop = trio.Event()
        self._ended: asyncio.Future[BaseException | None] = self._loop.create_future()

    def start(self) -> None:
        self._as_trio(self._start)()

    def _start(self) -> None:
        trio.lowlevel.start_guest_run(
            self._stop.wait,
            run_sync_soon_threadsafe=self._soon(self._loop.call_soon_threadsafe),
            run_sync_soon_not_threadsafe=self._soon(self._loop.call_soon),
            done_callback=self._done,
            instruments=[_Steps()],
            host_uses_signal_set_wakeup_fd=True,
        )

    def _soon(self, call_soon: Callable[..., object]) -> Callable[[Callable[[], object]], None]:
        """What trio itself does is ours, whichever of the app's tasks asked for it."""

        def soon(function: Callable[[], object]) -> None:
            try:
                call_soon(self._as_trio(function), context=self._ours)
            except RuntimeError:  # the loop is closed: a run that could not be stopped comes back
                _left.append(function)

        return soon

    def _as_trio(self, function: Callable[[], object]) -> Callable[[], None]:
        def tick() -> None:
            _set_running_loop(None)
            try:
                function()
            finally:
                _set_running_loop(self._loop)

        return tick

    def _done(self, outcome: Any) -> None:
        if not self._ended.done():
            self._ended.set_result(getattr(outcome, "error", None))

    async def stop(self, user: UserCode) -> None:
        """The run ends when its tasks have; those that the app left are cancelled."""
        self._stop.set()
        done, _pending = await asyncio.wait({self._ended}, timeout=closing.CLOSE_S)
        if not done:
            where = next(filter(None, (sits_at(chain, user) for chain in trio_tasks.chains())), "")
            raise LifespanFailed(closing.not_stopped(where))
        error = self._ended.result()
        if error is not None:
            raise error

    def wrapped(self, app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            """The app's call as a task of trio's; what it raises is raised here."""
            ended = asyncio.Event()
            scope_of_call = trio.CancelScope()
            raised: list[BaseException] = []

            async def run() -> None:
                try:
                    with scope_of_call:
                        await app(scope, self._awaited(receive), self._awaited(send))
                except BaseException as error:  # noqa: BLE001  # an error of a system task would end the run
                    raised.append(error)
                ended.set()

            task = trio.lowlevel.spawn_system_task(run, context=contextvars.copy_context())
            try:
                await ended.wait()
            except asyncio.CancelledError:
                self._as_trio(scope_of_call.cancel)()
                await ended.wait()
                raise
            finally:
                del task  # it is read while the call is under way: see `bridges`
            if raised:
                raise raised.pop()

        bridges.add(call.__code__)
        return call

    def _awaited(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """`receive` or `send`, of asyncio's, as a task of trio's can await it."""

        async def awaited(*args: Any) -> Any:
            return await self._driven(call(*args).__await__())

        return awaited

    @coroutine
    def _driven(self, call: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Step the call. Where it awaits a future of asyncio's, the task of trio's sleeps until that is done."""
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                awaited = self._step(call, value, error)
            except StopIteration as end:
                return end.value
            value = error = None
            try:
                if isinstance(awaited, asyncio.Future):
                    awaited._asyncio_future_blocking = False  # noqa: SLF001  # see above
                    yield from _until_done(awaited, self._ours).__await__()
                elif awaited is None:  # `asyncio.sleep(0)`
                    yield from _turn().__await__()
                else:
                    value = yield awaited  # trio's own
            except BaseException as raised:  # noqa: BLE001  # as of a cancellation: it is raised in the call
                error = raised

    def _step(self, call: Generator[Any, Any, Any], value: Any, error: BaseException | None) -> Any:
        _set_running_loop(self._loop)
        try:
            return call.send(value) if error is None else call.throw(error)
        finally:
            _set_running_loop(None)


async def _turn() -> None:
    await trio.lowlevel.checkpoint()


async def _until_done(future: "asyncio.Future[Any]", ours: contextvars.Context) -> None:
    task = trio.lowlevel.current_task()
    waits = True

    def wake(_future: object) -> None:
        if waits:
            trio.lowlevel.reschedule(task)

    def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
        nonlocal waits
        waits = False
        future.remove_done_callback(wake)
        return trio.lowlevel.Abort.SUCCEEDED

    future.add_done_callback(wake, context=ours)
    await trio.lowlevel.wait_task_rescheduled(abort)


class _Steps(trio.abc.Instrument):
    """Meters each step of a task, while the thread has a meter.

    A tick of trio is a step of ours, whose CPU `instrument` takes off; what the tasks compute in it is the app's.
    """

    _began = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = thread_cpu()
        step = guarded(whose_step, task.context.get(CURRENT))
        if step is not None:
            meter, owner = step
            guarded(meter.begin, owner)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002  # trio's signature
        meter = current_meter()
        if meter is not None:
            guarded(meter.end)
            meter.deductions.ever -= thread_cpu() - self._began

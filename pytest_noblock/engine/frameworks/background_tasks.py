"""Background tasks: what a request added, what ran, and when. Knows Starlette, if the app imported it.

A wrapper of `BackgroundTask.__init__` records every task that is made within a request, those of `add_task`
included. A wrapper of `BackgroundTask.__call__` records its run. The ContextVar says whose task it is.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import Any

from anyio.lowlevel import cancel_shielded_checkpoint

from pytest_noblock.engine import errors
from pytest_noblock.engine.endpoints import code_of
from pytest_noblock.engine.exchange import CURRENT, LiveExchange, Message
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.live_tasks import LiveTask, ToldTask
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import Patch, attribute
from pytest_noblock.engine.raw_stacks import RawFrame, capture
from pytest_noblock.engine.stacks import first_line, user_line
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Task

Join = Callable[[Patch], None]
"""Installs one patch more, which is uninstalled with the others."""


def patches(join: Join) -> Iterator[Patch]:
    """The patches that record Starlette's background tasks; none where Starlette is not imported.

    `join` installs the patch of a subclass, once one of its tasks is made.
    """
    single = attribute("starlette.background", "BackgroundTask")
    several = attribute("starlette.background", "BackgroundTasks")
    if single is not None and several is not None:
        yield Patch(several, "__init__", _collecting)
        yield Patch(several, "add_task", _collecting)
        yield Patch(single, "__call__", _run)
        yield Patch(single, "__init__", functools.partial(_making, single, join))


def _making(single: type, join: Join, original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(task: Any, *args: Any, **kwargs: Any) -> None:
        original(task, *args, **kwargs)
        record = CURRENT.get()
        if record is not None:
            guarded(_add, record, task, sys._getframe(1))
            guarded(_record_runs_of, type(task), single, join)

    return __init__


def _add(record: LiveExchange, task: object, caller: FrameType) -> None:
    record.tasks.append(LiveTask(task, capture(caller)))


def _record_runs_of(made: type, single: type, join: Join) -> None:
    """A subclass may run its tasks in a `__call__` of its own, which does not pass through Starlette's."""
    for kind in made.__mro__[: made.__mro__.index(single)]:
        if "__call__" in vars(kind) and issubclass(kind, single):
            join(Patch(kind, "__call__", _run))


def _collecting(original: Callable[..., None]) -> Callable[..., None]:
    """`BackgroundTasks` is given its tasks in `__init__`, and one more in `add_task`."""

    @functools.wraps(original)
    def collecting(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        guarded(_mark_batch, self)

    return collecting


def _mark_batch(tasks: Any) -> None:
    """One object runs these tasks: where one raises, it never runs those after it."""
    for task in tasks.tasks:
        made = _record_of(task)
        if made is not None:
            made.batch = id(tasks)


def _run(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def __call__(self: Any) -> None:
        __tracebackhide__ = True
        made = guarded(_record_of, self)
        if made is None or made.began is not None:  # awaited by the endpoint before, or `super().__call__()`
            await original(self)
            return
        made.began = now()
        made.called = guarded(capture, sys._getframe(1)) or ()
        try:
            await original(self)
        except BaseException as error:
            made.error = error
            raise
        finally:
            made.ended = now()

    return __call__


def _record_of(task: object) -> LiveTask | None:
    """The task's record in the current request; a task that was made before the request gets one when it runs."""
    record = CURRENT.get()
    if record is None:
        return None
    made = next((each for each in record.tasks if each.is_of(task)), None)
    if made is None:
        made = LiveTask(task, [])
        record.tasks.append(made)
    return made


async def let_begin(record: LiveExchange, message: Message) -> None:
    """Yields to the loop before a body message is sent, as a slow client would make `send` do.

    A framework that begins a task before the body is sent then begins it here, in every run, and not
    only where the client happens to be slow.
    """
    if message.get("type") == "http.response.body" and any(each.began is None for each in record.tasks):
        await cancel_shielded_checkpoint()


def let_go(made: LiveTask, sent: Iterable[str] = ()) -> None:
    """The request has ended: keep what is told of the task, and neither the task nor what it raised.

    `sent`: the values that its request sent, which no error tells.
    """
    if made.told is None:
        made.let_go(_told(made, sent))


def _told(made: LiveTask, sent: Iterable[str]) -> ToldTask:
    function = _plain(getattr(made.task, "func", None))
    return ToldTask(
        name=_text_of(function, "__name__", type(function).__name__),
        module=_text_of(function, "__module__", ""),
        qualname=_text_of(function, "__qualname__", type(function).__qualname__),
        arguments=_arguments(made.task),
        code=code_of(function),
        error=None if made.error is None else _error_of(made, made.error, sent),
    )


def _error_of(made: LiveTask, error: BaseException, sent: Iterable[str]) -> errors.Raised:
    from pytest_noblock.engine.sent_values import argument_values  # most tasks raise nothing

    return errors.told(error, secrets={*sent, *argument_values(made.task)})


def _text_of(function: object, name: str, otherwise: str) -> str:
    value = getattr(function, name, None)
    return value if isinstance(value, str) else otherwise


def values(record: LiveExchange, user: UserCode) -> tuple[Task, ...]:
    """The request's tasks, in the order in which they were added; their frames carry absolute files."""
    return tuple(_value(each, record, user) for each in record.tasks)


def _value(made: LiveTask, record: LiveExchange, user: UserCode) -> Task:
    told = made.told or _told(made, ())
    return Task(
        name=told.name,
        module=told.module,
        qualname=told.qualname,
        arguments=told.arguments,
        added_at=user_line(made.added, user),
        began=made.began,
        ended=made.ended,
        error=None if told.error is None else told.error.text,
        raised_at=None if told.error is None else errors.place(told.error, user),
        called_at=user_line(_inside_handler(made.called, record), user),
        batch=made.batch,
        defined=None if told.code is None else first_line(told.code, user),
    )


def _plain(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _arguments(task: object) -> str:
    """The types of the task's arguments: the values may be passwords, and a `repr` of the user's may raise."""
    try:
        given = [type(each).__name__ for each in getattr(task, "args", ())]
        named = [f"{name}={type(each).__name__}" for name, each in getattr(task, "kwargs", {}).items()]
    except Exception:  # noqa: BLE001  # a task of the user's own may have anything there
        return "..."
    return ", ".join(given + named)


def _inside_handler(frames: Sequence[RawFrame], record: LiveExchange) -> Sequence[RawFrame]:
    """The frames up to the endpoint, where the endpoint awaits the task; else none."""
    code = record.endpoint_code[0] if record.endpoint_code is not None else None
    depth = next((depth for depth, frame in enumerate(frames, 1) if frame[0] is code), 0)
    return frames[:depth]

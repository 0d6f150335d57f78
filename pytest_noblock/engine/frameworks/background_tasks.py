"""Background tasks: what was added, what ran, when. Knows Starlette, if the app does.

`BackgroundTask.__init__` sees every task that is made within a request, `add_task`'s
included; `BackgroundTask.__call__` sees it run; the ContextVar says whose it is.
"""

import functools
import inspect
import reprlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from anyio.lowlevel import cancel_shielded_checkpoint

from pytest_noblock.engine.exchange import CURRENT, LiveExchange, LiveTask, Message
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.stacks import RawFrame, as_stack, capture
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame, user_frame
from pytest_noblock.model.observation import Task

Join = Callable[[Patch], None]
"""Has a patch put on, to be taken off with the others."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 40


def patches(join: Join) -> Iterator[Patch]:
    """Observe Starlette's background tasks; none where Starlette is not imported."""
    single = getattr(sys.modules.get("starlette.background"), "BackgroundTask", None)
    several = getattr(sys.modules.get("starlette.background"), "BackgroundTasks", None)
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
            record.tasks.append(LiveTask(task, capture(sys._getframe(1))))
            _meet(type(task), single, join)

    return __init__


def _meet(made: type, single: type, join: Join) -> None:
    """A class of the user's may run its tasks in a `__call__` of its own: that is observed, too, once it is met."""
    for kind in made.__mro__[: made.__mro__.index(single)]:
        if "__call__" in vars(kind) and issubclass(kind, single):
            join(Patch(kind, "__call__", _run))


def _collecting(original: Callable[..., None]) -> Callable[..., None]:
    """`BackgroundTasks` was given tasks, or one more."""

    @functools.wraps(original)
    def collecting(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _together(self)

    return collecting


def _together(tasks: Any) -> None:
    """One object holds them: where one raises, those after it never run."""
    for task in tasks.tasks:
        made = _record_of(task)
        if made is not None:
            made.batch = id(tasks)


def _run(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def __call__(self: Any) -> None:
        made = _record_of(self)
        if made is None or made.began is not None:  # awaited by hand, then by the framework; a class's super()
            await original(self)
            return
        made.began = now()
        made.called = capture(sys._getframe(1))
        try:
            await original(self)
        except BaseException as error:
            made.error = error
            raise
        finally:
            made.ended = now()

    return __call__


def _record_of(task: object) -> LiveTask | None:
    """The record in the present request; one that was made before the request is recorded when it runs."""
    record = CURRENT.get()
    if record is None:
        return None
    made = next((each for each in record.tasks if each.task is task), None)
    if made is None:
        made = LiveTask(task, [])
        record.tasks.append(made)
    return made


async def let_begin(record: LiveExchange, message: Message) -> None:
    """A slow client's turn: what begins a task before the body is sent does it now, and not by luck just after."""
    if message["type"] == "http.response.body" and any(each.began is None for each in record.tasks):
        await cancel_shielded_checkpoint()


def values(record: LiveExchange, user: UserCode) -> tuple[Task, ...]:
    """The request's tasks, in the order in which they were added."""
    return tuple(_value(each, record, user) for each in record.tasks)


def _value(made: LiveTask, record: LiveExchange, user: UserCode) -> Task:
    function = _plain(getattr(made.task, "func", None))
    return Task(
        name=getattr(function, "__name__", type(function).__name__),
        module=getattr(function, "__module__", None) or "",
        qualname=getattr(function, "__qualname__", type(function).__qualname__),
        arguments=_arguments(made.task),
        added_at=user_frame(as_stack(made.added, user)),
        began=made.began,
        ended=made.ended,
        error=None if made.error is None else repr(made.error),
        called_at=_shown(user_frame(as_stack(_inside_handler(made.called, record), user)), user),
        batch=made.batch,
        in_thread=not getattr(made.task, "is_async", False),
    )


def _plain(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _arguments(task: object) -> str:
    """Shortened, as in a call; whatever a `repr` of the user's does stays here."""
    try:
        given = [_SHORT.repr(each) for each in getattr(task, "args", ())]
        named = [f"{name}={_SHORT.repr(each)}" for name, each in getattr(task, "kwargs", {}).items()]
    except Exception:  # noqa: BLE001  # the user's code, run for a report only
        return "..."
    return ", ".join(given + named)


def _shown(frame: Frame | None, user: UserCode) -> Frame | None:
    return frame.named(user.relative(frame.file)) if frame else None


def _inside_handler(frames: Sequence[RawFrame], record: LiveExchange) -> Sequence[RawFrame]:
    """The frames up to the endpoint, where it is the endpoint that waits for the task; else none."""
    endpoint = inspect.unwrap(record.scope.get("endpoint") or _plain)
    code = getattr(endpoint, "__code__", None)
    depth = next((depth for depth, frame in enumerate(frames, 1) if frame[0] is code), 0)
    return frames[:depth]

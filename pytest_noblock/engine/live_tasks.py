"""A background task under way, and what is kept of it once its request has ended."""

import weakref
from collections.abc import Callable, Sequence
from types import CodeType
from typing import NamedTuple

from pytest_noblock.engine.errors import Raised
from pytest_noblock.engine.raw_stacks import RawFrame


class LiveTask:
    """A background task while it happens; `observation.Task` is what remains of it. Times in ns."""

    batch: int | None = None
    """The `id` of the `BackgroundTasks` that holds the task, where one does."""
    began: int | None = None
    ended: int | None = None
    error: BaseException | None = None
    called: Sequence[RawFrame] = ()
    """The stack that awaited the task."""
    told: "ToldTask | None" = None
    """What is told of the task and of its error when the request has ended; from then on both are let go of."""
    _reference: Callable[[], object] | None = None

    def __init__(self, task: object, added: list[RawFrame]) -> None:
        """`task` is the framework's own object, `added` the stack that made it."""
        self.task = task
        self.added = added

    def is_of(self, task: object) -> bool:
        """Whether it is the record of this task. A task may run after its request has ended."""
        return self.task is task or (self._reference is not None and self._reference() is task)

    def let_go(self, told: "ToldTask") -> None:
        """Keep the words in the place of the task's objects."""
        self.told = told
        self._reference = _reference(self.task)
        self.task = self.error = None


class ToldTask(NamedTuple):
    """A background task in words."""

    name: str
    module: str
    qualname: str
    arguments: str
    code: CodeType | None
    """Of the task's function."""
    error: Raised | None


def _reference(thing: object) -> Callable[[], object] | None:
    try:
        return weakref.ref(thing)
    except TypeError:
        return None

"""asyncio's default executor, seen from the loop: which request's calls run in it, and which wait."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pytest_noblock.engine.exchange import CURRENT, LiveExchange

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Job:
    """A call that was given to the default executor."""

    call: Callable[..., Any]
    jobs: "set[Job]"
    unanswered: "set[Job]"
    """Those that are done and whose task has not been told count, too."""
    task: "asyncio.Task[Any] | None"
    """The task that gave it."""
    record: LiveExchange | None = field(default_factory=CURRENT.get)
    ident: int | None = None
    """The thread that runs it."""

    @property
    def begun(self) -> bool:
        return self.ident is not None

    def __call__(self, *args: Any) -> Any:
        self.ident = threading.get_ident()
        try:
            return self.call(*args)
        finally:
            self.jobs.discard(self)

    def given_up(self, _future: object) -> None:
        """Whoever waited for it does no more: a thread that has begun goes on with it."""
        self.unanswered.discard(self)
        if not self.begun:
            self.jobs.discard(self)


class SeesExecutor(asyncio.BaseEventLoop):
    """A loop that remembers what its default executor has to do: it carries no context by which to ask later."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.jobs: set[Job] = set()
        self.unanswered: set[Job] = set()

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        job = Job(func, self.jobs, self.unanswered, asyncio.current_task(self))
        self.jobs.add(job)
        self.unanswered.add(job)
        future = super().run_in_executor(None, job, *args)
        future.add_done_callback(job.given_up)
        return future

    @property
    def threads(self) -> int:
        """The most threads of its default executor; 0 while there is none."""
        return getattr(self._default_executor, "_max_workers", 0)  # type: ignore[attr-defined]

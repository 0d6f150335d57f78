"""An event loop that remembers the calls in its default executor: the executor's threads carry no context."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pytest_noblock.engine.exchange import CURRENT, LiveExchange

T = TypeVar("T")


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One call that was given to the default executor. The loop thread makes it, a worker calls it."""

    call: Callable[..., Any]
    jobs: "set[Job]"
    """The loop's jobs that have not ended, this one included."""
    unanswered: "set[Job]"
    """The loop's jobs whose future is not done; a job that has ended is in it until the loop takes the answer."""
    task: "asyncio.Task[Any] | None"
    """The task that gave it; None where a callback did."""
    record: LiveExchange | None = field(default_factory=CURRENT.get)
    """The request that gave it."""
    worker: int | None = None
    """The identity of the worker that calls it; None until one does."""

    @property
    def begun(self) -> bool:
        return self.worker is not None

    def __call__(self, *args: Any) -> Any:
        """On a worker: make the call."""
        self.worker = threading.get_ident()
        try:
            return self.call(*args)
        finally:
            self.jobs.discard(self)

    def future_done(self, _future: object) -> None:
        """On the loop thread: answered, or cancelled. A cancelled job that a worker has begun goes on."""
        self.unanswered.discard(self)
        if not self.begun:
            self.jobs.discard(self)


class SeesExecutor(asyncio.BaseEventLoop):
    """A loop whose default executor's calls are jobs. Other executors' calls are let through."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.jobs: set[Job] = set()
        self.unanswered: set[Job] = set()

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        job = Job(call=func, jobs=self.jobs, unanswered=self.unanswered, task=asyncio.current_task(self))
        self.jobs.add(job)
        self.unanswered.add(job)
        future = super().run_in_executor(None, job, *args)
        future.add_done_callback(job.future_done)
        return future

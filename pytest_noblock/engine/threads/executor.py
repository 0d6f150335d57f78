"""An event loop that remembers the calls in thread pools of asyncio: the pools' threads carry no context."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.steps.python_threads import mark_as_the_apps

T = TypeVar("T")


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One call that was given to an executor. The loop thread makes it, a worker calls it."""

    call: Callable[..., Any]
    jobs: "set[Job]"
    """The jobs that have not ended, this one included."""
    unanswered: "set[Job]"
    """The jobs whose future is not done; a job that has ended is in it until the loop takes the answer."""
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
        mark_as_the_apps(threading.current_thread())
        try:
            return self.call(*args)
        finally:
            self.jobs.discard(self)

    def future_done(self, _future: object) -> None:
        """On the loop thread: answered, or cancelled. A cancelled job that a worker has begun goes on."""
        self.unanswered.discard(self)
        if not self.begun:
            self.jobs.discard(self)


class SeesExecutor(asyncio.AbstractEventLoop):
    """A loop whose default executor's calls are jobs, and those of the app's own thread pools."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.jobs: set[Job] = set()
        self.unanswered: set[Job] = set()
        self.own_jobs: set[Job] = set()
        self.own_unanswered: set[Job] = set()
        """The same two of the app's own pools."""

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        if executor is not None and not isinstance(executor, ThreadPoolExecutor):  # a process cannot take a job
            return super().run_in_executor(executor, func, *args)
        jobs, unanswered = (self.jobs, self.unanswered) if executor is None else (self.own_jobs, self.own_unanswered)
        job = Job(call=func, jobs=jobs, unanswered=unanswered, task=asyncio.current_task(self))
        jobs.add(job)
        unanswered.add(job)
        future: asyncio.Future[T] = super().run_in_executor(executor, job, *args)
        if future.done():  # from Python 3.14 on where the worker was faster
            job.future_done(future)
        else:
            future.add_done_callback(job.future_done)
        return future

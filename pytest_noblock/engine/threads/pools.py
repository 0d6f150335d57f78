"""The two thread pools of the running loop, read on the loop thread: anyio's limiter, asyncio's default executor."""

import asyncio
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from anyio.to_thread import current_default_thread_limiter

from pytest_noblock.engine.exchange import LiveExchange, record_of
from pytest_noblock.engine.steps.other_loops import running_loop
from pytest_noblock.engine.threads import workers
from pytest_noblock.engine.threads.await_chains import AnyTask
from pytest_noblock.engine.threads.executor import Job, SeesExecutor
from pytest_noblock.model.observation import EXECUTOR, THREADS


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a token: the request, and the task of it that waits for the worker; None where nobody knows."""

    record: LiveExchange | None
    task: AnyTask | None
    worker: int | None = None
    """The identity of the worker; None in anyio's pool, which does not tell."""


class Pool(Protocol):
    """Every answer holds for the moment of the call only."""

    name: str

    @property
    def total(self) -> float:
        """How many tokens there are; infinite where the app says so."""
        ...

    def taken(self) -> int:
        """How many tokens have a holder."""
        ...

    def waiting(self) -> int:
        """How many calls wait for a token."""
        ...

    def holders(self) -> Sequence[Holder]:
        """Who has tokens, without the probes."""
        ...

    def awaited(self) -> Sequence[Holder]:
        """The holders, and the requests whose worker is done while the loop has not taken the answer yet."""
        ...

    def threads(self) -> list[threading.Thread]:
        """The workers."""
        ...

    def at_work(self) -> int:
        """How many workers work. A worker that is done keeps its token until the loop takes the answer."""
        ...

    def free(self) -> bool:
        """Whether a call would get a token at once."""
        ...

    async def probe(self) -> None:
        """Wait as long as a call has to wait for a token. Takes no worker where one is free."""
        ...


class _ProbeToken:
    """A probe borrows a token in the name of such an object."""


class TokenPool:
    """Where `def` endpoints and dependencies, `run_in_threadpool` and anyio's files run."""

    name = THREADS

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._limiter = current_default_thread_limiter()

    @property
    def total(self) -> float:
        return self._limiter.total_tokens

    def taken(self) -> int:
        return self._limiter.borrowed_tokens

    def waiting(self) -> int:
        return self._limiter.statistics().tasks_waiting

    def holders(self) -> Sequence[Holder]:
        borrowers = self._limiter.statistics().borrowers
        return [_holder(each) for each in borrowers if not isinstance(each, _ProbeToken)]

    def awaited(self) -> Sequence[Holder]:
        return self.holders()

    def threads(self) -> list[threading.Thread]:
        return workers.of_anyio(self._loop)

    def at_work(self) -> int:
        return workers.at_work(self.threads())

    def free(self) -> bool:
        return self.taken() < self.total and not self.waiting()

    async def probe(self) -> None:
        """Take a token, no worker: who has a token gets a worker at once. A worker's start must not be measured."""
        token = _ProbeToken()
        await self._limiter.acquire_on_behalf_of(token)
        self._limiter.release_on_behalf_of(token)


class ExecutorPool:
    """Where `asyncio.to_thread` and `run_in_executor(None, ...)` run; `total` is 0 before the first call."""

    name = EXECUTOR

    def __init__(self, loop: SeesExecutor) -> None:
        self._loop = loop

    @property
    def total(self) -> float:
        return workers.most_of_executor(self._loop)

    def taken(self) -> int:
        return sum(job.begun for job in list(self._loop.jobs))

    def waiting(self) -> int:
        return sum(not job.begun for job in list(self._loop.jobs))

    def holders(self) -> Sequence[Holder]:
        return _begun(self._loop.jobs)

    def awaited(self) -> Sequence[Holder]:
        return _begun(self._loop.unanswered)

    def threads(self) -> list[threading.Thread]:
        return workers.of_executor(self._loop)

    def at_work(self) -> int:
        return self.taken()

    def free(self) -> bool:
        return self.taken() < self.total

    async def probe(self) -> None:
        """Only a call can wait in the executor's queue: a probe makes one where the pool is full, and only there."""
        if self.total and self.taken() >= self.total:
            await self._loop.run_in_executor(None, _nothing)


def of_running_loop() -> list[Pool]:
    """anyio's pool, and the default executor's where the loop remembers its jobs."""
    loop = asyncio.get_running_loop()
    return [TokenPool(), *([ExecutorPool(loop)] if isinstance(loop, SeesExecutor) else [])]


def awaited_in_own_pools(loop: asyncio.AbstractEventLoop | None = None) -> Sequence[Holder]:
    """Who waits for a worker of the app's own thread pools, in this loop.

    Else in the running one; in a step of trio's there is none.
    """
    loop = loop or running_loop()
    return _begun(loop.own_unanswered) if isinstance(loop, SeesExecutor) else []


def _holder(borrower: object) -> Holder:
    return Holder(record_of(borrower), borrower) if isinstance(borrower, asyncio.Task) else Holder(None, None)


def _begun(jobs: Iterable[Job]) -> list[Holder]:
    """`jobs` is copied first: workers take theirs out at any moment."""
    return [Holder(job.record, job.task, job.worker) for job in list(jobs) if job.begun and job.call is not _nothing]


def _nothing() -> None:
    """The call that a probe gives to a worker."""

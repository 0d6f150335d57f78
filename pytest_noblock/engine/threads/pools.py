"""The thread pools of the running loop: anyio's limiter (`def` endpoints), asyncio's default executor."""

import asyncio
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from anyio.to_thread import current_default_thread_limiter

from pytest_noblock.engine.exchange import LiveExchange, record_of
from pytest_noblock.engine.threads import workers
from pytest_noblock.engine.threads.executor import Job, SeesExecutor
from pytest_noblock.model.observation import EXECUTOR, THREADS

Task = asyncio.Task[object]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has one of the threads: the request, where there is one, and the task that waits for it."""

    record: LiveExchange | None
    task: Task | None
    ident: int | None = None
    """The thread, where it is known."""


class Pool(Protocol):
    """As seen at the moment of asking."""

    name: str

    @property
    def total(self) -> float: ...
    def taken(self) -> int: ...
    def waiting(self) -> int: ...
    def holders(self) -> Sequence[Holder]: ...
    def awaited(self) -> Sequence[Holder]:
        """The holders, and those whose thread is done and who have not been told."""
        ...

    def threads(self) -> list[threading.Thread]: ...
    def at_work(self) -> int:
        """How many threads are; one that is done has its token until the loop takes the answer."""
        ...

    def free(self) -> bool:
        """Whether a call would have a thread at once."""
        ...

    async def probe(self) -> None:
        """Wait as a call would that needs a thread; where one is free, none is taken."""


class _OurToken:
    """Who borrows a token for a probe."""


class TokenPool:
    """What `def` endpoints and dependencies, `run_in_threadpool` and files run in."""

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
        return [_holder(each) for each in borrowers if not isinstance(each, _OurToken)]

    def awaited(self) -> Sequence[Holder]:
        return self.holders()

    def threads(self) -> list[threading.Thread]:
        return workers.of_anyio(self._loop)

    def at_work(self) -> int:
        return workers.at_work(self.threads())

    def free(self) -> bool:
        return self.taken() < self.total and not self.waiting()

    async def probe(self) -> None:
        """A token without a thread: with the token a thread is had at once, and one that works would be measured."""
        token = _OurToken()
        await self._limiter.acquire_on_behalf_of(token)
        self._limiter.release_on_behalf_of(token)


class ExecutorPool:
    """What `asyncio.to_thread` and `run_in_executor(None, ...)` run in; `total` is 0 before the first call."""

    name = EXECUTOR

    def __init__(self, loop: SeesExecutor) -> None:
        self._loop = loop

    @property
    def total(self) -> float:
        return self._loop.threads

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
        """Its queue has no place to wait at but a call: one is made only where it has to wait."""
        if self.total and self.taken() >= self.total:
            await self._loop.run_in_executor(None, _nothing)


def of_running_loop() -> list[Pool]:
    loop = asyncio.get_running_loop()
    return [TokenPool(), *([ExecutorPool(loop)] if isinstance(loop, SeesExecutor) else [])]


def _holder(borrower: object) -> Holder:
    return Holder(record_of(borrower), borrower) if isinstance(borrower, asyncio.Task) else Holder(None, None)


def _begun(jobs: Iterable[Job]) -> list[Holder]:
    return [Holder(job.record, job.task, job.ident) for job in list(jobs) if job.begun and job.call is not _nothing]


def _nothing() -> None:
    """What a probe has a thread do."""

"""Thread pools that are wide enough for many requests at once: the requests of a sweep must not starve each other.

Private and read here: `_default_executor` of a loop (CPython 3.11 to 3.14). Where it is missing, the default executor
stays as it is, and calls of many requests wait for each other in it.
"""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter

_UNSET = object()


@contextmanager
def wide_pools(more: int) -> Iterator[None]:
    """On the running loop: `more` threads beyond those that the app has, in both pools, until the block is left."""
    with ExitStack() as stack:
        stack.enter_context(_wide_tokens(more))
        stack.enter_context(_wide_executor(asyncio.get_running_loop(), more))
        yield


@contextmanager
def _wide_tokens(more: int) -> Iterator[None]:
    """anyio's limiter, where `def` endpoints run. What the app itself sets meanwhile stays."""
    limiter = current_default_thread_limiter()
    before = limiter.total_tokens
    limiter.total_tokens = wide = before + more
    try:
        yield
    finally:
        if limiter.total_tokens == wide:
            limiter.total_tokens = before


@contextmanager
def _wide_executor(loop: asyncio.AbstractEventLoop, more: int) -> Iterator[None]:
    """asyncio's default executor. An executor of the app's own, which it has set, is left alone."""
    before: Any = getattr(loop, "_default_executor", _UNSET)
    if before is _UNSET or not _is_asyncios(before):
        yield
        return
    wide = ThreadPoolExecutor(_asyncios_threads() + more, thread_name_prefix="asyncio")
    loop.set_default_executor(wide)
    try:
        yield
    finally:
        if getattr(loop, "_default_executor", None) is wide:
            _put_back(loop, before)
        wide.shutdown(wait=False)


def _put_back(loop: Any, executor: Any) -> None:
    """By the setter: uvloop has its own beside the one that it shows. The setter takes no None."""
    if executor is None:
        loop._default_executor = None  # noqa: SLF001  # as above
    else:
        loop.set_default_executor(executor)


def _is_asyncios(executor: Any) -> bool:
    """Whether asyncio made it by itself, or none has been made yet."""
    return executor is None or getattr(executor, "_max_workers", 0) == _asyncios_threads()


def _asyncios_threads() -> int:
    """`ThreadPoolExecutor`'s own default."""
    counted: Any = getattr(os, "process_cpu_count", os.cpu_count)
    return min(32, (counted() or 1) + 4)

"""How the test's thread has the loop thread run a call: in the test's context, and once the test's thread sleeps."""

import asyncio
import concurrent.futures
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pytest_noblock.engine.now import read_file

_CALLER_SLEEPS_CHECKS = 20
_CALLER_SLEEPS_EVERY_S = 0.0005
"""Seconds between two of the 20 checks: a call waits 10 ms at most for its caller to sleep. Without busy processes the
first or second check finds the caller asleep. Where the caller gets no processor, a longer wait would cost more than
the error is worth."""

T = TypeVar("T")


def hand_over(call: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> "concurrent.futures.Future[T]":
    """Have the loop run the call in a copy of this context: what the test has in a ContextVar the app sees.

    The name of the test's async library is in one as well, for anyio (4.9 to 4.16, by sniffio 1.3, where that is
    installed): under a test on trio the app would take its loop for trio's.
    """
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.current_async_library_cvar.set("asyncio")
    return asyncio.run_coroutine_threadsafe(call, loop)


async def once_caller_sleeps(caller: int, function: Callable[..., Awaitable[T]], *args: object) -> T:
    """Call the function on the loop thread, once the test's thread sleeps; `caller` is the native id of that thread.

    The test's thread waits for the answer. The CPU time that it burns before it sleeps would
    count as the work of another thread during the request.
    """
    for _ in range(_CALLER_SLEEPS_CHECKS):
        if _sleeps(caller):
            break
        await asyncio.sleep(_CALLER_SLEEPS_EVERY_S)
    return await function(*args)


def _sleeps(native: int) -> bool:
    """Whether the kernel shows the thread as asleep (Linux: state `S` in `/proc/self/task/<tid>/stat`).

    True where there is no such file: the call is made at once then.
    """
    try:
        return read_file(f"/proc/self/task/{native}/stat").rpartition(b")")[2].split()[0] == b"S"
    except OSError:
        return True

"""Who watches a loop is told before it closes: what its tasks wait for is gone afterwards."""

import asyncio
from asyncio import runners
from collections.abc import Callable, Collection
from typing import Any

from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.raw_stacks import border

border(__file__)

Tasks = Collection["asyncio.Task[Any]"]

told: set[Callable[[asyncio.AbstractEventLoop, Tasks], None]] = set()
"""Called on the thread of a loop that closes, before its tasks are cancelled; with these tasks."""


def patch() -> Patch:
    return Patch(runners, "_cancel_all_tasks", _noting_cancelled)


def _noting_cancelled(original: Callable[[asyncio.AbstractEventLoop], None]) -> Callable[..., None]:
    """Tell who watches what a closing loop cancels: `asyncio.Runner` closes by this function (CPython 3.11 to 3.14).

    The test client's portal (anyio) and the runners of pytest's plugins are such runners. Most loops have no task left
    then: as the function does nothing else, it is spared to look for the tasks a second time.
    """
    looks_only_for_tasks = getattr(original, "__module__", "") == runners.__name__

    def _cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
        tasks = guarded(asyncio.all_tasks, loop) if told else None
        if tasks is not None:
            for tell in tuple(told):
                guarded(tell, loop, tasks)
        if tasks is None or tasks or not looks_only_for_tasks:
            original(loop)

    return _cancel_all_tasks

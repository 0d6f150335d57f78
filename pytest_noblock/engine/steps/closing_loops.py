"""Who watches a loop is told before it closes: what its tasks wait for is gone afterwards."""

import asyncio
from asyncio import runners
from collections.abc import Callable

from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.stacks import border

border(__file__)

told: set[Callable[[asyncio.AbstractEventLoop], None]] = set()
"""Called on the thread of a loop that closes, before its tasks are cancelled."""


def patch() -> Patch:
    return Patch(runners, "_cancel_all_tasks", _noting_cancelled)


def _noting_cancelled(original: Callable[[asyncio.AbstractEventLoop], None]) -> Callable[..., None]:
    """Tell who watches what a closing loop cancels: `asyncio.Runner` closes by this function (CPython 3.11 to 3.14).

    The test client's portal (anyio) and the runners of pytest's plugins are such runners.
    """

    def _cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
        for tell in tuple(told):
            tell(loop)
        original(loop)

    return _cancel_all_tasks

"""The loops on which a test's requests ran: what they still hold when they close, or when the test ends, is noted."""

import asyncio
from collections.abc import Collection

from pytest_noblock.engine import detached
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.steps import closing_loops
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import LIFESPAN, Ending


class OpenLoops:
    """The loops of one test that ran requests and have not closed.

    `start` and `stop` belong to the test's thread, `add` to the loop's.
    """

    def __init__(self, records: Collection[LiveExchange], user: UserCode) -> None:
        """`records`: of the test, as far as it has come. What was left behind is noted in them."""
        self._records = records
        self._user = user
        self._loops: set[asyncio.AbstractEventLoop] = set()

    def start(self) -> None:
        closing_loops.told.add(self._closes)

    def add(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loops.add(loop)

    def stop(self) -> None:
        """The test ends; a loop of a wider fixture goes on."""
        closing_loops.told.discard(self._closes)
        for loop in tuple(self._loops):
            if not loop.is_closed():
                self._note_left(loop, asyncio.all_tasks(loop), "running")

    def _closes(self, loop: asyncio.AbstractEventLoop, tasks: closing_loops.Tasks) -> None:
        if loop in self._loops:
            self._loops.discard(loop)
            self._note_left(loop, tasks, "cancelled")

    def _note_left(self, loop: asyncio.AbstractEventLoop, tasks: closing_loops.Tasks, ending: Ending) -> None:
        """Most loops close empty: the test client makes one for each request."""
        if not (tasks or detached.has_handles(loop)):
            return
        requests = [record for record in self._records if record.method != LIFESPAN]
        detached.note_left(loop, requests, self._user, ending, tasks)

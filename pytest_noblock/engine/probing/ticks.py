"""The turns of the loop that are probed: often while something happens, rarely while nothing can."""

import asyncio
import threading
from collections.abc import Callable

from pytest_noblock.engine.clocks import others_so_far
from pytest_noblock.engine.now import now

_MS = 1_000_000
_OFTEN = 5 * _MS
_OFTEN_AT_FIRST = 20
_LATER = 25 * _MS
_IDLE = 4 * _LATER
"""A turn wakes a process that may sleep, which costs it 0.1 to 0.3 ms: 1 % of a processor is what all may take."""
_WORKING_NS = 500_000
"""Other threads that burned less between two turns did not keep the interpreter lock."""


class LoopTicks:
    """A timer, and no task: each turn is one callback.

    When they are due is settled before; one that comes late shows that the loop was held.
    Where no step of a request ran since the last turn, and no thread of a request's
    can be at work, and nothing is waited for, the next is far off: the next step of a
    request has it come soon, before that step can hold the loop.
    """

    def __init__(self, taken: Callable[[int], None], look: Callable[[], bool]) -> None:
        """`taken` is told when each was due; `look` is called in them, and tells whether to go on often.

        To be made when no thread has been started yet that is the request's.
        """
        self.failure: Exception | None = None
        self._taken = taken
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._strangers = set(threading.enumerate())
        self._others = others_so_far()
        self._number = 0
        self._often = self._stirred = True
        self._idle = False
        self._due = now() + _OFTEN
        self._timer = self._armed()

    def wake(self) -> None:
        """A step of a request begins."""
        self._stirred = True
        if self._idle:
            self._idle = False
            self._timer.cancel()
            self._due = min(self._due, now() + _OFTEN)
            self._timer = self._armed()

    def stop(self) -> None:
        """What fell due and was not taken waited until now."""
        self._idle = False
        self._timer.cancel()
        while self._due < now():
            self._taken(self._due)
            self._step()

    def _turn(self) -> None:
        self._taken(self._due)
        try:
            self._often = self._look()
        except Exception as error:  # noqa: BLE001  # it is ours, and not the app's loop's
            self.failure = error
            return
        self._step()
        if self._due > now():  # else what fell due meanwhile comes first, each in a turn of its own
            self._rest()
        self._timer = self._armed()

    def _rest(self) -> None:
        self._idle = not (self._stirred or self._often or self._threads_work())
        self._stirred = False
        if self._idle:
            self._due += _IDLE - _LATER

    def _step(self) -> None:
        self._number += 1
        self._due += _OFTEN if self._often or self._number < _OFTEN_AT_FIRST else _LATER

    def _armed(self) -> asyncio.TimerHandle:
        return self._loop.call_later(max(0, self._due - now()) / 1e9, self._turn)

    def _threads_work(self) -> bool:
        before, self._others = self._others, others_so_far()
        return self._others - before > _WORKING_NS or not self._strangers.issuperset(threading.enumerate())

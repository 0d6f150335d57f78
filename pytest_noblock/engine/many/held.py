"""Has a step taken the loop for good? Looked at now and then from another thread."""

from pytest_noblock.engine.many.flights import Many
from pytest_noblock.engine.now import now
from pytest_noblock.engine.threads.workers import RunQueue

_EVERY_S = 1
"""Seconds between two looks at least, as `AppThread.call` looks."""


class HeldLoop:
    """Knows of the step that runs since when it is seen.

    What the machine does is no evidence: neither the time in which the loop thread waited for a processor, nor a pause
    of the whole machine, in which nobody looked.
    """

    def __init__(self, many: Many, seconds: float) -> None:
        """`seconds`: a step that runs for so long has taken the loop."""
        self._many = many
        self._limit = seconds
        self._began = 0
        """When the step began, by which it is known; 0: none has been seen."""
        self._looks = self._first = 0
        self._queue = RunQueue()

    def look(self) -> bool:
        """Whether a request's step has run for too long."""
        steps = self._many.metering.steps if self._many.metering is not None else None
        began = steps.runs_since if steps is not None else 0
        if steps is None or not began or self._many.holder(0) is None:
            self._began = 0
            return False
        if began != self._began:
            self._began, self._looks, self._first, self._queue = began, 0, now(), RunQueue()
        self._looks += 1
        queued = self._queue.read([steps.native])
        return self._looks > self._limit / _EVERY_S and now() - self._first - queued >= self._limit * 1e9

"""Requests that another thread still runs when the test is over, as a server in a thread of its own does.

A client has its answer once the response is complete, and the test may end with it. The app's call goes on: background
tasks, what a middleware does after the response. A client that gave up leaves the whole request behind.
"""

import threading
from collections.abc import Callable, Iterable

from pytest_noblock.engine.now import now, sleep
from pytest_noblock.engine.threads.under_way import UnderWay
from pytest_noblock.model.observation import WEBSOCKET

_EVERY_S = 0.002
_IDLE_LOOKS = 10
"""So many looks in a row must find nothing going on: a request may be between two steps."""


def wait(entered: Iterable[UnderWay], in_step: Callable[[int], bool], at_most: int) -> None:
    """Wait until they have ended, `at_most` so long (ns). To be called on the test's thread.

    `in_step`: whether the thread of this `threading.get_ident()` is in a step of a request.

    Some are not waited for to their end: one without a complete answer, as a stream that nobody reads, and a websocket,
    which a wider fixture may keep open. What they do now is.
    """
    own = threading.get_ident()
    others = [each for each in entered if each.ident != own and not _is_over(each, in_step)]
    until, idle = now() + at_most, 0
    while now() < until and idle < _IDLE_LOOKS and not all(_is_over(each, in_step) for each in others):
        idle = 0 if any(_goes_on(each, in_step) for each in others) else idle + 1
        sleep(_EVERY_S)


def _is_over(request: UnderWay, in_step: Callable[[int], bool]) -> bool:
    """The step in which the app's call returns ends later, and only then it is on record."""
    returned = request.record.returned is not None and not in_step(request.ident)
    return returned or (request.loop is not None and not request.loop.is_running())


def _goes_on(request: UnderWay, in_step: Callable[[int], bool]) -> bool:
    record = request.record
    answered = record.completed is not None and record.method != WEBSOCKET
    return not _is_over(request, in_step) and (answered or in_step(request.ident))

"""What an answer says of its route: measured, or not, and why (pure)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pytest_noblock.judge import inconclusive
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange
from pytest_noblock.sweep.reasons import Reason, reason_of

_SLASHES = (307, 308)
"""What a router answers for the same path with, or without, its last slash."""


class Answer(NamedTuple):
    """What came of a request."""

    reason: Reason | None = None
    """None: the route is measured."""
    words: str = ""
    mistake: str | None = None
    """A sentence that makes the run red."""


def answer_of(exchange: Exchange, shown: Callable[[str], str]) -> Answer:
    """Of a request that came to its end. `shown`: turns a file into the name that reports show."""
    if exchange.error is not None:
        return Answer("failed", f"raised {exchange.error}")
    if exchange.status is None or exchange.completed is None:
        return Answer("failed", "ended before its response was complete" if exchange.started else "gave no response")
    failed = next((task for task in exchange.tasks if task.error is not None), None)
    if failed is not None:
        return Answer("failed", f"its background task {failed.name} raised {failed.raised}")
    reason = reason_of(exchange.status)
    if reason is not None:
        return Answer(reason, f"answered {exchange.status}{_by(exchange, shown)}")
    if exchange.entered is False:
        return Answer(
            _in_front(exchange.status),
            f"answered {exchange.status} before its endpoint was called{_by(exchange, shown)}",
        )
    unseen = inconclusive.unseen(exchange)
    return Answer("failed", unseen, unseen) if unseen else Answer()


def unfinished(request: str, exchanges: Sequence[Exchange], sits: Frame | None, seconds: float) -> Answer:
    """Of a request that was cancelled because it did not end."""
    last = exchanges[-1] if exchanges else None
    if last is not None and last.started is not None and last.completed is None:
        return Answer("endless", "its response went on and on, and was cancelled")
    return Answer("endless", "it did not end, and was cancelled", inconclusive.stuck(request, seconds, sits, last))


def _in_front(status: int) -> Reason:
    """Something in front of the endpoint answered, and well: as a rule it sends to a login."""
    if status in _SLASHES:
        return "not-found"
    return "needs-auth" if 300 <= status < 400 else "rejected"


def _by(exchange: Exchange, shown: Callable[[str], str]) -> str:
    answered = exchange.answered
    if answered is None:
        return ""
    where = f" ({shown(answered.frame.file)}:{answered.frame.line})" if answered.frame is not None else ""
    return f" by {answered.name}{where}"

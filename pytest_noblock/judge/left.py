"""What a request left behind, as notes: pure functions. Nobody knows whether it would have held the loop."""

from collections.abc import Callable, Iterator
from typing import assert_never

from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Ending, Exchange, Left
from pytest_noblock.model.units import words


def notes(exchange: Exchange, limits: Limits, relative: Callable[[str], str]) -> Iterator[str]:
    """One sentence for each piece of detached work that was not measured to its end."""
    for left in dict.fromkeys(exchange.left):
        where = f"{relative(left.frame.file)}:{left.frame.line} in {left.frame.function}"
        yield f"{UNSETTLED}{exchange.request} left {_what(left)} at {where}, which {_ended(left.ending, limits)}"


def _what(left: Left) -> str:
    return "a timer behind, for the function" if left.ending == "due" else "work behind,"


def _ended(ending: Ending, limits: Limits) -> str:
    match ending:
        case "running":
            return "still ran when the test ended: from there on it was not measured"
        case "lingered":
            return f"still ran {words(limits.linger)} after the request (noblock_linger): it was measured up to there"
        case "cancelled":
            return "the closing loop of the test's client cancelled: from there on it was not measured"
        case "due":
            return "was not due yet: it was not measured"
        case _:
            assert_never(ending)

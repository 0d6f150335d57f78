"""Turns of the loop that lasted long while a request was under way, by what no request owns. Pure functions.

In a watched test the loop is the test's. Nobody knows whether the step was the app's, in a context of its own, or the
test's own: it is told, and not counted.
"""

from collections.abc import Callable, Iterator

from pytest_noblock.model.frames import Stack, user_frame
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.units import words

_IN_STEP = "in a step that no request owns: the test's own, or the app's in a context of its own"
_IN_POLL = "in a signal handler, or a finalizer, that ran while the loop waited for its selector"


def notes(
    observation: Observation, exchange: Exchange, limits: Limits, relative: Callable[[str], str]
) -> Iterator[str]:
    """One sentence for each line that was seen in such a turn."""
    long = (each for each in observation.held if each.exchange == exchange.number and each.ns >= limits.max_block)
    seen = ((_who(each.stack, relative), each.polls) for each in long if not _is_the_tests(each.stack))
    for who, polls in dict.fromkeys(seen):
        held = f"{who} held the event loop for more than {words(limits.max_block)}, {_IN_POLL if polls else _IN_STEP}"
        yield f"{UNSETTLED}while {exchange.request} was under way, or right after, {held}; not counted"


def _who(stack: Stack, relative: Callable[[str], str]) -> str:
    """Whose line ran. A callback that is written in C has no frame: there the loop's own stands first."""
    own = user_frame(stack)
    if own is not None:
        return f"{relative(own.file)}:{own.line} in {own.function}"
    inner = stack[0]
    return "a callback written in C" if inner.function == "_run" else f"{inner.name or inner.function} of a library"


def _is_the_tests(stack: Stack) -> bool:
    """Whether the test's own function runs: pytest collects those that are named so, unless told otherwise."""
    return any(frame.user and frame.function.startswith("test") for frame in stack)

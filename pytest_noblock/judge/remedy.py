"""What replaces one call, in pieces that `judge/placed.py` puts where the line runs."""

from typing import NamedTuple

from pytest_noblock.model.frames import Frame


class Remedy(NamedTuple):
    """What replaces one call."""

    ways: tuple[str, ...]
    """All ways, as they are written in an `async def` that makes the call itself."""
    anywhere: tuple[str, ...]
    """Those of them that may be written anywhere."""
    instead: str
    """The async way; empty where there is none."""
    thread: str
    """How the call is moved to a thread, with `{call}` for it; empty where a thread does not help."""
    pieces: bool
    """Whether no thread keeps the loop free, but smaller pieces do."""
    process: bool
    """Whether a process does, too: what it takes and returns may be small."""
    call: str
    """The call as it is written; empty where nobody knows."""
    aside: str
    """What a thread that makes it does with the GIL, where it computes."""
    in_thread: bool
    """Whether a plain `def` that runs in a thread keeps the loop free."""


def named(thing: Frame | None) -> str:
    """`SignUp.check` in backticks, as people would call it."""
    if thing is None:
        return "it"
    name = (thing.qualname or thing.function).rpartition("<locals>.")[2]
    return "the lambda" if name == "<lambda>" else f"`{name}`"

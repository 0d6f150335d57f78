"""Errors in words. An exception holds its traceback, and that holds every frame: nothing of ours keeps one."""

import os
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple

from pytest_noblock.engine.usercode import UserCode

_LONGEST = 500
"""Letters of a `repr`. That of a validation error may have a million."""
_READ = 4
"""How many times more letters are searched for secrets than are shown."""
_LEAST = 6
"""Letters of an environment variable's value that is kept secret: a shorter one, as `1`, stands in many words."""
_MOST_PLACES = 1000
"""As many frames as Python's own recursion limit allows."""


class Raised(NamedTuple):
    """What is told of an exception when its request has ended."""

    text: str
    """As `shown` gives it."""
    places: tuple[tuple[str, int, str], ...]
    """File, line and function of each frame of the traceback, the innermost last."""


def shown(thing: object, secrets: Iterable[str] = ()) -> str:
    """The `repr`, shortened, without secrets; the type alone where the user's `__repr__` raises, or gives no text.

    `secrets`: some that are known.
    """
    try:
        text = repr(thing)
    except Exception:  # noqa: BLE001  # the user's code, run for a report only
        return f"<{type(thing).__name__}, whose repr raises>"
    shown = without_secrets(text[: _READ * _LONGEST], secrets)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}... ({len(text)} letters)"


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """An error quotes what it failed with: a DSN, a URL, a header, the value of an environment variable."""
    try:
        from pytest_noblock.model.masks import SECRET_NAME, masked
    except Exception:  # noqa: BLE001  # no descriptor is left to open it: then the name of the error must do
        return f"{text.partition('(')[0].partition(':')[0]} (its text is not told)"
    given = (value for name, value in os.environ.items() if len(value) >= _LEAST and SECRET_NAME.fullmatch(name))
    return masked(text, (*secrets, *given))


def told(error: BaseException, trace: TracebackType | None = None, secrets: Iterable[str] = ()) -> Raised:
    """`trace` stands in for a traceback that was taken off the error. `secrets`: what the request sent."""
    return Raised(shown(error, secrets), tuple(_places(trace or error.__traceback__)))


def words(raised: Raised, user: UserCode) -> str:
    """`ValueError('no') at app/main.py:12 in report`: with the innermost user line, where there is one."""
    at = place(raised, user)
    return raised.text if at is None else f"{raised.text} at {at}"


def place(raised: Raised, user: UserCode) -> str | None:
    """`app/main.py:12 in report`: the innermost user line; None where there is none."""
    file, line, function = next((each for each in reversed(raised.places) if each[0] in user), ("", 0, ""))
    return f"{user.relative(file)}:{line} in {function}" if file else None


def _places(trace: TracebackType | None) -> Iterable[tuple[str, int, str]]:
    for _ in range(_MOST_PLACES):
        if trace is None:
            return
        code = trace.tb_frame.f_code
        yield code.co_filename, trace.tb_lineno or code.co_firstlineno, code.co_name
        trace = trace.tb_next

"""Errors in words. An exception holds its traceback, and that holds every frame: nothing of ours keeps one."""

import functools
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

    quoted: str
    """The beginning of its `repr`, not yet without secrets."""
    letters: int
    """Of the whole `repr`."""
    secrets: tuple[str, ...]
    """All that are known, as long as the request is: a test may set a variable of the environment for itself."""
    places: tuple[tuple[str, int, str], ...]
    """File, line and function of each frame of the traceback, the innermost last."""

    @property
    def text(self) -> str:
        """As `shown` gives it. To look for secrets takes 50 us, and most errors of requests are told nowhere."""
        return _shortened(_masked(self.quoted, self.secrets), self.letters)


def shown(thing: object, secrets: Iterable[str] = ()) -> str:
    """The `repr`, shortened, without secrets; the type alone where the user's `__repr__` raises, or gives no text.

    `secrets`: some that are known.
    """
    text = _quoted(thing)
    return _shortened(without_secrets(text[: _READ * _LONGEST], secrets), len(text))


def _quoted(thing: object) -> str:
    try:
        return repr(thing)
    except Exception:  # noqa: BLE001  # the user's code, run for a report only
        return f"<{type(thing).__name__}, whose repr raises>"


def _shortened(text: str, letters: int) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({letters} letters)"


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """An error quotes what it failed with: a DSN, a URL, a header, the value of an environment variable."""
    try:
        known = (*secrets, *_of_environment())
    except Exception:  # noqa: BLE001  # no descriptor is left to import what masks
        return _name_alone(text)
    return _masked(text, known)


def _name_alone(text: str) -> str:
    return f"{text.partition('(')[0].partition(':')[0]} (its text is not told)"


def _masked(text: str, secrets: Iterable[str]) -> str:
    try:
        from pytest_noblock.model.masks import masked
    except Exception:  # noqa: BLE001  # as above
        return _name_alone(text)
    return masked(text, secrets)


def _of_environment() -> list[str]:
    """The values of the environment that are secret, by their names."""
    return [value for name in os.environ if _is_secret(name) and len(value := os.environ.get(name, "")) >= _LEAST]


@functools.lru_cache(maxsize=1000)
def _is_secret(name: str) -> bool:
    from pytest_noblock.model.masks import SECRET_NAME

    return SECRET_NAME.fullmatch(name) is not None


def told(error: BaseException, trace: TracebackType | None = None, secrets: Iterable[str] = ()) -> Raised:
    """`trace` stands in for a traceback that was taken off the error. `secrets`: what the request sent."""
    text, places = _quoted(error), tuple(_places(trace or error.__traceback__))
    try:
        return Raised(text[: _READ * _LONGEST], len(text), (*secrets, *_of_environment()), places)
    except Exception:  # noqa: BLE001  # as above
        return Raised(_name_alone(text), len(text), (), places)


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

"""Exceptions of the user's code, told in half a sentence."""

import traceback
from types import TracebackType

from pytest_noblock.engine.usercode import UserCode


def told(error: BaseException, user: UserCode, trace: TracebackType | None = None) -> str:
    """`ValueError('no') at app/main.py:12 in report`; the innermost user line, where there is one."""
    lines = [each for each in traceback.extract_tb(trace or error.__traceback__) if each.filename in user]
    if not lines:
        return repr(error)
    return f"{error!r} at {user.relative(lines[-1].filename)}:{lines[-1].lineno} in {lines[-1].name}"

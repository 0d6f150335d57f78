"""Who awaits a method of the fixture is told that it is called without `await`, in an async test as well."""

import linecache
import re

import pytest

_NOT_AWAITABLE = re.compile(r"\b(?:Response|Check)\b.*\bawait")
"""Matches what CPython says of an `await` of what these methods return (seen in 3.11 to 3.13)."""
_SENTENCE = "noblock: its methods are called without await, in an async test as well: noblock.get(...)"


def explain(item: pytest.Item, error: BaseException) -> None:
    """Add the sentence to the test's error, which pytest prints with it."""
    if isinstance(error, TypeError) and _NOT_AWAITABLE.search(str(error)) and _by_fixture(item, error):
        error.add_note(_SENTENCE)


def _by_fixture(item: pytest.Item, error: TypeError) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else ""
    return "noblock" in getattr(item, "fixturenames", ()) and "noblock" in line

"""How a test's call ended before noblock says anything.

What a `unittest.TestCase` raises, unittest keeps to itself: the call ends as if the test had passed. pytest takes the
outcome from what is kept on the item, in `TestCaseFunction._excinfo` (private; seen in pytest 8.4 to 9.1). Where
another pytest lacks it, such a test counts as one that passed.
"""

import sys
from typing import Any

import pytest


def is_skip(error: BaseException) -> bool:
    """Whether it skips the test. pytest takes `unittest.SkipTest` for a skip in any test."""
    unittest = sys.modules.get("unittest")
    return isinstance(error, pytest.skip.Exception) or (unittest is not None and isinstance(error, unittest.SkipTest))


def kept_by_unittest(item: pytest.Item) -> BaseException | None:
    """What decides the outcome of a unittest's test, whose call has ended without an exception."""
    kept = _kept(item)
    return kept[0].value if kept else None


def forget_skip(item: pytest.Item) -> None:
    """The test fails, whatever it said before."""
    kept = _kept(item)
    if kept and is_skip(kept[0].value):
        kept.clear()


def _kept(item: pytest.Item) -> list[Any]:
    kept = getattr(item, "_excinfo", None)
    return kept if isinstance(kept, list) else []

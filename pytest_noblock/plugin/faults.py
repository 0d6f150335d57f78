"""Faults of our own, on pytest's side: the test keeps its outcome, its checks are inconclusive, the summary says why.

The entrances of `engine.guard` note the faults of the engine; `GUARD` notes those of the hooks.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TypeVar

import pytest

T = TypeVar("T")

ACCEPTED = "noblock-fault-accepted"
"""The user property of a fault where the test's action is `warn`: the run may be green."""
RED = "noblock-fault"
"""The same where it is `fail`."""
OF_WORKER = "noblock_faults"
"""What an xdist worker hands to the controller at its end: the sentences of faults that belong to no test."""
_MOST_TESTS = 3


class Guard:
    """`with GUARD:` stands around what a hook of ours does. What the user did wrong, and pytest's outcomes, pass."""

    def __enter__(self) -> None:
        """Nothing is to be set up."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        return isinstance(error, Exception) and noted(error)


def noted(error: Exception) -> bool:
    """Note the error, unless the user did wrong, or pytest ends: then the caller raises it again.

    `with GUARD:` calls it, and so does an `except` block of a hook that every test passes: this costs such a test less.
    """
    if isinstance(error, pytest.UsageError | pytest.exit.Exception):
        return False
    _note(error)
    return True


GUARD = Guard()
_unsaid: list[str] = []
"""Sentences of faults for which not even the guard could be imported."""


def _note(error: Exception) -> None:
    try:
        from pytest_noblock.engine.guard import noted  # a run without a fault needs no module for it
    except Exception:  # noqa: BLE001  # no descriptor is left to open it
        _unsaid.append(f"noblock failed, and did not judge this test: {type(error).__name__}: {error}")
    else:
        noted(error)


def pending() -> bool:
    """Whether there are faults that nobody has taken."""
    guard = sys.modules.get("pytest_noblock.engine.guard")  # a run that watches nothing does not load it
    return bool(_unsaid or (guard is not None and guard.waiting))


def taken() -> list[str]:
    """The sentences of the faults since the last call."""
    guard = sys.modules.get("pytest_noblock.engine.guard")
    sentences = [*_unsaid, *([] if guard is None else (fault.sentence for fault in guard.taken()))]
    _unsaid.clear()
    return sentences


def or_fail(work: Callable[[], T]) -> T:
    """What `work` gives, which the test cannot do without: where we fail, it fails with one sentence."""
    __tracebackhide__ = True
    with GUARD:
        return work()
    guard = sys.modules.get("pytest_noblock.engine.guard")
    pytest.fail(_unsaid[-1] if guard is None or _unsaid else guard.last(), pytrace=False)


class Told:
    """The faults of a run, for the summary; kept by the process that prints."""

    def __init__(self) -> None:
        self.red = False
        """Whether the run must not be green."""
        self._tests: dict[str, list[str]] = {}
        """By sentence: the tests."""

    def __bool__(self) -> bool:
        return bool(self._tests)

    def add(self, test: str, properties: Iterable[tuple[str, object]]) -> None:
        """Keep the faults among the user properties of a test."""
        for key, value in properties:
            if key in (RED, ACCEPTED):
                self.red |= key == RED
                self._tests.setdefault(str(value), []).append(test)

    def lines(self) -> Iterator[str]:
        """Each fault once, with the first of its tests."""
        for sentence, tests in self._tests.items():
            yield sentence
            names = list(dict.fromkeys(tests))
            yield from (f"      {test}" for test in names[:_MOST_TESTS])
            if len(names) > _MOST_TESTS:
                yield f"      and {len(names) - _MOST_TESTS} more"

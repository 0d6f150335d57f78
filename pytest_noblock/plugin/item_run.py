"""One run of one test."""

from functools import cached_property
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_noblock.plugin.markers import Marked
    from pytest_noblock.plugin.outcome import ItemOutcome
    from pytest_noblock.plugin.watching import ItemRecorder


class ItemRun:
    """One run of one test: the fixture's requests and the watched ones meet in its outcome."""

    recorder: "ItemRecorder | None" = None
    """None where the test is not watched."""
    ended = False
    """Whether the test's call has ended, and its requests have been judged."""

    def __init__(self, item: pytest.Item, ours: "Marked") -> None:
        """`ours`: the test's markers."""
        self.item = item
        self.ours = ours

    @cached_property
    def outcome(self) -> "ItemOutcome":
        from pytest_noblock.plugin.outcome import ItemOutcome

        return ItemOutcome(self.item, self.ours)

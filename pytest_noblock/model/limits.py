"""What is allowed."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_noblock.model.observation import Segment

NOTE_NS = 1_000_000
"""From here to the limit, `sync-io` and `cpu` are notes."""


class Limits(NamedTuple):
    """In ns; the one place of each default."""

    max_block: int = 50_000_000
    known_calls: bool = True
    """Whether a known blocking call may be made where a mock answers it."""

    def concern(self, segment: "Segment") -> bool:
        """Whether there may be a stall in it. One under the limit is noted if its line is known: something was seen."""
        seen = segment.samples or segment.calls or segment.round_trips or segment.doubtful_trips
        return bool(seen) or segment.wall >= self.max_block

"""What is allowed."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_noblock.model.observation import Segment

NOTE_NS = 1_000_000
"""`sync-io` and `cpu` of so many ns, up to the limit, are notes."""


class Limits(NamedTuple):
    """What a request may do; the one place of each default."""

    max_block: int = 50_000_000
    """Ns for which it may hold the loop in one go."""
    known_calls: bool = True
    """Whether it may make a known blocking call that a mock answers."""

    def concern(self, segment: "Segment") -> bool:
        """Whether a segment is worth judging: it reached the limit, or more than its times was recorded."""
        recorded = segment.samples or segment.calls or segment.round_trips or segment.doubtful_trips
        return bool(recorded) or segment.wall >= self.max_block

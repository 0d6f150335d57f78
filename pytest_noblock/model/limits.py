"""What is allowed."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_noblock.model.segment import Segment

NOTE_NS = 1_000_000
"""`sync-io` and `cpu` of so many ns, up to the limit, are notes."""

SAMPLE_AFTER_NS = 10_000_000
"""The watchdog samples the loop thread's stack when a step has run for so long, or for half the limit."""


class Limits(NamedTuple):
    """What a request may do; the one place of each default."""

    max_block: int = 50_000_000
    """Ns for which it may hold the loop in one go."""

    def concern(self, segment: "Segment") -> bool:
        """Whether a segment is worth judging: it reached the limit, or more than its times was recorded."""
        recorded = segment.samples or segment.calls or segment.round_trips or segment.doubtful_trips
        return bool(recorded) or segment.wall >= self.max_block


def sample_after(max_block: int) -> int:
    """How long a step runs before its stack is sampled, in ns, where `max_block` is the limit."""
    return min(SAMPLE_AFTER_NS, max_block // 2)

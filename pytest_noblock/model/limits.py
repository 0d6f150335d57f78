"""What a request may do, and from which size on the plugin looks at a step."""

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_noblock.model.segment import Segment

NOTE_NS = 1_000_000
"""Ns: a stall that the limit decides is a note from this size up to the limit. A shorter one is not told."""

UNSETTLED = "unsettled: "
"""How a note begins of which nobody can say whether it should have been a finding. The summary of the run tells it."""

SAMPLE_AFTER_NS = 10_000_000
"""Ns: the watchdog samples the loop thread's stack when a step has run for so long, or for half the limit if that is
less."""


class Limits(NamedTuple):
    """What a request may do. The defaults of the options stand here and nowhere else."""

    max_block: int = 50_000_000
    """Ns for which the request may hold the loop in one go."""
    linger: int = 1_000_000_000
    """Ns: how long the fixture waits, after the app's call has returned, for what the request started and nobody
    awaited."""
    max_total: int = 0
    """Ns for which one request may hold the loop in all; 0 where it may for as long as it likes."""

    def concern(self, segments: "Iterable[Segment]") -> bool:
        """Whether the segments are worth judging: one has a call or a trip, or the app held the loop long.

        For half the limit in one turn of all requests together, or, in a step that the watchdog has looked at, for so
        long that it had to look: most looks beside busy processes come because the step waits for a processor. Such a
        step has its looks only where they show a loop that waits: it counts by the clock.
        """
        half, looked_at = self.max_block // 2, sample_after(self.max_block)
        turns: Counter[int] = Counter()
        for segment in segments:
            held = segment.held
            if segment.turn:
                held += turns[segment.turn]
                turns[segment.turn] = held
            if segment.has_call or held >= half:
                return True
            if segment.samples and (held >= looked_at or segment.wall >= self.max_block):
                return True
        return False


def sample_after(max_block: int) -> int:
    """Ns for which a step runs before the watchdog samples its stack. `max_block` is the limit in ns."""
    return min(SAMPLE_AFTER_NS, max_block // 2)

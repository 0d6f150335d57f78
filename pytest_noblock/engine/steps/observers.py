"""Who looks on while a meter's steps run, as the meter sees them."""

from typing import Protocol

from pytest_noblock.model.segment import LineCost, Segment


class LineObserver(Protocol):
    """Counts what each user line costs, while a run is exact (see `line_costs`)."""

    @property
    def exhausted(self) -> bool:
        """Whether it has given up counting."""
        ...

    def enter(self) -> None:
        """A step of a request begins."""
        ...

    def leave(self) -> tuple[LineCost, ...]:
        """The step has ended; its notable lines."""
        ...

    def notable(self) -> bool:
        """Whether the step has a notable line by now."""
        ...


class GapObserver(Protocol):
    """Finds stretches in which another thread held the GIL (see `threads.gil_gaps`)."""

    def close_interval(self) -> bool:
        """The loop thread has just got the GIL, or is about to release it."""
        ...

    def in_step(self, segment: Segment) -> None:
        """A step has ended; it may have waited for the GIL."""
        ...

    def sample_early(self) -> None:
        """On the watchdog's thread, or the test's: it has waited, and has the GIL now."""
        ...

"""The watchdog's samples of a step, as they are taken."""

from collections.abc import Sequence

from pytest_noblock.engine.clocks import Clock
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.steps.thread_marks import Marks, read_threads


class RawSample:
    """A sample as it was taken; `segment.Sample` is made of it after the run. Times in ns."""

    syscall = "unknown"
    gil_wait: int | None = None
    threads: Marks | None = None
    """The counters of the Python threads; None where nobody read them."""
    left: int | None = None
    """See `Sample.left`."""

    def __init__(self, step: int, began: int, frames: list[RawFrame]) -> None:
        self.step = step
        self.due = self.began = began
        self.ended = now()
        self.frames = frames


def read_threads_of(samples: Sequence[RawSample], clock: Clock) -> None:
    """Add the counters of the Python threads, as they are now."""
    if samples and clock.splits_waiting:
        threads = read_threads()
        for each in samples:
            each.threads, each.ended = threads, now()

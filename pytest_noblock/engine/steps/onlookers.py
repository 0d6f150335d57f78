"""Who else is told of a meter's steps, where somebody is."""

from typing import Protocol

from pytest_noblock.model.observation import LineCost, Segment


class Lines(Protocol):
    """Counters at every user line, where they are armed (see `engine.lines`)."""

    def enter(self) -> None: ...
    def leave(self) -> tuple[LineCost, ...]: ...


class Gaps(Protocol):
    """Who looks for threads that keep the interpreter lock, where somebody does (see `engine.gaps`)."""

    def close_interval(self) -> bool: ...
    def in_step(self, segment: Segment) -> None: ...

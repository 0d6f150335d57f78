"""How fast a machine computes at a moment: CPU time stretches on a shared core, a virtual one above all."""

from typing import NamedTuple


class Pace(NamedTuple):
    """What a planted piece of work took, in ns of CPU."""

    now: int
    best: int
    """The least that it took in this session."""

    @property
    def slowness(self) -> float:
        """How many times longer the machine takes now than at its best."""
        return max(1.0, self.now / self.best)


STEADY = Pace(1, 1)
"""A machine that computes as fast as it ever did."""

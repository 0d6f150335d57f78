"""In which order requests are sent that need nothing of each other (pure)."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_GOLDEN = (5**0.5 - 1) / 2
"""The multiples of no other number stay as far apart from each other, less the whole parts."""


def spread(things: Sequence[T]) -> list[T]:
    """The same things, neighbours far apart; the same order whenever there are as many.

    Routes that stand side by side often hold the loop alike. Sent side by side, they hold it one after the other, and
    all others wait for the sum; what is apart takes the loop while others sleep anyway. (500 routes of 0.2 s, and
    eight after them that hold it 0.1 s: measured, 3.6 s together, 2.5 s apart.)
    """
    return [things[place] for place in sorted(range(len(things)), key=lambda place: place * _GOLDEN % 1)]

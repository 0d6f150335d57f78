"""Long garbage collections that fell due: whichever thread makes the next object, the collector keeps the GIL.

No request is charged for one. While it runs the event loop stands still all the same, and that is to be told.
"""

from collections import deque
from typing import TYPE_CHECKING

from pytest_noblock.engine.now import now, thread_cpu

if TYPE_CHECKING:
    from pytest_noblock.model.concurrency import Collection

_LONG_NS = 10_000_000
_MOST = 100

_recent: "deque[tuple[int, int, int]]" = deque(maxlen=_MOST)
"""Began, ended, CPU time: most runs tell of none, and load no values for them."""


class _Present:
    """The collection that runs now: two never run at once."""

    began = cpu = 0
    """The moment, and the CPU clock of its thread (ns); 0 where none runs."""


def collection(phase: str) -> None:
    """The collector starts or stops in the calling thread (`phase`, see `gc.callbacks`)."""
    if phase == "start":
        _Present.began, _Present.cpu = now(), thread_cpu()
        return
    began, took = _Present.began, thread_cpu() - _Present.cpu
    _Present.began = 0
    if began and took >= _LONG_NS:
        _recent.append((began, now(), took))


def longest_since(moment: int) -> int:
    """CPU time (ns) of the longest that ended after `moment`; 0 where none was long."""
    return max((cpu for _, ended, cpu in tuple(_recent) if ended > moment), default=0)


def since(moment: int) -> "tuple[Collection, ...]":
    """The long ones that ended after `moment` (ns), in order of time; the latest hundred at most."""
    if not longest_since(moment):
        return ()
    from pytest_noblock.model.concurrency import Collection

    return tuple(Collection(*each) for each in tuple(_recent) if each[1] > moment)

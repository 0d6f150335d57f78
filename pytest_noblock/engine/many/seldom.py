"""Full collections of garbage that seldom fall due: each takes 0.1 s of an app of 500 routes."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = 100
"""So many collections of the middle generation come before a full one; by default 10. With the 70,000 objects that are
kept meanwhile at the default thresholds, nobody misses the memory."""


@contextmanager
def full_collections_seldom() -> Iterator[None]:
    """What asks for a collection gets it, whole. What the app itself sets meanwhile stays.

    CPython 3.14.0 to 3.14.4 have no full generation, and ignore the number.
    """
    young, middle, before = gc.get_threshold()
    seldom = young, middle, max(before, _SELDOM)
    gc.set_threshold(*seldom)
    try:
        yield
    finally:
        if gc.get_threshold() == seldom:
            gc.set_threshold(young, middle, before)

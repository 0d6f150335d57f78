"""What the fuzzes share. hypothesis makes the same examples in every run of the suite.

`NOBLOCK_FUZZ=2000` makes 2,000 that are new each time.
"""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

_MORE = int(os.environ.get("NOBLOCK_FUZZ", "0"))


def examples(number: int) -> settings:
    return settings(
        max_examples=_MORE or number,
        derandomize=not _MORE,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if _MORE else ())),
        suppress_health_check=list(HealthCheck),
    )


class Rude(Exception):  # an exception as well: an app may raise it
    """Objects of users are like that."""

    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __repr__

    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None


def pieces(*each):
    """An iterator, which can be read once."""
    yield from each


ODD_NUMBERS = [0, -1, 1.5, 10**9, 10**400, -(10**400), float("nan"), float("inf"), 1e300, 1e-300]
ODD_TEXTS = ["", " ", "\x00", "\x1b[31m", "a\nb", "é", "\udcff", "9" * 400, "50", "50 xs", "50 ms", "-1 s", "/", "//"]
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_TEXTS),
    st.text(max_size=5), st.binary(max_size=5), st.builds(Rude), st.builds(object), st.just(Rude), st.just(len),
)  # fmt: skip
ANYTHING_TWICE = st.one_of(
    PLAIN,
    st.lists(PLAIN, max_size=3),
    st.tuples(PLAIN, PLAIN),
    st.dictionaries(st.text(max_size=3) | st.integers(0, 3), PLAIN, max_size=2),
)
"""What is the same when it is read a second time."""
ANYTHING = ANYTHING_TWICE | st.builds(pieces, PLAIN, PLAIN)

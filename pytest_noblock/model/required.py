"""How much of an app must have been measured."""

from typing import NamedTuple


class Required(NamedTuple):
    """A share of the routes."""

    share: float | None
    """0 to 1; None: one route at least."""
    words: str
    """As it was written: `80%`."""

    @classmethod
    def read(cls, text: str) -> "Required":
        """Raises ValueError, with a sentence that begins behind the text."""
        words = text.strip()
        try:
            share = float(words.removesuffix("%")) / 100
        except ValueError:
            share = -1.0
        if not (words.endswith("%") and 0 <= share <= 1):
            raise ValueError("is not a share of the routes, as 80%")
        return cls(share, words)

    def fails(self, measured: int, routes: int) -> bool:
        """Whether so many of so many are too few."""
        return measured < 1 if self.share is None else measured < self.share * routes - 1e-9

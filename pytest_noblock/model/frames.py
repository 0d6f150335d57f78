"""Lines of code, as they stood on a stack."""

from typing import NamedTuple


class Frame(NamedTuple):
    """One line of a stack."""

    file: str
    """Absolute where it was recorded; reports show it relative to rootdir."""
    line: int
    """Counts from 1."""
    function: str
    """`co_name` of its code."""
    call: str | None = None
    """The call that the line was making, `requests.get`; None where it is not known."""
    user: bool = False
    """Whether it is in the user's code."""

    def named(self, file: str) -> "Frame":
        """The same line under another name of its file."""
        return self._replace(file=file)


Stack = tuple[Frame, ...]
"""Innermost frame first."""


def user_frame(stack: Stack) -> Frame | None:
    """The innermost frame in the user's code."""
    return next((frame for frame in stack if frame.user), None)

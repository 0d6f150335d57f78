"""Lines of code, as they stood on a stack."""

from typing import NamedTuple


class Frame(NamedTuple):
    """One line of a stack; `call` is the call it was making, as `requests.get`, where known."""

    file: str
    line: int
    function: str
    call: str | None = None
    user: bool = False

    def named(self, file: str) -> "Frame":
        """As shown to people: by another name of its file."""
        return self._replace(file=file)


Stack = tuple[Frame, ...]
"""Innermost frame first."""


def user_frame(stack: Stack) -> Frame | None:
    """The innermost frame in the user's code."""
    return next((frame for frame in stack if frame.user), None)

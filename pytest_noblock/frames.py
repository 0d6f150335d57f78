"""Lines of code, as they stood on a stack."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a stack; `call` is the call it was making, as `requests.get`, where known."""

    file: str
    line: int
    function: str
    call: str | None = None
    user: bool = False


Stack = tuple[Frame, ...]
"""Innermost frame first."""


def user_frame(stack: Stack) -> Frame | None:
    """The innermost frame in the user's code."""
    return next((frame for frame in stack if frame.user), None)

"""What stands in an attribute for a function that is written in C, while a test is watched."""

from typing import TYPE_CHECKING


class StandIn:
    """Says of itself what the function says. Made by `engine.patches`; `calls` reads its name."""

    if TYPE_CHECKING:  # `typing.get_type_hints` finds none in a function in C
        __qualname__: str

"""What stands in an attribute for a function that is written in C, while a test is watched."""


class StandIn:
    """Says of itself what the function says. Made by `engine.patches`; `calls` reads its name."""

    __qualname__: str

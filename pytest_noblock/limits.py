"""What is allowed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """In ns; the one place of each default."""

    max_block: int = 50_000_000

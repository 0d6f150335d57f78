"""What is allowed."""

from dataclasses import dataclass

NOTE_NS = 1_000_000
"""From here to the limit, `sync-io` and `cpu` are notes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In ns; the one place of each default."""

    max_block: int = 50_000_000
    known_calls: bool = True
    """Whether a known blocking call may be made where a mock answers it."""

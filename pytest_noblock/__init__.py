"""A pytest plugin that asserts that ASGI endpoints do not block the event loop."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_noblock.model.finding import Check, Finding, NoblockWarning, ProbeWaits, TaskRun

__all__ = ["Check", "Finding", "NoblockWarning", "ProbeWaits", "TaskRun"]


def __getattr__(name: str) -> object:
    """Loaded when asked for: pytest imports this package in every run of everybody who has it installed."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_noblock.model import finding

    return getattr(finding, name)

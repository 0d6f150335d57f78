"""A pytest plugin that asserts that ASGI endpoints do not block the event loop."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_noblock.client import Noblock
    from pytest_noblock.model.check import Check, Outcome, ProbeWaits, TaskRun
    from pytest_noblock.model.finding import Finding, NoblockWarning
    from pytest_noblock.model.kinds import Kind

__all__ = ["Check", "Finding", "Kind", "Noblock", "NoblockWarning", "Outcome", "ProbeWaits", "TaskRun"]

_MODULES = {"Finding": "model.finding", "Kind": "model.kinds", "Noblock": "client", "NoblockWarning": "model.finding"}
"""Where a public name stands; all others in `model.check`."""


def __getattr__(name: str) -> object:
    """Imports a public name on first use: pytest imports this package in every run of everybody who has it.

    Raises AttributeError.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = _MODULES.get(name, "model.check")
    return getattr(import_module(f"{__name__}.{module}"), name)

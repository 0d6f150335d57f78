"""A pytest plugin that asserts that ASGI endpoints do not block the event loop.

PYTEST_DONT_REWRITE: no module of this package has an `assert` for pytest to rewrite.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_noblock.client import Noblock
    from pytest_noblock.model.check import Check, Outcome, ProbeWaits, TaskRun
    from pytest_noblock.model.finding import Finding, NoblockWarning
    from pytest_noblock.model.kinds import Kind
    from pytest_noblock.server import NoblockServer

__all__ = ["Check", "Finding", "Kind", "Noblock", "NoblockServer", "NoblockWarning", "Outcome", "ProbeWaits", "TaskRun"]

_MODULES = {
    "Finding": "model.finding",
    "Kind": "model.kinds",
    "Noblock": "client",
    "NoblockServer": "server",
    "NoblockWarning": "model.finding",
}
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


def _import_as_usual() -> None:
    """Takes the package off the list of those whose asserts pytest rewrites, as it does with all plugins.

    A rewritten module has byte code of its own, which no installer compiles and pytest reads slowly: 74 M instructions
    of a small watched run, and all modules are compiled in each run that writes no byte code. `_must_rewrite` is
    private (pytest 8.4 to 9.2). Where it is missing, all is rewritten, and as right.
    """
    for finder in sys.meta_path:
        marked = getattr(finder, "_must_rewrite", None) if type(finder).__name__ == "AssertionRewritingHook" else None
        if isinstance(marked, set):
            marked -= {name for name in marked if name.partition(".")[0] == __name__}


_import_as_usual()

"""pyfakefs: it replaces the file functions of all modules, and what is imported meanwhile is forgotten afterwards.

A module of ours that is first imported while pyfakefs is on gets its `os`, and the next import makes another `Finding`,
which no report knows. So all of ours are imported before it is switched on for the first time (CPU 0.3 s). Most suites
where it is installed never switch it on: it is a plugin of pytest.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_noblock.engine.guard import guarded


def expect(pyfakefs: ModuleType) -> Callable[[], None]:
    """Have all of ours imported before it is switched on. Returns what takes the wrapper off.

    `Patcher.setUp` switches it on, whoever asks for that (seen in 5.7 and 6.3). Without it, they are imported at once.
    """
    patcher = getattr(pyfakefs, "Patcher", None)
    original = getattr(patcher, "setUp", None)
    if patcher is None or original is None:
        load_all_of_ours()
        return lambda: None

    def take_off() -> None:
        if patcher.setUp is set_up:
            patcher.setUp = original

    def set_up(*args: Any, **kwargs: Any) -> Any:
        take_off()
        guarded(load_all_of_ours)
        return original(*args, **kwargs)

    patcher.setUp = set_up
    return take_off


def load_all_of_ours() -> None:
    """Imports this package whole, but for what needs a package that is not installed: nobody can use that."""
    import pkgutil
    from contextlib import suppress
    from importlib import import_module

    import pytest_noblock

    for module in pkgutil.walk_packages(pytest_noblock.__path__, "pytest_noblock."):
        with suppress(ModuleNotFoundError):
            import_module(module.name)

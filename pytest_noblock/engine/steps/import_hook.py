"""The import hook: the step that imports a module is not charged for it, and a module that is imported is patched."""

import functools
import importlib
import sys
from collections.abc import Callable
from contextlib import nullcontext
from threading import get_ident
from typing import Any

from pytest_noblock.engine.endpoints import code_of
from pytest_noblock.engine.guard import Around, guarded
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps import first_uses
from pytest_noblock.engine.steps.meter import STEPPING

border(__file__, inside=("_find_and_load",))


def patch(note: Callable[[str], None], install_at_once: Callable[[str], None]) -> Patch:
    """`note` is told of each module that was looked for, `install_at_once` of each that has come."""
    return Patch(importlib._bootstrap, "_find_and_load", functools.partial(_find_and_load, note, install_at_once))


_PARSERS_MET = "AST constructor recursion depth mismatch"
"""Two threads made syntax trees at the same time. Seen on CPython 3.11.7, not on 3.12 and 3.13."""


def _loaded(load: Callable[[], Any]) -> Any:
    """Once more where a parser of another thread, as the watchdog's, came between: see `sources.parsed`.

    pytest parses what it imports, for its assertions. The import that failed left nothing in `sys.modules`.
    """
    __tracebackhide__ = True
    try:
        return load()
    except SystemError as error:
        if not str(error).startswith(_PARSERS_MET):
            raise
    return load()


_OF_IMPORTLIB = "<frozen importlib._bootstrap>"
"""The file of CPython's own function (3.11 to 3.14)."""


def _find_and_load(
    note: Callable[[str], None], install_at_once: Callable[[str], None], original: Callable[..., Any]
) -> Callable[..., Any]:
    """A process imports a module once, so the step that imports it is not charged for it.

    A step that imports it a second time is: somebody takes it out of `sys.modules` each time.

    CPython (3.3 and later) looks up `importlib._bootstrap._find_and_load` for every import of
    a module that is not in `sys.modules`; import statements do so, too. `importlib.import_module`
    does so for those that are there as well: BlockBuster calls it a hundred times for each test.
    Of such a module CPython's function does no more than is done here; somebody else's may. From
    3.15 on, `lazy from package import module` passes `lazy_submodule`, and None is no module.
    """
    is_cpythons = getattr(code_of(original), "co_filename", "") == _OF_IMPORTLIB

    def _find_and_load(name: str, import_: Any, **options: Any) -> Any:
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if spec is not None and not getattr(spec, "_initializing", False):  # else another thread may be at it
            return module if is_cpythons and not options else original(name, import_, **options)
        __tracebackhide__ = True
        load = functools.partial(original, name, import_, **options)
        meter = STEPPING.get(get_ident())
        try:
            if meter is None:
                module = _loaded(load)
            else:
                first, again = first_uses.is_first_import(name), first_uses.is_imported_again(name)
                importing = functools.partial(meter.deductions.importing, again=again)
                with Around(importing, name) if first else nullcontext():
                    module = _loaded(load)
        finally:
            note(name)
        guarded(install_at_once, name)
        return module

    return _find_and_load

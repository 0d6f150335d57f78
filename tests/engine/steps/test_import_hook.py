"""The import hook passes on what Python says to it, and notes what is imported."""

import contextlib
import sys
import types

import pytest

from pytest_noblock.engine.steps import import_hook


@pytest.fixture
def hook():
    """Makes the hook of an original; `imported`: what it told."""

    def hook(original):
        return patch._make(original)

    hook.imported = []
    patch = import_hook.patch(hook.imported.append, lambda _: None)
    return hook


@pytest.mark.parametrize(("still_loads", "is_an_import"), [(True, True), (False, False)])
def test_only_a_module_that_is_not_loaded_is_imported(monkeypatch, hook, still_loads, is_an_import):
    """`importlib.import_module` asks the hook also for what is loaded. Another thread may still load it."""
    module = types.ModuleType("noblock_there")
    module.__spec__ = types.SimpleNamespace(_initializing=still_loads)
    monkeypatch.setitem(sys.modules, "noblock_there", module)
    assert hook(lambda *_: module)("noblock_there", None) is module
    assert (hook.imported == ["noblock_there"]) is is_an_import


@pytest.mark.parametrize("name", ["noblock_nowhere", "sys"], ids=["to be loaded", "loaded"])
def test_what_python_says_to_the_import_hook_is_passed_on(hook, name):
    """`lazy from package import module` does (Python 3.15)."""
    passing = hook(lambda *args, **options: (args, options))
    assert passing(name, None, lazy_submodule=True) == ((name, None), {"lazy_submodule": True})


@pytest.mark.parametrize(
    ("error", "asked"), [("AST constructor recursion depth mismatch (before=156, after=57)", 2), ("of the module", 1)]
)
def test_an_import_that_met_another_parser_is_made_once_more(hook, error, asked):
    names = []

    def original(name, import_):
        names.append(name)
        if len(names) == 1:
            raise SystemError(error)
        return "module"

    with contextlib.nullcontext() if asked == 2 else pytest.raises(SystemError, match=error):
        assert hook(original)("noblock_no_such_module", None) == "module"
    assert names == ["noblock_no_such_module"] * asked

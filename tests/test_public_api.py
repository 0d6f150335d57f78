"""What users and other plugins can rely on: the names, and a plugin that costs nothing until it is asked for."""

import ast
import inspect
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import pytest_noblock
from pytest_noblock import client
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.model import check, kinds

# Loaded with the plugin, each of these would be paid for by every run of every user.
EXPENSIVE = {
    "aiofiles",
    "anyio",
    "asgi_lifespan",
    "asyncio",
    "fastapi",
    "httpx",
    "httpx2",
    "sniffio",
    "ssl",
    "starlette",
}


def test_all_is_what_is_documented() -> None:
    """A name more or less is a decision, not an accident."""
    public = [
        "Check",
        "Finding",
        "Kind",
        "Noblock",
        "NoblockServer",
        "NoblockWarning",
        "Outcome",
        "ProbeWaits",
        "TaskRun",
    ]
    assert pytest_noblock.__all__ == public


LITERALS = {"Kind": kinds, "Outcome": check}
"""Types without a docstring of their own: the module in which one follows them."""


def explained(module: ModuleType) -> set[str]:
    """The assignments of a module that a string follows, as editors show it."""
    body = ast.parse(inspect.getsource(module)).body
    follows = [one for one, other in pairwise(body) if isinstance(other, ast.Expr)]
    return {
        str(getattr(target, "id", "")) for each in follows if isinstance(each, ast.Assign) for target in each.targets
    }


@pytest.mark.parametrize("name", pytest_noblock.__all__)
def test_each_public_name_is_explained(name: str) -> None:
    thing = getattr(pytest_noblock, name)
    assert name in explained(LITERALS[name]) if name in LITERALS else thing.__doc__


def test_the_kinds_and_outcomes_are_closed_sets() -> None:
    """So that a type checker knows when a `match` has them all."""
    assert get_args(pytest_noblock.Kind) == get_args(kinds.Kind)
    assert get_args(pytest_noblock.Outcome) == ("passed", "failed", "accepted", "inconclusive", "not-exercised")


METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "request", "check")


@pytest.mark.parametrize("method", METHODS)
def test_each_method_of_the_fixture_is_explained_and_has_the_keywords(method: str) -> None:
    function = getattr(pytest_noblock.Noblock, method)
    assert function.__doc__
    (keywords,) = get_args(function.__annotations__["arguments"])
    assert keywords is client.Arguments


def test_the_fixture_has_no_other_public_name() -> None:
    assert {name for name in vars(pytest_noblock.Noblock) if not name.startswith("_")} == {*METHODS, "client"}


def test_the_keywords_are_those_of_the_installed_httpx_and_our_own() -> None:
    """httpx's signature decides at run time; what a type checker reads is written down."""
    taken = inspect.signature(httpx.AsyncClient.request).parameters.keys() - {"self", "method", "url"}
    assert client.HttpxArguments.__annotations__.keys() == taken
    ours = client.Arguments.__annotations__.keys() - taken
    assert ours == {"max_block", "max_total", "probe", "concurrency", "warmup", "confirm", "expect"}


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="module 'pytest_noblock' has no attribute 'nothing'"):
        pytest_noblock.nothing  # noqa: B018


def test_the_package_itself_only_names() -> None:
    """`pytest_noblock/__init__.py` runs before the plugin does: what it names comes when it is asked for."""
    body = ast.parse(Path(pytest_noblock.__file__).read_text(encoding="utf-8")).body
    defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert defined == ["__getattr__", "_import_as_usual"]
    assert {name for name in loaded_by("import pytest_noblock") if "noblock" in name} == {"pytest_noblock"}


def loaded_by(statement: str) -> set[str]:
    """The modules of a fresh interpreter after one statement."""
    code = f"{statement}; import json, sys; print(json.dumps(sorted(sys.modules)))"
    return set(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))


def test_loading_the_plugin_imports_nothing_expensive() -> None:
    added = loaded_by("import pytest_noblock.plugin") - loaded_by("import pytest")
    assert "pytest_noblock.plugin" in added
    assert {name.partition(".")[0] for name in added}.isdisjoint(EXPENSIVE)


def test_loading_the_plugin_imports_no_engine() -> None:
    added = loaded_by("import pytest_noblock.plugin")
    assert not {name for name in added if name.startswith("pytest_noblock.engine")}


INERT = """
import sys

def test_nothing_was_imported():
    assert "pytest_noblock.plugin" in sys.modules
    if sys.version_info < (3, 14):  # from then on pdb imports it, and pytest imports pdb
        assert "asyncio" not in sys.modules
    assert "httpx" not in sys.modules

def test_nothing_is_wrapped():
    import asyncio
    import socket
    assert asyncio.events.Handle._run.__module__ == "asyncio.events"
    assert "connect" not in vars(socket.socket)
"""


def test_a_run_that_does_not_ask_is_left_alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded by its entry point's module alone: nothing imported, nothing wrapped, nothing said."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(INERT)
    result = pytester.runpytest_subprocess("-p", "pytest_noblock.plugin")
    result.assert_outcomes(passed=2)
    assert not [line for line in result.outlines if line.lower().startswith("noblock")]


def test_the_entry_point_loads_it(pytester: pytest.Pytester) -> None:
    """Installed is enough: `--help` and `--markers` know it without any setting."""
    assert "noblock_app" in pytester.runpytest_subprocess("--fixtures").stdout.str()
    assert "@pytest.mark.noblock(" in pytester.runpytest_subprocess("--markers").stdout.str()

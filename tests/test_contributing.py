"""CONTRIBUTING.md is a map: what it names is there, and what is there is on it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "pytest_noblock").is_dir(), reason="it is a map of the source")
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = sorted(set(re.findall(r"`((?:\w+/)*\w+\.py)`", TEXT)))
NAMES = re.findall(r"`(\w+)` in `((?:\w+/)*\w+\.py)`", TEXT)
TREE = TEXT[TEXT.index("```text") : TEXT.index("```", TEXT.index("```text") + 3)]


def found(name: str) -> Path:
    return next(path for path in (ROOT / "pytest_noblock" / name, ROOT / name) if path.exists())


@pytest.mark.parametrize("name", FILES)
def test_each_file_that_it_names_is_there(name):
    assert found(name).is_file()


@pytest.mark.parametrize(("name", "file"), NAMES)
def test_each_name_that_it_gives_stands_in_its_file(name, file):
    assert re.search(rf"\b{name}\b", found(file).read_text(encoding="utf-8"))


def test_each_package_is_in_the_tree():
    packages = {path.parent for path in (ROOT / "pytest_noblock").rglob("*/__init__.py")}
    assert [folder.name for folder in sorted(packages) if f" {folder.name}/" not in TREE] == []


def test_each_module_beside_the_packages_of_the_engine_is_in_the_tree_or_a_leaf():
    """What all rooms of the engine stand on needs no line of its own."""
    ground = {"exchange", "clocks", "raw_stacks", "stacks", "usercode", "patches", "now", "selfcheck", "__init__"}
    modules = {path.stem for path in (ROOT / "pytest_noblock/engine").glob("*.py")}
    assert [name for name in sorted(modules - ground) if f"{name}.py" not in TREE] == []

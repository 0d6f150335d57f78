"""Which files are the user's code, and how reports show them."""

import os
import sys
import sysconfig
import types

import pytest

from pytest_noblock.engine import selfcheck
from pytest_noblock.engine.usercode import UserCode


@pytest.mark.parametrize(
    ("file", "mine"),
    [
        ("/project/app/main.py", True),
        ("/project/tests/test_api.py", True),
        ("/project/.venv/lib/python3.12/site-packages/requests/api.py", False),
        ("/usr/lib/python3/dist-packages/thing.py", False),
        ("/elsewhere/app.py", False),
        ("/projects/app.py", False),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
        (sysconfig.get_paths()["stdlib"] + "/socket.py", False),
        (selfcheck.__file__, False),
    ],
)
def test_the_users_code_lies_under_the_root_and_is_not_installed(file, mine):
    assert (file in UserCode("/project")) is mine


def test_the_root_may_be_the_whole_machine_and_the_library_is_still_not_the_users():
    user = UserCode("/")
    assert os.__file__ not in user
    assert "/elsewhere/app.py" in user


def test_the_apps_own_package_is_the_users_wherever_it_is_installed():
    """Under tox the app itself sits in site-packages."""
    import httpx

    assert httpx.__file__ not in UserCode("/project")
    assert httpx.__file__ in UserCode("/project", ["httpx"])
    assert pytest.__file__ not in UserCode("/project", ["httpx"])


@pytest.mark.parametrize(
    ("file", "shown"), [("/project/app/main.py", "app/main.py"), ("/elsewhere/app.py", "/elsewhere/app.py")]
)
def test_a_file_is_shown_relative_to_the_root(file, shown):
    assert UserCode("/project").relative(file) == shown


def test_a_package_that_is_included_later_counts_from_then_on():
    """An app's packages are known once a request enters it; by then a stack may have met its files."""
    import httpx

    user = UserCode("/project")
    assert httpx.__file__ not in user
    user.include({"httpx"})
    assert httpx.__file__ in user


def test_a_module_without_a_folder_counts_by_its_file(monkeypatch):
    module = types.ModuleType("noblock_single")
    module.__file__ = "/installed/site-packages/noblock_single.py"
    monkeypatch.setitem(sys.modules, "noblock_single", module)
    user = UserCode("/project", ["noblock_single", "noblock_not_imported"])
    assert "/installed/site-packages/noblock_single.py" in user
    assert "/installed/site-packages/other.py" not in user


class _Slotted:
    __slots__ = ()


class _Unhashable:
    def __eq__(self, other):
        return True

    __hash__ = None


@pytest.mark.parametrize(
    ("kind", "expected"), [(_Slotted, [True, True, True, True]), (_Unhashable, [True, False, True, False])]
)
def test_an_app_needs_neither_a_hash_nor_a_weak_reference(kind, expected):
    user = UserCode("/project")
    first, second = kind(), kind()
    assert [user.is_new(each) for each in (first, first, second, second)] == expected


def test_an_app_without_a_weak_reference_is_not_kept():
    user = UserCode("/project")
    app = _Slotted()
    before = sys.getrefcount(app)
    user.is_new(app)
    assert sys.getrefcount(app) == before


def test_of_an_app_that_is_gone_nothing_is_kept():
    """A suite makes an app for each test."""
    user = UserCode("/project")
    for _ in range(3):
        user.is_new(types.SimpleNamespace())
    assert user._apps == {}


def test_names_do_not_depend_on_the_working_folder(tmp_path, monkeypatch):
    """A test may change it, and may remove it."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    user = UserCode("/project")
    assert user.relative("<frozen posixpath>") == "<frozen posixpath>"
    assert user.relative("/project/app/../main.py") == "main.py"
    assert user.relative("/elsewhere/app.py") == "/elsewhere/app.py"
    assert user.relative("app/main.py") == "app/main.py"
    assert "app/main.py" in user

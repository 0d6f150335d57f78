"""Where stacks end, and which files are ours, wherever our modules lie."""

import sys
from pathlib import Path
from types import FunctionType

import pytest

import pytest_noblock
from pytest_noblock.engine import instrument, stacks
from pytest_noblock.engine.asgi import boundary, transport
from pytest_noblock.engine.steps import other_loops
from pytest_noblock.engine.usercode import PACKAGE, UserCode

CALLING_THE_APP = [boundary, instrument, other_loops, transport]


def seen_from(file: str) -> list[str]:
    """The functions on the stack, as far as `stacks.raw` follows it, where a frame of that file is the caller."""
    seen: list[str] = []

    def inner() -> None:
        seen.extend(code.co_name for code, *_ in stacks.capture(sys._getframe()))

    def outer() -> None:
        inner()

    FunctionType(outer.__code__.replace(co_filename=file), globals(), closure=outer.__closure__)()
    return seen


@pytest.mark.parametrize("module", CALLING_THE_APP, ids=lambda module: module.__name__)
def test_a_stack_ends_where_our_code_calls_the_app(module):
    assert module.__file__ is not None
    assert seen_from(module.__file__) == ["inner"]


def test_a_stack_goes_on_beyond_other_files():
    assert seen_from(__file__)[:2] == ["inner", "outer"]


def test_no_file_of_this_package_is_the_users():
    assert pytest_noblock.__file__ is not None
    package = Path(pytest_noblock.__file__).parent
    user = UserCode(str(package.parent))
    assert f"{package}/" == PACKAGE
    assert [str(file) for file in package.rglob("*.py") if str(file) in user] == []
    installed = package.parent.name == "site-packages"  # where nothing is the user's
    assert (str(package.parent / "app.py") in user) is not installed

"""Which app a test of the fixture means. Loaded by the first such test."""

import re

import pytest

from pytest_noblock.plugin import markers
from pytest_noblock.plugin.options import settings_of


def app_of(request: pytest.FixtureRequest) -> object:
    """What names the app: marker, command line, ini, then the project's own `app` fixture. Raises UsageError."""
    __tracebackhide__ = True
    named = settings_of(request.config, markers.marked(request.node)).app
    if named is not None:
        return named
    try:
        return request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":  # the fixture is there, and lacks something itself
            raise
        raise pytest.UsageError(
            "noblock does not know the app: override the noblock_app fixture, or use "
            '@pytest.mark.noblock(app=...), --noblock-app=pkg.mod:app, the ini option noblock_app = "pkg.mod:app" '
            "or a fixture named app"
        ) from None
    except pytest.fail.Exception as failed:
        if _NO_PARAMETER not in str(failed):
            raise
        problem = _parametrized(str(failed), request.node)
    raise pytest.UsageError(problem)  # outside the except block: without a history


_NO_PARAMETER = "has no parameter defined for test"
"""In what pytest (7 to 9) says where a fixture with params is asked for while a test runs. Where pytest says something
else, its own words are shown."""


def _parametrized(said: str, item: pytest.Item) -> str:
    """pytest makes a test for each param while it collects, and only of the fixtures that the test names."""
    named = re.search(r"Requested fixture '(\w+)'", said)
    name = named[1] if named else "app"
    return (
        f"the fixture {name!r} has params, so pytest must see it in the test: "
        f"def {getattr(item, 'originalname', None) or item.name}({name}, noblock), "
        f"or override noblock_app with a fixture that takes {name!r} and returns the app"
    )

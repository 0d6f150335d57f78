"""What is done for apps of other frameworks alone; with modules of straw in the place of these."""

import sys
from types import ModuleType

import pytest

from pytest_noblock.engine.frameworks import others
from pytest_noblock.engine.frameworks.shown_routes import routes_key


class Route:
    path = "/a"
    endpoint = None


class App:
    def __init__(self):
        self.routes = [Route()]

    async def __call__(self, scope, receive, send): ...


class Litestar(App): ...


@pytest.fixture
def litestar(monkeypatch):
    module = ModuleType("litestar.app")
    module.Litestar = Litestar
    monkeypatch.setitem(sys.modules, "litestar.app", module)


def test_a_framework_that_is_not_loaded_has_no_apps(monkeypatch):
    monkeypatch.delitem(sys.modules, "litestar.app", raising=False)
    assert not others.is_theirs(Litestar())


@pytest.mark.usefixtures("litestar")
def test_an_app_of_another_framework_is_not_kept_for_its_routes():
    assert others.is_theirs(Litestar())
    assert routes_key(Litestar()) is None
    assert routes_key(App()) is not None

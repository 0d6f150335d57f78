"""The hooks of the sweep: what a conftest.py may implement, and in which order it is asked."""

import inspect

import pluggy
import pytest

from pytest_noblock import hookspecs

pytestmark = pytest.mark.one_python
HOOKS = {"pytest_noblock_app": ["app"], "pytest_noblock_request": ["route", "request"]}


def manager(*plugins):
    made = pluggy.PluginManager("pytest")
    made.add_hookspecs(hookspecs)
    for each in plugins:
        made.register(each)
    made.check_pending()
    return made


def implementing(**functions):
    return type("Plugin", (), {name: staticmethod(pytest.hookimpl(each)) for name, each in functions.items()})()


def test_these_hooks_are_there_with_these_arguments_and_are_explained():
    found = {name: each for name, each in vars(hookspecs).items() if name.startswith("pytest_")}
    assert {name: list(inspect.signature(each).parameters) for name, each in found.items()} == HOOKS
    assert all(inspect.getdoc(each) for each in found.values())


def test_an_implementation_may_take_fewer_arguments():
    hooks = manager(implementing(pytest_noblock_request=lambda route: f"{route} is slow")).hook
    assert hooks.pytest_noblock_request(route="GET /", request=None) == "GET / is slow"


def test_all_are_called_until_one_answers():
    called = []

    def changing(app):
        called.append("changing")

    def replacing(app):
        called.append("replacing")
        return f"other than {app}"

    def never(app):
        called.append("never")

    first, second, third = (implementing(pytest_noblock_app=each) for each in (never, replacing, changing))
    hooks = manager(first, second, third).hook  # the last one registered is the nearest conftest.py, and asked first
    assert hooks.pytest_noblock_app(app="app") == "other than app"
    assert called == ["changing", "replacing"]


def test_nobody_need_implement_them():
    hooks = manager().hook
    assert hooks.pytest_noblock_app(app="app") is None
    assert hooks.pytest_noblock_request(route="route", request="request") is None


def test_a_hook_of_another_name_is_a_mistake():
    with pytest.raises(pluggy.PluginValidationError):
        manager(implementing(pytest_noblock_requests=lambda request: None))

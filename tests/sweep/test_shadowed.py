"""A route whose requests another one takes is not measured by them."""

import functools

import pytest

from pytest_noblock.model.observation import Exchange
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.shadowed import answered_instead

pytestmark = pytest.mark.one_python


def me(): ...


class Called:
    def __call__(self): ...


def answered(endpoint, by, route="/users/{user_id}"):
    return answered_instead(
        Route("GET", "/users/me", endpoint), Exchange(1, "GET", "/users/me", 0, route=route, endpoint=by)
    )


def test_another_endpoint_is_named():
    assert answered(me, "app.main.user") == "/users/{user_id} (app.main.user)"
    assert answered(Called(), "app.main.user", None) == "another route (app.main.user)"


def test_its_own_endpoint_and_an_unknown_one_are_not():
    assert answered(me, f"{__name__}.me") is None
    assert answered(Called(), f"{__name__}.Called") is None
    assert answered(Called, f"{__name__}.Called") is None
    assert answered(functools.partial(me), "functools.partial") is None
    assert answered(me, None) is None
    assert answered(None, "app.main.user") is None

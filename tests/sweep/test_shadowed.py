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


def within(*mounts, by, route):
    exchange = Exchange(1, "GET", "/admin/me", 0, route=route, endpoint=by)
    return answered_instead(Route("GET", "/admin/me", me, mounts=mounts), exchange)


def test_an_app_that_the_route_is_mounted_in_is_no_other_one():
    mounts = (("/admin/{path}", "admin.App"), ("/admin/inner/{path}", "admin.Inner"))
    assert within(*mounts, by="admin.App", route="/admin/{path}") is None
    assert within(*mounts, by="admin.Inner", route="/admin/inner/{path}") is None
    assert within(*mounts, by="admin.App", route=None) is None
    assert within(*mounts, by="admin.App", route="/{anything}") == "/{anything} (admin.App)"
    assert within(*mounts, by="files.App", route="/admin/{path}") == "/admin/{path} (files.App)"
    assert within(("/admin/{path}", None), by="admin.App", route=None) == "another route (admin.App)"


def test_its_own_endpoint_and_an_unknown_one_are_not():
    assert answered(me, f"{__name__}.me") is None
    assert answered(Called(), f"{__name__}.Called") is None
    assert answered(Called, f"{__name__}.Called") is None
    assert answered(functools.partial(me), "functools.partial") is None
    assert answered(me, None) is None
    assert answered(None, "app.main.user") is None

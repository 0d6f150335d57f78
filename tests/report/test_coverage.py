"""Which routes were measured: of names alone."""

import pytest

from pytest_noblock.model.app_routes import AppRoute, AppRoutes
from pytest_noblock.model.measured import is_measured
from pytest_noblock.report.coverage import Asked, Coverage

pytestmark = pytest.mark.one_python


def route(name, endpoint="shop.main.f"):
    method, path = name.split()
    return AppRoute(method, path, endpoint, name)


def app(*names, name="shop.main:app"):
    return AppRoutes(name, tuple(route(*each) if isinstance(each, tuple) else route(each) for each in names))


def measured(coverage, request, template, endpoint="shop.main.f", *, yes=True):
    coverage.add(Asked(request, template, endpoint, yes))
    return sorted(each.name for each in coverage.measured)


@pytest.mark.parametrize(
    ("request_line", "template", "found"),
    [
        ("GET /users/7", "/users/{id}", ["GET /users/{id}"]),
        ("POST /users", "/users", ["POST /users"]),
        ("GET /users", "/users", []),  # the app has none
        ("GET /api/items/7", "/items/{id}", ["GET /api/items/{id}"]),  # mounted: the last part is told
        ("GET /v2/things/1/2", "/things/{path}", ["GET /v2/things/{path}"]),
        ("GET /v1/things/1", "/things/{path}", ["GET /v1/things/{path}"]),
        ("GET /health", "/health", ["GET /health"]),
        ("GET /nowhere", None, []),
    ],
)
def test_a_request_is_for_the_route_whose_template_it_took(request_line, template, found):
    names = ["GET /users/{id}", "POST /users", "GET /api/items/{id}", "GET /v1/things/{path}", "GET /v2/things/{path}"]
    coverage = Coverage([app(*names, "GET /health", "GET /api/health")])
    assert measured(coverage, request_line, template) == found
    assert measured(Coverage([app(*names)]), request_line, template, yes=False) == []


def test_endpoints_tell_two_apps_apart():
    first, second = app(("GET /", "a.f")), app(("GET /", "b.f"), "GET /x", name="other:app")
    coverage = Coverage([first, second])
    measured(coverage, "GET /", "/", "a.f")
    assert (coverage.of(first), coverage.of(second)) == ((1, 1), (0, 2))
    assert list(coverage.lines(others=False)) == [
        "0 of 2 routes of other:app were measured",
        "1 of 1 routes of shop.main:app were measured",
    ]
    assert coverage.share(None) == (1, 3, "2 apps")
    assert coverage.share("shop.main:app") == (1, 1, "shop.main:app")
    only_in_a_document = Coverage([app(("GET /", None))])
    assert measured(only_in_a_document, "GET /", "/", "a.f") == ["GET /"]


def test_the_others_are_listed_where_somebody_asks_and_many_apps_are_counted():
    coverage = Coverage([app("GET /a", "GET /b"), app("GET /a", "GET /b"), *(app("GET /", name=n) for n in "vwxyz")])
    measured(coverage, "GET /a", "/a")
    lines = list(coverage.lines(others=True))
    assert lines[:2] == ["1 of 2 routes of shop.main:app were measured", "      not measured: GET /b"]
    assert lines[-1] == "and those of 3 more apps"
    assert not Coverage([AppRoutes("litestar_app:app", ())])


@pytest.mark.parametrize(
    ("outcome", "notes", "status", "yes"),
    [
        ("passed", [], None, True),
        ("failed", ["cold: cpu"], 200, True),
        ("accepted", [], 399, True),
        ("passed", [], 404, False),
        ("inconclusive", [], None, False),
        ("not-exercised", [], None, False),
        ("passed", ["the router answered: the endpoint was not reached, and not measured"], None, False),
        ("failed", ["not measured: failed, answered 500"], None, False),
        ("passed", ["work at a.py:3 was not due yet: it was not measured"], None, True),
    ],
)
def test_measured_is_what_reached_its_endpoint_and_was_not_refused(outcome, notes, status, yes):
    assert is_measured(outcome, notes, status) is yes

"""Values out of the links of a page: by the templates of the app's routes, and values that go together."""

import pytest

from pytest_noblock.sweep import links
from pytest_noblock.sweep.harvest import Harvest
from pytest_noblock.sweep.links import Links
from pytest_noblock.sweep.route import Route

pytestmark = pytest.mark.one_python

PATHS = ("/admin/", "/admin/logout", "/admin/{model}/list", "/admin/{model}/edit/{pk}", "/admin/{model}/copy/{pk}")
ROUTES = [Route("GET", path) for path in PATHS]
URL = "http://testserver/admin/"


def values(page: str, path: str, routes=ROUTES, url: str = URL):
    known = Links(routes)
    known.learn(url, page)
    return known.values_for(Route("GET", path))


@pytest.mark.parametrize(
    "link",
    [
        'href="/admin/user/list"',
        "href='/admin/user/list?page=2#top'",
        'HREF = "http://testserver/admin/user/list"',
        '<form action="user/list">',
    ],
)
def test_a_link_tells_the_variables_of_the_template_that_it_matches(link):
    assert values(f"<a {link}>", "/admin/{model}/list") == {"model": "user"}


@pytest.mark.parametrize(
    "element",
    [
        '<link rel="stylesheet" href="/admin/static/list">',
        '<base href="/admin/static/list">',
        '<abbr data-href="/admin/static/list">',
        '<p class="a"><use href="/admin/static/list">',
    ],
)
def test_what_a_page_loads_is_no_link_of_it(element):
    assert values(element, "/admin/{model}/list") == {}
    assert values(f'{element}\n<a class="b"\n href="/admin/user/list">', "/admin/{model}/list") == {"model": "user"}


def test_values_go_together_and_those_of_the_longest_beginning_are_taken():
    page = '<a href="/admin/user/list"><a href="/admin/pet/edit/7">'
    assert values(page, "/admin/{model}/edit/{pk}") == {"model": "pet", "pk": "7"}
    assert values(page, "/admin/{model}/copy/{pk}") == {"model": "user"}


@pytest.mark.parametrize(
    "link", ["/admin/logout", "/elsewhere", "https://example.org/admin/user/list", "mailto:a@b.c", "http://[bad/x"]
)
def test_a_link_to_a_route_without_variables_or_to_another_host_tells_nothing(link):
    routes = [*ROUTES, Route("GET", "/admin/{page}")]
    assert values(f'<a href="{link}">', "/admin/{page}", routes) == {}


def test_a_link_is_unquoted_and_a_path_variable_takes_slashes():
    route = Route("GET", "/files/{path}", in_path={"path": {"type": "string", "format": "path"}})
    assert values('<a href="/files/a%20b/c.txt">', "/files/{path}", [route]) == {"path": "a b/c.txt"}


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ('<a href="/admin/user/list?page=2&amp;q=a%20b#top">', {"page": "2", "q": "a b"}),
        ('<a href="/admin/user/list?page=2"><a href="/admin/user/list?page=3">', {"page": "2"}),
        ('<a href="/admin/us%65r/list?page=2">', {"page": "2"}),
        ('<a href="/admin/user/list"><a href="/admin/user/list?page=3">', {}),
        ('<a href="/admin/pet/list?page=2">', {}),
        ('<a href="/admin/user/edit/7?page=2">', {}),
        ("", {}),
    ],
)
def test_the_query_of_a_link_is_for_the_path_of_that_link(page, query):
    known = Links(ROUTES)
    known.learn(URL, page)
    assert known.query_for(Route("GET", "/admin/{model}/list"), "/admin/user/list") == query


def test_no_more_links_are_looked_at_than_the_limit(monkeypatch):
    monkeypatch.setattr(links, "_MOST", 3)
    page = "".join(f'<a href="/other/{number}">' for number in range(3))
    assert values(page + '<a href="/admin/user/list">', "/admin/{model}/list") == {}
    assert values(page.replace("/2", "/1") + '<a href="/admin/user/list">', "/admin/{model}/list") == {"model": "user"}


def test_a_list_above_comes_first_and_a_variable_of_the_same_name_elsewhere_last():
    harvest = Harvest(ROUTES)
    harvest.learn_page(URL, '<a href="/admin/user/edit/7">')
    assert harvest.value_for(Route("GET", "/admin/{model}/copy/{pk}"), "pk") == "7"
    assert harvest.value_for(Route("GET", "/api/{model}/export"), "model") == "user"
    assert harvest.value_for(Route("GET", "/api/{model}/export"), "other") is None
    harvest.learn(Route("GET", "/admin"), [{"model": "pet"}])
    assert harvest.value_for(Route("GET", "/admin/{model}/list"), "model") == "pet"

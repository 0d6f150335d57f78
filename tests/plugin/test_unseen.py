"""Who asks for a measurement, and what the summary says of tests in which nothing was seen; with reports of straw."""

import json
import sys
from types import SimpleNamespace

import pytest

from pytest_noblock.plugin.unseen import BY_ITSELF, UNSEEN, UNWATCHED, Unseen, asked_at, has_fixture, sentence
from pytest_noblock.plugin.unwatched import client_of

MARK = pytest.mark


def with_fixture(noblock): ...


def without(): ...


def an_item(function=without, own=(), of_class=()):
    own, of_class = [each.mark for each in own], [each.mark for each in of_class]
    item = SimpleNamespace(name="test_it", function=function, own_markers=own, nodeid="test_a.py::TestA::test_it")
    above = SimpleNamespace(own_markers=of_class, nodeid="test_a.py::TestA")
    item.listchain = lambda: [above, item]
    item.iter_markers = lambda name=None: [each for each in own + of_class if name in (None, each.name)]
    item.fixturenames = ["noblock"] if function is with_fixture or any("noblock" in e.args for e in own) else []
    return item


@pytest.mark.parametrize(
    ("item", "where"),
    [
        (an_item(), None),
        (an_item(own=[MARK.noblock_allow("x"), MARK.slow]), None),
        (an_item(own=[MARK.noblock]), BY_ITSELF),
        (an_item(own=[MARK.usefixtures("noblock", "db")]), BY_ITSELF),
        (an_item(own=[MARK.usefixtures("db")]), None),
        (an_item(with_fixture), BY_ITSELF),
        (an_item(of_class=[MARK.noblock]), "test_a.py::TestA"),
        (an_item(own=[MARK.noblock], of_class=[MARK.noblock]), BY_ITSELF),
        (SimpleNamespace(own_markers=[], listchain=list, iter_markers=lambda: ()), None),  # no item of a function
    ],
)
def test_who_asks(item, where):
    assert asked_at(item) == where


@pytest.mark.parametrize(
    ("item", "has"),
    [(an_item(own=[MARK.usefixtures("noblock")]), True), (an_item(with_fixture), True), (an_item(), False)],
)
def test_whichever_way_a_test_has_the_fixture_it_asks_for_its_own_requests(item, has):
    assert has_fixture(item) is has


def test_the_sentence_says_what_to_do():
    assert sentence(an_item()).endswith(
        "\n  make one with TestClient, AsyncClient or the noblock fixture, or take the marker off the test"
    )
    assert sentence(an_item(with_fixture)).endswith("\n  call noblock.get(...), or take the fixture off the test")


def told(*tests, every_test=False, seen=(), left_out=(), whole=True):
    """Lines and the markers in vain. A test: its id, the outcome of its call, and the node that asks."""
    unseen = Unseen(every_test=every_test)
    for test, outcome, where in tests:
        phases = [("setup", "passed"), ("call", outcome), ("teardown", "passed")]
        for when, ended in phases:
            unseen.ended(SimpleNamespace(nodeid=test, when=when, outcome=ended))
        if where != "":
            unseen.keep(test, [("other", 1), (UNSEEN, json.dumps([where, "why"]))])
    unseen.left_out(left_out)
    vain = unseen.vain(set(seen), whole=whole)
    return list(unseen.lines(set(seen), vain)), vain


ONE = ("a.py::A::one", "passed", "a.py::A")
TWO = ("a.py::A::two", "passed", "a.py::A")


def test_a_marker_without_a_request_is_in_vain():
    lines, vain = told(ONE, TWO)
    assert vain == ["a.py::A"]
    assert lines[0] == "  the marker of a.py::A asserted nothing: no test under it made a request"
    assert lines[1:] == ["nothing was seen in 2 of 2 passed tests:", "      a.py::A::one", "      a.py::A::two"]


@pytest.mark.parametrize(
    "known",
    [
        {"seen": ["a.py::A::three"]},
        {"left_out": ["a.py::A::three"]},
        {"whole": False},
        {"other": ("a.py::A::three", "skipped", "")},
        {"other": ("a.py::A::three", "failed", "")},
    ],
)
def test_a_marker_of_which_a_test_measured_or_did_not_run_is_not_in_vain(known):
    other = known.pop("other", None)
    lines, vain = told(ONE, TWO, *([other] if other else []), **known)
    assert vain == []
    assert lines == ["nothing was seen in 2 of 2 passed tests:", "      a.py::A::one", "      a.py::A::two"]


def test_a_neighbour_with_a_longer_name_is_not_under_the_marker():
    assert told(ONE, seen=["a.py::AB::one"])[1] == ["a.py::A"]


def test_where_every_test_is_watched_all_that_passed_count():
    tests = [(f"a.py::{number:02}", "passed", "") for number in range(12)]
    assert told(*tests)[0] == []
    lines = told(*tests, ("a.py::skip", "skipped", ""), every_test=True, seen=["a.py::00"])[0]
    assert (lines[0], len(lines)) == ("nothing was seen in 11 of 12 passed tests:", 10)
    assert lines[-1] == "      and 3 more"


@pytest.mark.parametrize("number", [8, 9, 10])
def test_the_last_line_is_a_test_where_all_have_room(number):
    tests = [(f"a.py::{each:02}", "passed", "") for each in range(number)]
    lines = told(*tests, every_test=True)[0]
    assert len(lines) <= 10
    assert lines[-1] == ("      and 2 more" if number == 10 else f"      a.py::{number - 1:02}")


def test_a_client_whose_requests_nobody_counts_is_named(monkeypatch):
    page = type("Page", (), {"__module__": "playwright.sync_api._generated"})()
    module = SimpleNamespace(json=json, pytest=pytest)
    item = SimpleNamespace(name="test_it", funcargs={"n": 1, "page": page}, module=module, fixturenames=[])
    told = "playwright is not watched where the server runs in another process"
    monkeypatch.setitem(sys.modules, "playwright", pytest)
    assert client_of(item) == told
    assert f"\n  {told}\n" in sentence(item)
    assert client_of(SimpleNamespace(funcargs={"n": 1}, module=module)) is None
    assert client_of(SimpleNamespace(module=SimpleNamespace(page=type(page)))) == told


def test_requests_that_were_counted_are_told_rather_than_a_client(monkeypatch):
    item = SimpleNamespace(name="test_it", module=SimpleNamespace(page=pytest), fixturenames=[])
    monkeypatch.setitem(sys.modules, "playwright", pytest)
    told = "requests.Session.send sent 2 requests, and none entered an app that noblock can watch"
    assert f"\n  {told}" in sentence(item, ("requests.Session.send", 2))


def test_the_summary_says_where_the_requests_of_a_test_went_in_which_nothing_was_seen():
    kept = Unseen(every_test=True)
    for name in ("test_a", "test_b"):
        kept.ended(SimpleNamespace(outcome="passed", nodeid=name, when="call"))
    kept.keep("test_b", [(UNWATCHED, "playwright is not watched where the server runs in another process")])
    assert list(kept.lines(set(), [])) == [
        "nothing was seen in 2 of 2 passed tests; 1 of them has a client whose requests were not seen:",
        "      test_b: playwright is not watched where the server runs in another process",
        "      test_a",
    ]
    assert list(kept.lines({"test_a", "test_b"}, [])) == []

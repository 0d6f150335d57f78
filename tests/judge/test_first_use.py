"""What a request did as the first one is taken off, and told."""

import pytest

from pytest_noblock.judge import first_use
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment

MS = 1_000_000
EXCHANGE = Exchange(1, "GET", "/", 0)
LIMITS = Limits(50 * MS)


def observed(*first_uses, cpu=100, asleep=0, imported=0):
    once = sum(ns for _what, ns in first_uses)
    wall = (cpu + asleep) * MS
    segment = Segment(1, 0, wall, cpu * MS, 0, 0, 1, 0, 0, 0, imported * MS, first_use=once, first_uses=first_uses)
    return Observation("full", (EXCHANGE,), (segment,))


def test_it_is_neither_cpu_nor_sleep():
    (segment,) = first_use.taken_off(observed(("the template page.html", 70 * MS), asleep=5)).segments
    assert (segment.cpu, segment.asleep, segment.first_use) == (30 * MS, 5 * MS, 0)
    assert segment.first_uses
    plain = observed()
    assert first_use.taken_off(plain) == plain


def test_the_note_names_what_took_most_of_it():
    seen = observed(("the pattern a", 2 * MS), ("the template page.html", 60 * MS), ("the pattern b", MS), imported=20)
    assert list(first_use.notes(seen, EXCHANGE, LIMITS)) == [
        "cold: imports, 20 ms, the first time only",
        "cold: the template page.html and 2 more, 63 ms of CPU, the first time only",
    ]
    assert list(first_use.notes(seen, EXCHANGE._replace(number=2), LIMITS)) == []
    assert list(first_use.notes(observed(("the pattern a", MS // 2)), EXCHANGE, LIMITS)) == []


@pytest.mark.parametrize(
    ("other", "unsettled"),
    [
        (("GET", "the pattern b"), True),
        (("GET", "the template b"), False),
        (("POST", "the pattern b"), False),
    ],
)
def test_what_each_request_of_a_route_does_for_the_first_time_is_in_doubt(other, unsettled):
    method, what = other
    seen = observed(("the pattern a", 60 * MS))
    second = seen.segments[0]._replace(exchange=2, first_uses=((what, 60 * MS),))
    both = seen._replace(exchanges=(EXCHANGE, Exchange(2, method, "/", 0)), segments=(*seen.segments, second))
    (note,) = first_use.notes(both, EXCHANGE, LIMITS)
    assert note.startswith("unsettled: the pattern a, 60 ms" if unsettled else "cold: the pattern a, 60 ms")


def test_imports_that_a_request_of_an_earlier_test_had_as_well_are_not_the_first_time():
    seen = observed(imported=60)
    again = seen._replace(segments=(seen.segments[0]._replace(imported_again=60 * MS),))
    (note,) = first_use.notes(again, EXCHANGE, LIMITS)
    assert note == "unsettled: imports, 60 ms, as in a request of an earlier test; imports are not counted"
    (note,) = first_use.notes(again, EXCHANGE, Limits(70 * MS))
    assert note == "cold: imports, 60 ms, as in a request of an earlier test"


def test_imports_in_a_request_that_is_not_the_first_are_in_doubt():
    assert list(first_use.imported_again(observed(imported=49), EXCHANGE, LIMITS)) == []
    (note,) = first_use.imported_again(observed(imported=60), EXCHANGE, LIMITS)
    assert note.startswith("unsettled: imports, 60 ms")


@pytest.mark.parametrize(
    ("modules", "told"),
    [
        ((("shop", 20 * MS),), "cold: imports, 20 ms (shop), the first time only"),
        ((("desk", 2 * MS), ("shop", 18 * MS)), "cold: imports, 20 ms (shop and 1 more), the first time only"),
    ],
)
def test_a_note_on_imports_names_the_module_that_took_longest(modules, told):
    seen = observed(imported=20)
    named = seen._replace(segments=tuple(each._replace(modules=modules) for each in seen.segments))
    assert list(first_use.notes(named, EXCHANGE, LIMITS)) == [told]

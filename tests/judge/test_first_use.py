"""What a request did as the first one is taken off, and told."""

from pytest_noblock.judge import first_use
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment

MS = 1_000_000
EXCHANGE = Exchange(1, "GET", "/", 0)


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
    assert list(first_use.notes(seen, EXCHANGE)) == [
        "cold: imports, 20 ms, the first time only",
        "cold: the template page.html and 2 more, 63 ms of CPU, the first time only",
    ]
    assert list(first_use.notes(seen, EXCHANGE._replace(number=2))) == []
    assert list(first_use.notes(observed(("the pattern a", MS // 2)), EXCHANGE)) == []

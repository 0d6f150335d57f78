"""Garbage collections that fell due in the time of a request: told, and nobody's."""

import pytest

from pytest_noblock.judge import collected, gil_doubts
from pytest_noblock.model.concurrency import Collection, Gap, LongTurn
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import LOOP, Exchange, Observation, Probe

MS = 1_000_000
GET = Exchange(1, "GET", "/fill", sent=0, started=10 * MS, completed=400 * MS, returned=400 * MS)


def collection(began, ended, cpu=None):
    return Collection(began * MS, ended * MS, (ended - began if cpu is None else cpu) * MS)


def notes(*collections):
    return list(collected.notes(Observation("full", (GET,), collections=collections), GET, Limits()))


@pytest.mark.parametrize(
    "none",
    [
        [],
        [collection(10, 59)],
        [collection(10, 90, cpu=49)],  # the machine was busy
        [collection(401, 700)],
        [collection(-300, -1)],
    ],
    ids="none short busy-machine after before".split(),
)
def test_a_short_one_and_one_at_another_time_are_not_told(none):
    assert notes(*none) == []


def test_the_longest_is_told_with_how_many_there_were():
    (one,) = notes(collection(10, 70))
    assert one.startswith("unsettled: a garbage collection that fell due held the event loop 60 ms while GET /fill was")
    (more,) = notes(collection(10, 70), collection(100, 345), collection(350, 370))
    assert more.startswith(
        "unsettled: 2 garbage collections that fell due held the event loop at most 245 ms while GET"
    )


GAP = Gap(100 * MS, 340 * MS, late=240 * MS, switches=46, asleep=230 * MS, others_cpu=0, exchange=1)
TURN = LongTurn(100 * MS, 400 * MS, 0, 0, 250 * MS, 50, 0, 0, others_cpu=250 * MS)


@pytest.mark.parametrize(
    "recorded",
    [{"gaps": (GAP,)}, {"long_turns": (TURN,), "probes": (Probe(LOOP, 100 * MS, 400 * MS),)}],
    ids=["gap", "turn"],
)
def test_a_wait_for_the_gil_that_a_collection_explains_has_no_other_cause(recorded):
    seen = Observation("full", (GET,), **recorded)
    assert len(list(gil_doubts.notes(seen, (), Limits()))) == 1
    assert list(gil_doubts.notes(seen._replace(collections=(collection(90, 330),)), (), Limits())) == []
    assert len(list(gil_doubts.notes(seen._replace(collections=(collection(90, 150),)), (), Limits()))) == 1

"""What several requests of one endpoint hold together in one turn of the loop: tables of literals."""

import pytest

from pytest_noblock.judge import shared_turns
from pytest_noblock.judge.grouping import findings
from pytest_noblock.judge.stalls import stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import LIFESPAN, Exchange, Observation, Phase
from pytest_noblock.model.segment import BlockingCall, LineCost, Sample, Segment

MS = 1_000_000
LIMITS = Limits(50 * MS)
DEF = Frame("/app/main.py", 3, "report", None, user=True)


def frame(line=7):
    return Frame("/app/main.py", line, "report", "json.loads", user=True)


def copy(number, defined=DEF, **more):
    return Exchange(number, "GET", "/report", sent=0, steps=1, defined=defined, **more)


def piece(exchange, wall, *, turn=7, line=7, asleep=False):
    """One step in ms, of the exchange with this number: each begins 100 ms after the one before."""
    began = 100 * exchange * MS
    at = began + wall * MS // 2
    looks = (Sample(at, at, at, (frame(line),), "running"),) if line and not asleep else ()
    call = BlockingCall("time.sleep", False, began, began + wall * MS, (frame(line),), wall * MS)
    return Segment(
        exchange, began, began + wall * MS, 0 if asleep else wall * MS, 0, 0, int(asleep), 0, 0, 0,
        turn=turn, samples=looks, calls=(call,) if asleep else (),
    )  # fmt: skip


def observed(*pieces, copies=None):
    numbers = range(1, 1 + max(each.exchange for each in pieces))
    return Observation("full", tuple(copies or map(copy, numbers)), pieces)


def red(observation):
    return [stall for stall in stalls(observation, LIMITS) if stall.breaks(LIMITS)]


def told(observation):
    return list(shared_turns.notes(observation, stalls(observation, LIMITS), LIMITS).values())


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([piece(n, 30) for n in (1, 2, 3)], [(90, 3)], id="of three requests"),
        pytest.param([piece(n, 30, turn=n) for n in (1, 2, 3)], [], id="a poll after each"),
        pytest.param([piece(n, 30, turn=0) for n in (1, 2, 3)], [], id="nobody counts the turns"),
        pytest.param([piece(n, 4) for n in range(1, 41)], [], id="no more than a framework takes"),
        pytest.param([piece(n, 5) for n in range(1, 11)], [(50, 10)], id="more than a framework takes"),
        pytest.param([*(piece(n, 4) for n in range(1, 31)), piece(31, 30)], [], id="one among many small ones"),
        pytest.param([piece(1, 60), piece(2, 60), piece(3, 30)], [(60, 1), (60, 1)], id="too long by themselves"),
        pytest.param([piece(1, 60), piece(2, 30), piece(3, 30)], [(60, 1), (60, 2)], id="and two together"),
    ],
)
def test_the_steps_of_requests_of_one_endpoint_in_one_turn_add_up(pieces, expected):
    assert [(each.blocked_ns // MS, each.requests) for each in red(observed(*pieces))] == expected


def test_the_line_of_the_greatest_part_is_named_and_how_many_they_were():
    (stall,) = red(observed(piece(1, 20), piece(2, 35, line=9), piece(3, 20)))
    assert (stall.kind, stall.place.frame.line, stall.sure) == ("cpu", 7, True)
    assert [(part.frame.line, part.blocked_ns // MS) for part in stall.parts] == [(7, 40), (9, 35)]
    (finding,) = findings([stall], str)
    assert finding.requests == 3
    assert finding.reason == "3 requests' steps in one turn of the loop, 25 ms each on average: asleep 0 ms, CPU 75 ms"


def test_sleeps_add_up_likewise():
    (stall,) = red(observed(piece(1, 30, asleep=True), piece(2, 30, asleep=True)))
    assert (stall.kind, stall.asleep, stall.place.frame.line, stall.sure) == ("sync-io", 60 * MS, 7, True)


def test_where_nobody_looked_the_def_is_named():
    (stall,) = red(observed(*(piece(n, 6, line=None) for n in range(1, 11))))
    assert (stall.place.frame.line, stall.place.evidence) == (3, "endpoint")


def test_where_nobody_looked_one_request_with_counters_names_the_line():
    (vague,) = findings(red(observed(*(piece(n, 6, line=None) for n in range(1, 11)))), str)
    cost = LineCost(frame(9), (frame(9),), 1, 5 * MS, 0, 0)
    alone = findings(stalls(observed(piece(1, 6, line=None)._replace(lines=(cost,))), LIMITS), str)
    exact = shared_turns.named(vague, alone)
    assert (exact.line, exact.evidence, exact.blocked_ns, exact.requests) == (9, "line counters", 60 * MS, 10)
    assert shared_turns.named(vague, []) is vague
    assert shared_turns.named(exact, findings(red(observed(piece(1, 60))), str)) is exact


def test_it_lies_in_the_phase_of_the_greatest_part():
    """Of one request as well: the task begins right after the response, and nobody polls in between."""
    one = piece(1, 30)
    after = one._replace(began=140 * MS, ended=180 * MS, cpu=40 * MS)
    request = copy(1, completed=135 * MS, returned=200 * MS)
    (stall,) = red(observed(one, after, copies=[request]))
    assert (stall.phase, stall.requests, stall.blocked_ns) == (Phase.BACKGROUND, 1, 70 * MS)
    assert stall.proof == (
        "its steps before and after the response was complete, in one turn of the loop: asleep 0 ms, CPU 70 ms"
    )


def test_requests_of_several_endpoints_are_told_and_not_counted():
    others = [copy(1), copy(2, defined=DEF._replace(line=20))]
    observation = observed(piece(1, 30), piece(2, 30), copies=others)
    assert red(observation) == []
    (note,) = told(observation)
    assert note == (
        "unsettled: the event loop stood still for 60 ms in one turn: steps of 2 requests of 2 endpoints, 30 ms each "
        "on average; not counted: what counts is 5.0 ms or more for each request of one endpoint, 50 ms in all"
    )


def test_many_small_steps_are_told_and_not_counted():
    (note,) = told(observed(*(piece(n, 2) for n in range(1, 41))))
    assert note.startswith(
        "unsettled: the event loop stood still for 80 ms in one turn: steps of 40 requests, 2.0 ms each on average;"
    )


@pytest.mark.parametrize(
    "observation",
    [
        pytest.param(observed(piece(1, 24), piece(2, 24)), id="under the limit"),
        pytest.param(observed(piece(1, 30), piece(2, 30)), id="a finding tells it"),
        pytest.param(observed(piece(1, 30), piece(2, 30, turn=8)), id="in two turns"),
    ],
)
def test_nothing_is_told_twice_and_nothing_without_cause(observation):
    assert told(observation) == []


def test_the_start_of_an_app_is_no_request():
    apps = [Exchange(n, LIFESPAN, "", sent=0, steps=1, defined=DEF) for n in (1, 2)]
    assert red(observed(piece(1, 30), piece(2, 30), copies=apps)) == []

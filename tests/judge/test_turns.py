"""What one exchange ran in one turn of the loop is one stall: tables of literals."""

import pytest

from pytest_noblock.judge.stalls import stalls
from pytest_noblock.judge.turns import turns
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, LineCost, Sample, Segment

MS = 1_000_000
LIMITS = Limits(50 * MS)
REQUEST = Exchange(1, "GET", "/gather", sent=0, completed=900 * MS, returned=950 * MS, steps=1)
OTHER = Exchange(2, "GET", "/other", sent=0, returned=950 * MS, steps=1)


def frame(line):
    return Frame("/app/main.py", line, "report", "json.loads", user=True)


def piece(began, wall, *, turn=7, line=7, exchange=1, cpu=None, **more):
    """One step in ms, that computes unless `cpu` says otherwise; the watchdog saw it at `line`."""
    at = round((began + 2 * wall / 3) * MS)
    looked = Sample(at, at, at, (frame(line),), "running")
    values = {"collected": 0, "queued": 0, "switches": 0, "others_cpu": 0, "round_trips": 0, "doubtful_trips": 0}
    cpu = wall if cpu is None else cpu
    more = {"samples": (looked,)} | values | more
    return Segment(exchange, began * MS, (began + wall) * MS, cpu * MS, turn=turn, **more)


def red(*segments):
    """Time in ms and line of each stall over the limit."""
    found = stalls(Observation("full", (REQUEST, OTHER), segments), LIMITS)
    return [(each.blocked_ns // MS, each.place.frame.line) for each in found if each.breaks(LIMITS)]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([piece(0, 25), piece(30, 26), piece(60, 27)], [(78, 7)], id="pieces of one turn"),
        pytest.param([piece(0, 25), piece(30, 26, turn=8), piece(60, 27, turn=9)], [], id="a poll after each"),
        pytest.param([piece(0, 25, turn=0), piece(30, 26, turn=0)], [], id="nobody counts the turns"),
        pytest.param([piece(0, 25), piece(30, 26, exchange=2)], [], id="of two endpoints"),
        pytest.param([piece(870, 30), piece(905, 30)], [(60, 7)], id="before and after the response was complete"),
        pytest.param([piece(0, 24), piece(30, 20, turn=8), piece(60, 27)], [(51, 7)], id="each turn for itself"),
    ],
)
def test_the_steps_of_one_request_in_one_turn_add_up(pieces, expected):
    assert red(*pieces) == expected


def test_what_ran_in_between_is_not_the_requests():
    (turn,) = turns([piece(0, 25), piece(100, 25)], {1: REQUEST})
    assert (turn.segment.began, turn.segment.ended) == (0, 125 * MS)
    assert (turn.segment.wall, turn.segment.elsewhere) == (50 * MS, 75 * MS)


def test_a_piece_that_never_slept_does_not_seem_to_sleep_beside_one_that_did():
    """The machine was frozen for 40 ms of the first piece."""
    frozen, slept = piece(0, 50, cpu=10), piece(60, 20, cpu=0, switches=1)
    (turn,) = turns([frozen, slept], {1: REQUEST})
    assert (turn.segment.cpu, turn.segment.asleep) == (10 * MS, 20 * MS)


def test_the_portable_meter_adds_up_what_it_knows():
    (turn,) = turns([piece(0, 20, queued=None, switches=None), piece(30, 20, queued=None, switches=None)], {1: REQUEST})
    assert (turn.segment.queued, turn.segment.switches, turn.segment.off_cpu) == (None, None, 0)
    assert turn.segment.wall == 40 * MS


def test_all_that_was_recorded_of_the_pieces_is_kept():
    call = BlockingCall("time.sleep", network=False, began=0, ended=MS, stack=(frame(7),))
    line = LineCost(frame(7), (frame(7),), hits=1, cpu=20 * MS, asleep=MS, round_trips=1, doubtful_trips=1)
    bare = line._replace(stack=())
    one = piece(0, 20, calls=(call,), lines=(bare,), round_trips=1, imported=3)
    (turn,) = turns([one, piece(30, 20, calls=(call,), lines=(line,), others_cpu=4, imported=2)], {1: REQUEST})
    joined = turn.segment
    assert (len(joined.samples), joined.calls, joined.round_trips) == (2, (call, call), 1)
    assert (joined.others_cpu, joined.imported) == (4, 5)
    assert joined.lines == (LineCost(frame(7), (frame(7),), 2, 40 * MS, 2 * MS, round_trips=2, doubtful_trips=2),)


def test_the_line_of_the_greatest_part_is_named_and_the_others_are_told():
    costs = [(7, 20), (9, 35), (7, 10), (11, 5)]
    lines = [LineCost(frame(line), (frame(line),), 1, ms * MS, 0, 0) for line, ms in costs]
    pieces = [piece(40 * n, line.cpu // MS, lines=(line,)) for n, line in enumerate(lines)]
    (stall,) = stalls(Observation("full", (REQUEST,), tuple(pieces)), LIMITS)
    assert stall.place.frame == frame(9)
    assert [(part.frame.line, part.blocked_ns // MS) for part in stall.parts] == [(9, 35), (7, 30), (11, 5)]


def test_a_part_weighs_by_its_time_and_not_by_its_looks():
    """The watchdog looks often at first, and ever more rarely."""
    looks = tuple(Sample(n * MS, n * MS, n * MS, (frame(7),), "running") for n in (10, 15, 20))
    (stall,) = stalls(
        Observation("full", (REQUEST,), (piece(0, 30, samples=looks), piece(40, 45, line=9), piece(90, 2, line=11))),
        LIMITS,
    )
    assert stall.place.frame == frame(9)
    assert [part.frame.line for part in stall.parts] == [9, 7, 11]


def test_a_round_trip_has_no_parts():
    """It is told at its line, however many lines share the turn."""
    call = BlockingCall("requests.get", network=True, began=0, ended=20 * MS, stack=(frame(7),))
    trip = piece(0, 20, cpu=1, switches=1, calls=(call,))
    found = stalls(Observation("full", (REQUEST,), (trip, piece(30, 20, line=9))), LIMITS)
    assert [(each.place.frame.line, each.parts) for each in found if each.kind == "sync-network"] == [(7, ())]


def test_one_line_alone_has_no_parts():
    (stall,) = stalls(Observation("full", (REQUEST,), (piece(0, 25), piece(30, 26))), LIMITS)
    assert stall.parts == ()

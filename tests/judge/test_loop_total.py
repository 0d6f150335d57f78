"""What a request takes of the loop in all: sums of literals."""

import pytest

from pytest_noblock.judge.loop_total import Request, judged
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.pace import STEADY, Pace
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.segment import BlockingCall, Segment
from pytest_noblock.model.stall import BlamedLine, Stall

pytestmark = pytest.mark.one_python

MS = 1_000_000
LIMITS = Limits(max_total=200 * MS)
DEFINED = Frame("/project/app.py", 3, "report", user=True)
EXCHANGE = Exchange(1, "GET", "/report", sent=0, completed=1000 * MS, steps=12, defined=DEFINED)


def shown(file):
    return file.removeprefix("/project/")


def segments(*walls, cpu=False, of=1):
    """One after the other, each of so many ms; asleep, or computing."""
    began, found = 0, []
    for wall in walls:
        counters = {"collected": 0, "queued": 0, "switches": 1, "others_cpu": 0, "round_trips": 0, "doubtful_trips": 0}
        found.append(Segment(of, began * MS, (began + wall) * MS, cpu=wall * MS if cpu else 0, **counters))
        began += wall
    return found


def stall(line, ms, began=0):
    frame = Frame("/project/app.py", line, "load", "time.sleep", user=True)
    times = began * MS, (began + ms) * MS, 0, ms * MS
    return Stall("sync-io", EXCHANGE, *times, BlamedLine(frame, (frame,)), Rule("slept", ""), Readings(wall=ms * MS))


def told(ms, *stalls, kind="sync-io", line=7):
    return Finding(
        kind=kind,
        phase=Phase.HANDLER,
        blocked_ns=ms * MS,
        cpu=0,
        asleep=ms * MS,
        count=max(1, len(stalls)),
        file="app.py",
        line=line,
        function="load",
        code=None,
        call=None,
        replacement="",
        confirmed=True,
        evidence="call",
        stalls=tuple((began * MS, (began + ms) * MS) for began in stalls),
    )


def judge(own, found=(), final=(), *, exchange=EXCHANGE, limits=LIMITS, pace=STEADY):
    return judged(Request(exchange, own, found, final), limits, lambda: pace, shown)


@pytest.mark.parametrize(
    ("walls", "finding", "almost"),
    [([20] * 10, True, False), ([20] * 9, False, True), ([20] * 5, False, True), ([20] * 4, False, False)],
)
def test_many_stretches_add_up(walls, finding, almost):
    total = judge(segments(*walls))
    assert (total.finding is not None, total.almost is not None, total.note) == (finding, almost, None)
    assert judge(segments(*walls, of=2)) == (None, None, None)  # another request's


def test_it_is_at_the_endpoints_def_and_names_the_greatest_parts():
    found = [stall(9, 20, 0), stall(7, 40, 30), stall(9, 30, 90), stall(8, 12, 200)]
    one = judge(segments(*[30] * 10), found).finding
    assert (one.kind, one.blocked_ns, one.asleep, one.cpu, one.count) == ("loop-total", 300 * MS, 300 * MS, 0, 12)
    assert (one.file, one.line, one.function, one.call) == ("app.py", 3, "report", None)
    assert [(part.frame.line, part.blocked_ns // MS) for part in one.parts] == [(9, 50), (7, 40), (8, 12)]
    assert one.reason == "12 stretches, none of them over the limit of 50 ms: asleep 300 ms, CPU 0 ms"


def test_what_is_a_finding_of_its_own_is_not_told_twice():
    own = segments(80, 80, *[20] * 7)
    assert judge(own).finding is not None
    assert judge(own, final=[told(80, 0, 80)]).finding is None
    rest = judge(segments(80, *[20] * 10), [stall(7, 80), stall(9, 20, 80)], [told(80, 0)])
    assert rest.finding.blocked_ns == 200 * MS
    assert [part.frame.line for part in rest.finding.parts] == [9]
    assert judge(own, final=[told(80, 0, 80, kind="gil")]).finding is not None  # the loop was free meanwhile


def test_short_steps_of_which_there_is_no_segment_count():
    brief = EXCHANGE._replace(brief=60 * MS)
    assert judge(segments(*[20] * 7)).finding is None
    assert judge(segments(*[20] * 7), exchange=brief).finding.cpu == 60 * MS


@pytest.mark.parametrize(
    ("ms", "pace", "red"),
    [(21, Pace(2, 1), False), (21, STEADY, True), (30, Pace(2, 1), True)],
)
def test_computing_of_little_more_than_the_limit_is_judged_by_the_pace_of_the_machine(ms, pace, red):
    total = judge(segments(*[ms] * 10, cpu=True), pace=pace)
    assert (total.finding is not None) is red
    assert red or (total.almost is not None and total.note.startswith("unsettled: loop-total, 210 ms in all"))
    assert judge(segments(*[ms] * 10), pace=pace).finding is not None  # a sleep is as long on any machine


def test_without_an_endpoint_there_is_no_place():
    one = judge(segments(*[30] * 10), exchange=EXCHANGE._replace(defined=None)).finding
    assert (one.file, one.line, one.function) == (None, None, None)


@pytest.mark.parametrize(("others", "slept"), [(0, 120), (60, 20)])
def test_beside_a_busy_thread_only_the_sleep_counts_that_was_asked_for(others, slept):
    """What the wait for the GIL took cannot be told from a sleep there, and a sum has no run that confirms it."""
    call = BlockingCall("time.sleep", network=False, began=0, ended=20 * MS, stack=(), asked=20 * MS)
    own = [each._replace(others_cpu=others * MS, calls=(call,)) for each in segments(120)]
    total = judge(own, limits=Limits(max_total=10 * MS), exchange=EXCHANGE._replace(steps=1))
    assert total.finding.asleep == slept * MS

"""Loops that wait: which are in doubt, and how several runs settle it. Tables of literals."""

import pytest

from pytest_noblock.judge import grouping, not_findings, polls
from pytest_noblock.judge.stalls import breaking, stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, Sample, Segment

MS = 1_000_000
LIMITS = Limits(50 * MS)
SOURCE = """
def until(end):
    while time.monotonic() < end:
        pass

def guarded(rows, end):
    while rows and time.monotonic() < end:
        rows.pop().sum()

def works(rows):
    while rows:
        rows.pop().sum()

def asks(items):
    while True:
        try:
            return items.get(timeout=0.002)
        except queue.Empty:
            pass

async def endpoint(end):
    until(end)
    for row in rows:
        until(row)
    until(end)
"""
UNTIL, GUARDED, WORKS, ASKS = 4, 8, 12, 17
ONCE, AGAIN_AND_AGAIN, ONCE_MORE = 22, 24, 25


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The stack of a line of the source, which the endpoint called at another one."""
    file = tmp_path_factory.mktemp("app") / "main.py"
    file.write_text(SOURCE)

    def line(number, at=ONCE):
        return Frame(str(file), number, "loop", user=True), Frame(str(file), at, "endpoint", user=True)

    return line


def step(stack, *, cpu=15, wall=150, looks=(15, 45, 75, 105), ran=None, **more):
    """A step that had a processor for `cpu` ms, evenly spread, and was looked at so many ms after its begin.

    `ran`: by which look it had run for how long; by default for its part of the CPU.
    """
    so_far = ran or [at * cpu // wall for at in looks]
    samples = tuple(
        Sample(at * MS, at * MS, at * MS, stack, "running", 0, (cpu - before) * MS)
        for at, before in zip(looks, so_far, strict=True)
    )
    return Segment(
        1, 0, wall * MS, cpu * MS, 0, (wall - cpu) * MS, 0, more.pop("others_cpu", 0), 0, 0, samples=samples, **more
    )


def observed(*segments):
    exchange = Exchange(1, "GET", "/", sent=0, completed=500 * MS, steps=1)
    return Observation("full", (exchange,), segments)


def found(*segments):
    return stalls(observed(*segments), LIMITS)


@pytest.mark.parametrize(
    ("number", "more", "doubts"),
    [
        (UNTIL, {}, [150]),
        (GUARDED, {}, [150]),
        (ASKS, {}, [150]),
        (WORKS, {}, []),
        (UNTIL, {"wall": 49, "looks": (15, 45)}, []),
        (UNTIL, {"cpu": 60}, []),
        (UNTIL, {"wall": 53, "cpu": 49, "looks": (15, 45)}, []),
        (UNTIL, {"looks": ()}, []),
    ],
    ids="clock guarded-work asks work short over-by-the-meter hardly-waited unseen".split(),
)
def test_a_loop_that_spans_the_limit_by_the_clock_is_in_doubt(line, number, more, doubts):
    assert [each.blocked_ns // MS for each in found(step(line(number), **more)) if each.polls] == doubts


def test_it_is_no_proof_and_stands_for_what_is_charged(line):
    (stall,) = found(step(line(UNTIL)))
    assert (stall.kind, stall.cpu // MS, stall.in_doubt // MS, stall.sure) == ("cpu", 150, 135, False)
    assert stall.place.frame.line == UNTIL
    assert stall.is_open


def test_only_the_time_of_the_looks_that_met_it_counts(line):
    half = step(line(UNTIL), looks=(20, 40))
    others = step(line(WORKS), looks=(90, 130)).samples
    (stall,) = (each for each in found(half._replace(samples=(*half.samples, *others))) if each.polls)
    assert stall.blocked_ns // MS == 65


def test_recorded_calls_meet_it_where_no_look_does(line):
    calls = tuple(BlockingCall("Queue.get", False, at * MS, (at + 15) * MS, line(ASKS)) for at in range(0, 150, 15))
    (stall,) = (each for each in found(step((), looks=())._replace(calls=calls)) if each.polls)
    assert (stall.blocked_ns // MS, stall.place.evidence) == (150, "call")


def test_the_note_says_what_is_in_doubt(line):
    told = grouping.findings(found(step(line(UNTIL))), lambda _file: "main.py")
    (note,) = not_findings.notes([], told, [], LIMITS)
    assert note == (
        "unsettled: cpu, 150 ms at main.py:4: a loop that waits, CPU and sleep 15 ms, the rest without a processor or "
        "the GIL: one that ends by the clock, or when somebody else is done, would have held the loop 150 ms on an "
        "idle machine, one that ends after so many rounds would not; not counted"
    )


def test_what_may_have_come_again_is_not_said_to_have_come_the_first_time_only(line):
    told = grouping.findings(found(step(line(UNTIL))), str)
    cold = grouping.findings(breaking(found(step(line(WORKS), cpu=80)), LIMITS), str)
    assert len(not_findings.notes([], told, cold, LIMITS)) == 1
    assert len(not_findings.notes([], [], cold, LIMITS)) == 1


def settled(*runs):
    first, *later = (observed(each) for each in runs)
    (stall,) = (each for each in stalls(first, LIMITS) if each.polls)
    return polls.settled(stall, later, LIMITS)


def word(stall):
    return "open" if stall.is_open else "red" if stall.sure and stall.breaks(LIMITS) else "under"


@pytest.mark.parametrize(
    ("number", "runs", "expected"),
    [
        (UNTIL, [{}, {"cpu": 25}, {"cpu": 40}], "red"),
        (UNTIL, [{}, {}], "open"),
        (UNTIL, [{}, {}, {"wall": 45, "looks": (15, 30, 40)}], "under"),
        (UNTIL, [{"ran": (5, 13, 14, 14)}] * 3, "open"),  # it ran no more after 45 ms: its time may have been over
        (UNTIL, [{"looks": (15, 75)}] * 3, "open"),  # nobody saw it again
        (GUARDED, [{"cpu": 20}, {"cpu": 20, "wall": 160}, {"cpu": 30}], "open"),
        (GUARDED, [{"cpu": 20}, {"cpu": 21, "wall": 260}, {"cpu": 20, "wall": 340}], "under"),
        (GUARDED, [{"cpu": 20}, {"cpu": 30, "wall": 260}, {"cpu": 40, "wall": 340}], "open"),
        (ASKS, [{}, {"cpu": 25}, {"cpu": 40}], "open"),
    ],
    ids="clock two-runs once-short ran-no-more unseen-after may-be-work work work-on-a-shared-core others".split(),
)
def test_several_runs_tell_how_it_ends(line, number, runs, expected):
    assert word(settled(*(step(line(number), **each) for each in runs))) == expected


def test_it_held_the_loop_until_the_last_moment_at_which_its_time_was_not_over(line):
    stall = settled(*[step(line(UNTIL), looks=(15, 45, 75, 105, 140))] * 3)
    assert (stall.cpu // MS, stall.in_doubt, stall.sure) == (90, 0, True)
    assert stall.proof == (
        "the loop waits until a moment and does nothing else: 3 runs were in it for 150 ms, 150 ms and 150 ms, and "
        "after 90 ms of one its time was not over"
    )


@pytest.mark.parametrize(("at", "expected"), [(ONCE, "red"), (AGAIN_AND_AGAIN, "open")])
def test_a_loop_that_is_begun_anew_may_be_short_each_time(line, at, expected):
    assert word(settled(*[step(line(UNTIL, at))] * 3)) == expected


def test_so_may_one_that_two_lines_begin(line):
    first, second = line(UNTIL, ONCE), line(UNTIL, ONCE_MORE)
    run = step(first)
    stacks = (first, first, second, second)
    looks = tuple(each._replace(stack=stack) for each, stack in zip(run.samples, stacks, strict=True))
    assert word(settled(*[run._replace(samples=looks)] * 3)) == "open"

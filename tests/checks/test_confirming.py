"""What is beyond doubt: how often a request is sent again for its findings. Values alone; nothing is sent."""

import pytest

from pytest_noblock.checks.confirming import Confirming
from pytest_noblock.checks.plan import Plan
from pytest_noblock.judge import grouping
from pytest_noblock.judge.stalls import breaking, stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, LineCost, Sample, Segment

MS = 1_000_000
LIMITS = Limits(50 * MS)
PLAN = Plan(LIMITS)
SLEEP = Frame("/app/main.py", 7, "report", "time.sleep", user=True)
OTHER = Frame("/app/main.py", 9, "report", "time.sleep", user=True)
UNKNOWN = Frame("/app/main.py", 7, "report", "driver.execute", user=True)
HASHES = Frame("/app/main.py", 7, "report", "hashlib.scrypt", user=True)


def observed(ms, frame=SLEEP, *, counters=False):
    """A run in which one step slept, seen by the watchdog or by counters."""
    looks = tuple(Sample(at * MS, at * MS, at * MS + 1, (frame,), "clock_nanosleep") for at in (10, 30))
    lines = (LineCost(frame, cpu=0, asleep=ms * MS, hits=1, stack=(frame,), round_trips=0),) if counters else ()
    step = Segment(1, 0, ms * MS, 0, 0, 0, 1, 0, 0, 0, samples=looks, lines=lines)
    return Observation("full", (Exchange(1, "GET", "/", sent=0, completed=500 * MS, steps=1),), (step,))


def computed(ms, frame=SLEEP, *, counters=False, slept=0):
    """A run in which one step computed, seen by the watchdog or by counters."""
    looks = tuple(Sample(at * MS, at * MS, at * MS + 1, (frame,), None) for at in range(10, ms, 10))
    lines = (LineCost(frame, cpu=ms * MS, asleep=0, hits=1, stack=(frame,), round_trips=0),) if counters else ()
    switches = 1 if slept else 0
    step = Segment(1, 0, (ms + slept) * MS, ms * MS, 0, 0, switches, 0, 0, 0, samples=looks, lines=lines)
    return Observation("full", (Exchange(1, "GET", "/", sent=0, completed=500 * MS, steps=1),), (step,))


@pytest.fixture
def confirm():
    """The findings of a first run that later runs confirm, and which runs were made for that."""

    def confirm(first, *later, plan=PLAN, counted=(), before=None):
        made, runs = [], list(later)

        def again(repeat):
            made.append(repeat)
            return runs.pop(0)

        findings = lambda found: grouping.findings(found, str)  # noqa: E731
        confirming = Confirming(plan, "full", again, findings, list(counted), two_are_proof=before is not None)
        warm_up = breaking(stalls(before, plan.limits), plan.limits) if before is not None else []
        return confirming.sure(first, stalls(first, plan.limits), warm_up), made

    return confirm


def napped(times, every, *, also=0, cpu=0):
    """A run that slept so many times for 1 ms each, every so many ms: between them it had no processor."""
    calls = [
        BlockingCall("time.sleep", False, at * every * MS, (at + 1) * every * MS, (SLEEP,), MS) for at in range(times)
    ]
    end = calls[-1].ended
    other = [BlockingCall("time.sleep", False, end, end + also * MS, (OTHER,), also * MS)] if also else []
    queued = end - times * MS
    step = Segment(1, 0, end + (also + cpu) * MS, cpu * MS, 0, queued, times, 0, 0, 0, calls=(*calls, *other))
    return Observation("full", (Exchange(1, "GET", "/", sent=0, completed=500 * MS, steps=1),), (step,))


def lines_of(found):
    return [(each.line, each.blocked_ns // MS, each.confirmed) for each in found]


def test_a_sleep_that_counters_show_again_is_confirmed_by_one_run(confirm):
    found, made = confirm(observed(80), observed(85, counters=True))
    assert lines_of(found) == [(7, 85, True)]
    assert [(each.counters, each.probes, each.alone) for each in made] == [(True, False, True)]


def test_what_a_sweep_has_counted_already_is_not_sent_again(confirm):
    found, made = confirm(observed(80), counted=[observed(85, counters=True)])
    assert lines_of(found) == [(7, 85, True)]
    assert made == []


def test_what_does_not_come_again_is_no_finding(confirm):
    found, made = confirm(observed(80), observed(1, counters=True), observed(1, counters=True))
    assert found == []
    assert len(made) == 2


def test_four_fifths_of_the_limit_are_enough_to_come_again(confirm):
    assert confirm(observed(80), observed(41, counters=True))[0]
    assert not confirm(observed(80), *[observed(39, counters=True)] * 2)[0]


def test_a_request_without_a_stall_is_not_sent_again(confirm):
    assert confirm(observed(0)) == ([], [])


def test_copies_and_probes_are_sent_again_for_what_one_request_does_not_show(confirm):
    """A sleep of many at once: the runs with counters, of one request alone, do not show it."""
    plan = Plan(LIMITS, concurrency=5)
    found, made = confirm(observed(80), *[observed(1, counters=True)] * 2, observed(80), plan=plan)
    assert lines_of(found) == [(7, 80, True)]
    assert [each.alone for each in made] == [True, True, False]


def test_another_line_in_the_later_run_is_what_counters_name(confirm):
    found, _made = confirm(observed(80), *[observed(80, OTHER, counters=True)] * 2)
    assert [each.line for each in found] == [9]


def test_a_computation_that_a_sweep_has_seen_twice_is_not_sent_again(confirm):
    found, made = confirm(computed(100), before=computed(90))
    assert lines_of(found) == [(7, 100, True)]
    assert made == []


@pytest.mark.parametrize(
    ("first", "before", "ms"),
    [(observed(80), observed(90), 80), (computed(60, HASHES), computed(100, HASHES), 60)],
    ids=["sleeps", "computes near the limit"],
)
def test_what_a_known_call_did_twice_in_a_sweep_is_not_sent_again(first, before, ms, confirm):
    found, made = confirm(first, before=before)
    assert lines_of(found) == [(7, ms, True)]
    assert made == []


def test_a_short_sleep_beside_it_may_be_a_round_trip(confirm):
    both = observed(80)
    short = observed(8, UNKNOWN).segments[0]._replace(began=200 * MS, ended=208 * MS)
    _found, made = confirm(both._replace(segments=(*both.segments, short)), observed(80, counters=True), before=both)
    assert [each.counters for each in made] == [True]


def test_one_that_the_fixture_has_seen_twice_is_sent_again_for_its_line(confirm):
    found, made = confirm(computed(100), computed(100, counters=True))
    assert lines_of(found) == [(7, 100, True)]
    assert [each.counters for each in made] == [True]


@pytest.mark.parametrize(
    ("first", "before"),
    [
        (computed(100), computed(90, OTHER)),
        (computed(100), computed(60)),
        (computed(60), computed(100)),
        (computed(100, slept=80), computed(100)),
        (observed(80, UNKNOWN), observed(80, UNKNOWN)),
    ],
    ids="other-line near-before near-now sleeps-too unknown-call".split(),
)
def test_whatever_leaves_a_doubt_is_sent_again(first, before, confirm):
    """Counters may tell more: which line, whether a round trip. If they do not, the two runs are still proof."""
    found, made = confirm(first, *[computed(1, counters=True)] * 2, before=before)
    assert [each.counters for each in made] == [True, True]
    assert [each.confirmed for each in found] == [True]


def test_what_only_one_of_two_runs_showed_is_sent_again(confirm):
    found, made = confirm(computed(100), *[computed(1, counters=True)] * 2, before=computed(1))
    assert len(made) == 2
    assert found == []


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        (napped(30, 5), [napped(60, 2), napped(60, 2)], [(7, 60, True)]),
        (napped(30, 5), [napped(20, 7), napped(60, 2)], [(7, 60, True)]),
        (napped(30, 5), [napped(25, 6), napped(15, 10)], [(7, 145, True)]),
        (napped(20, 5), [napped(20, 8), napped(20, 12)], []),
        (napped(42, 3), [napped(42, 1), napped(42, 2)], []),
        (napped(42, 3), [napped(42, 1, cpu=12), napped(42, 2, cpu=12)], []),
        (napped(30, 5), [napped(30, 5), napped(30, 5)], []),
        (napped(9, 6, also=38), [napped(9, 1, also=38)] * 2, []),
    ],
    ids="measured-later measured-once by-the-clock counted near-the-limit cpu-too as-often another-line".split(),
)
def test_short_sleeps_in_doubt_are_a_finding_where_later_runs_show_how_they_end(confirm, first, later, expected):
    found, made = confirm(first, *later)
    assert (lines_of(found), len(made) <= 2) == (expected, True)


def test_a_round_trip_at_a_line_whose_sleeps_are_in_doubt_is_red_however_short(confirm):
    def retried(observation):
        (step,) = observation.segments
        trip = BlockingCall("socket.connect", True, 0, MS, (SLEEP,))
        return observation._replace(segments=(step._replace(calls=(trip, *step.calls)),))

    found, _made = confirm(retried(napped(20, 5)), retried(napped(20, 1)), retried(napped(20, 2)))
    assert [each.kind for each in found] == ["sync-network"]

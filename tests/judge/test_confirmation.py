"""What a second run must show: tables of literals."""

from dataclasses import replace
from typing import get_args

import pytest

from pytest_noblock.judge import confirmation, repeats, two_runs
from pytest_noblock.judge.repeats import Repeat
from pytest_noblock.model.finding import Part
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.kinds import KINDS, StallKind
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.stall import BlamedLine, Stall
from tests.judge.findings import MS, finding

CPU_CLOCK = Rule("cpu-clock", "words")
SLEPT = Rule("slept", "words")


@pytest.mark.parametrize(
    ("first", "again", "lines"),
    [
        ([finding(line=7)], [[finding(line=7)]], [7]),
        ([finding(line=7)], [[]], []),
        ([finding(line=7)], [[], [finding(line=7)]], [7]),
        ([finding(line=7)], [[], []], []),
        ([finding(line=7)], [[finding(line=9)]], []),
        ([finding(line=7)], [[finding(line=9)], [finding(line=9)]], [9]),
        ([finding(line=None)], [[finding(line=9)]], [9]),
        ([], [[finding(line=9)]], []),
        ([], [[finding(line=9)], [finding(line=9)]], []),  # 48 ms, and 2 ms of the counters
        ([], [[finding("sync-network", line=9)], [finding("sync-network", line=9)]], [9]),
        ([finding(line=7)], [[finding(line=7), finding(line=9)], [finding(line=7), finding(line=9)]], [7]),
        ([], [[finding("cpu", line=9)], [finding("cpu", line=9)]], []),
        ([finding(line=7), finding(line=8)], [[finding(line=8)]], [8]),
        ([finding("cpu", line=7)], [[finding(line=7)]], []),
        ([finding("cpu", line=7)], [[finding("cpu", line=9)]], [9]),
        ([finding("cpu", line=7, function="a")], [[finding("cpu", line=9, function="b")]], []),
        ([finding("cpu", line=7, function="a", evidence="sample")], [[finding("cpu", line=9, function="b")]], [9]),
        ([finding(line=7)], [[finding(line=7, phase=Phase.BACKGROUND)]], []),
    ],
    ids=(
        "again gone third-run never other-line other-line-twice unnamed-before new-once new-twice new-round-trip"
        " beside-another new-cpu one-of-two"
        " other-kind same-loop other-function sampled-elsewhere other-phase"
    ).split(),
)
def test_a_finding_must_come_in_two_runs(first, again, lines):
    result = confirmation.confirmed(first, again, needed=2)
    assert [each.line for each in result] == lines
    assert all(each.confirmed for each in result)


CPU_SEEN = finding("cpu", line=7, ms=100, evidence="sample")
GIL_SEEN = replace(CPU_SEEN, kind="gil", evidence="worker")


@pytest.mark.parametrize("one", [CPU_SEEN, GIL_SEEN], ids=lambda each: each.kind)
def test_a_long_computation_that_looks_saw_twice_needs_no_third_run(one):
    limits = Limits(50 * MS)
    assert two_runs.shown_twice([one], [one], limits) == [replace(one, confirmed=True)]
    for other in (
        replace(one, line=8),
        replace(one, call="other"),
        replace(one, cpu=74 * MS),
        replace(one, evidence="endpoint" if one.kind == "cpu" else "await"),
        replace(one, phase=Phase.BACKGROUND),
    ):
        assert two_runs.shown_twice([one], [other], limits) == []
        assert two_runs.shown_twice([other], [one], limits) == []
    assert two_runs.shown_twice([one, replace(one, line=8)], [one], limits) == []
    assert two_runs.shown_twice([], [one], limits) == []


PART = Part(Frame("app.py", 8, "report", user=True), 30 * MS)


@pytest.mark.parametrize(
    ("one", "plain"),
    [
        (finding(call="time.sleep", evidence="call"), True),
        (finding(call="os.read", evidence="sample"), True),
        (finding("cpu", call="hashlib.scrypt", ms=60, evidence="sample"), True),
        (finding("sync-network", ms=0, evidence="call"), True),
        (finding(call="os.read", evidence="sample", parts=(PART,)), False),  # what of the other line?
        (finding(call="time.sleep", evidence="none"), False),
        (finding(call="hashlib.scrypt", evidence="sample"), False),  # it is not what slept
        (finding("cpu", call="time.sleep", ms=60, evidence="sample"), False),
        (finding(call="psycopg2.connect", evidence="sample"), False),
        (finding(call="driver.execute", evidence="sample"), False),  # it may be a round trip
        (finding(evidence="sample"), False),
        (finding("sync-network", evidence="sample"), False),
    ],
)
def test_what_one_known_call_did_twice_needs_no_third_run(one, plain):
    assert bool(two_runs.shown_twice([one], [one], Limits(50 * MS))) is plain


def test_a_sleep_that_broke_the_limit_in_the_first_run_has_the_time_of_that_run():
    """The later runs have a lower bar: the failure would say that 41 ms break a limit of 50 ms."""
    (one,) = confirmation.confirmed([finding(ms=51)], [[finding(ms=41)]], needed=2)
    assert one.blocked_ns == 51 * MS


def test_what_counters_give_each_line_of_a_step_stays_where_the_first_run_was_longer():
    """Looks share out a whole, which is no proof that a line beside a known one is new."""
    looked, counted = (Part(Frame("a.py", 9, "other"), 90 * MS, counted=each) for each in (False, True))
    first, again = (replace(finding(ms=ms), parts=(part,)) for ms, part in ((192, looked), (190, counted)))
    (one,) = confirmation.confirmed([first], [[again]], needed=2)
    assert (one.blocked_ns, one.parts) == (192 * MS, (counted,))


@pytest.mark.parametrize(
    ("first", "confirmed", "lines"),
    [
        ([finding(line=7)], [], [7]),
        ([finding(line=7)], [finding(line=7)], []),
        ([finding(line=7)], [finding(line=9)], []),  # the same, at a better line
        ([finding(line=7), finding(line=8)], [finding(line=8)], [7]),
        ([finding(line=7)], [finding("cpu", line=9)], [7]),
        ([finding(line=None)], [], []),
    ],
)
def test_what_is_still_open(first, confirmed, lines):
    assert [each.line for each in confirmation.open_after(first, confirmed)] == lines


def test_what_the_warm_up_showed_at_the_same_line_is_confirmed():
    (one,) = two_runs.shown_by_warm_up([finding(line=7), finding(line=8), finding(line=None)], [finding(line=8)])
    assert (one.line, one.confirmed) == (8, True)


@pytest.mark.parametrize(("looks", "line"), [(0, 9), (3, 7)])
def test_what_no_look_met_is_at_the_line_that_the_warm_up_showed(looks, line):
    first = finding("cpu", line=7, ms=95, evidence="endpoint", readings=Readings(wall=MS, samples=looks))
    before = finding("cpu", line=9, ms=60, evidence="sample", call="hashlib.pbkdf2_hmac")
    (one,) = two_runs.shown_by_warm_up([first], [before])
    assert (one.line, one.blocked_ns, one.confirmed) == (line, 95 * MS, True)
    assert one.call == (before.call if line == 9 else None)


def test_portable_rules_may_ask_for_every_run():
    runs = [[finding()], [finding()], [finding()]]
    assert len(confirmation.confirmed([finding()], runs, needed=4)) == 1
    assert confirmation.confirmed([finding()], [*runs[:2], []], needed=4) == []


def test_a_computation_keeps_the_times_of_the_run_without_counters():
    """The counters themselves burn CPU."""
    first = finding("cpu", ms=60, count=3, stalls=((0, 60),))
    (one,) = confirmation.confirmed([first], [[finding("cpu", ms=400, count=1, stalls=((0, 400),))]], needed=2)
    assert (one.blocked_ns, one.cpu, one.count, one.stalls) == (60 * MS, 60 * MS, 3, ((0, 60),))


@pytest.mark.parametrize(("evidence", "function", "line"), [("hot loop", "report", 7), ("hot loop", "other", 7),
    ("line counters", "report", 9)])  # fmt: skip
def test_samples_show_the_line_of_a_hot_loop_better_than_counters(evidence, function, line):
    first = finding("cpu", line=7, evidence="sample", call="json.dumps", code="dumps(x)")
    counted = finding("cpu", line=9, evidence=evidence, function=function)
    (one,) = confirmation.confirmed([first], [[counted]], needed=2)
    assert (one.line, one.call, one.code) == ((7, "json.dumps", "dumps(x)") if line == 7 else (9, None, None))


def test_samples_name_the_librarys_function_below_an_endpoint_and_counters_do_not():
    first = finding("cpu", evidence="endpoint", call="yaml.safe_load")
    (one,) = confirmation.confirmed([first], [[finding("cpu", evidence="endpoint", code="def x():")]], needed=2)
    assert (one.line, one.call, one.code) == (7, "yaml.safe_load", "def x():")


def test_the_times_and_the_number_of_stalls_are_of_one_run():
    """`count` says how often it held the loop; so do the stalls that the timeline shows."""
    first = finding(count=2, stalls=((0, 80), (90, 170)))
    (one,) = confirmation.confirmed([first], [[finding(count=1, stalls=((0, 80),))]], needed=2)
    assert one.count == len(one.stalls)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (finding(line=7), finding(line=9)),  # the first run named another line
        (finding("sync-io", line=9), finding("sync-network", line=9)),  # a connection that the step closed again
        (finding("sync-io", line=7), finding("sync-network", line=9)),
    ],
)
def test_a_finding_of_later_runs_has_the_moments_of_the_first_one(first, again):
    """The probes of the first run waited then: none of them did in the moments of another run."""
    first = replace(first, stalls=((0, 80), (90, 170)), count=2)
    again = replace(again, stalls=((1000, 1080),))
    (one,) = confirmation.confirmed([first], [[again], [again]], needed=2)
    assert (one.line, one.kind, one.stalls, one.count) == (9, again.kind, ((0, 80), (90, 170)), 2)


def test_a_finding_that_runs_with_probes_moved_has_the_moments_of_the_first_run():
    first = finding(line=None, stalls=((0, 80),))
    again = finding(line=9, stalls=((1000, 1080),))
    (one,) = confirmation.came_again([first], [[again]])
    (moved,) = confirmation.came_again([replace(first, file="app.py", line=7)], [[again], [again]])
    assert (one.line, one.stalls, moved.line, moved.stalls) == (9, ((0, 80),), 9, ((0, 80),))


@pytest.mark.parametrize(
    ("seen", "counted", "told"),
    [
        (None, "load", None),  # the looks met the line outside of its calls
        (None, "json.dumps", "json.dumps"),  # known to compute
        ("load", "shop.find", "load"),
    ],
)
def test_looks_say_which_call_of_a_line_computes_if_any(seen, counted, told):
    first = finding("cpu", evidence="sample", call=seen)
    (one,) = confirmation.confirmed([first], [[finding("cpu", call=counted)]], needed=2)
    assert one.call == told


def test_what_no_line_explains_is_not_the_same_finding_twice():
    """The counters gave up in the hot loop, and the next piece of the stream was put down to the endpoint's `def`."""
    loop = finding("cpu", line=4, function="render", evidence="sample", file="shop.py", ms=120)
    counted = [replace(loop, evidence="hot loop"), finding("cpu", function="stream", evidence="endpoint", ms=120)]
    assert [each.line for each in confirmation.confirmed([loop], [counted], needed=2)] == [4]
    both = confirmation.confirmed([loop, counted[1]], [counted], needed=2)
    assert {each.function for each in both} == {"render", "stream"}


def test_confirmed_findings_are_sorted_worst_first():
    runs = [finding(line=1, ms=60), finding(line=2, ms=90)]
    assert [each.line for each in confirmation.confirmed(runs, [runs], needed=2)] == [2, 1]


def test_a_computation_keeps_the_rule_and_the_readings_of_its_times():
    plain, counted = Readings(wall=60 * MS), Readings(wall=400 * MS)
    first = finding("cpu", ms=60, rule=CPU_CLOCK, readings=plain)
    (one,) = confirmation.confirmed([first], [[finding("cpu", ms=400, rule=CPU_CLOCK, readings=counted)]], needed=2)
    assert one.readings is plain
    slept = finding(ms=60, rule=SLEPT, readings=plain)
    (one,) = confirmation.confirmed([slept], [[finding(ms=70, rule=SLEPT, readings=counted)]], needed=2)
    assert (one.blocked_ns, one.readings) == (70 * MS, counted)


SAME_POOL = {"pool": "the thread pool"}


@pytest.mark.parametrize(
    ("first", "again", "lines"),
    [
        ([finding("gil", line=7)], [[finding("gil", line=7)]], [7]),
        ([finding("gil", line=7)], [[]], []),
        ([finding("gil", line=7)], [[], [finding("gil", line=7)]], [7]),
        ([finding("gil", line=7)], [[finding("gil", line=9)]], []),
        ([finding("gil", line=7)], [[finding("gil", line=9)], [finding("gil", line=9)]], [9]),
        ([finding("gil", line=7)], [[finding("gil", line=9)], [finding("gil", line=8)]], []),
        ([], [[finding("gil", line=9)], [finding("gil", line=9)]], []),
        ([finding("gil", line=7)], [[finding("gil", line=9)], [finding("gil", line=7), finding("gil", line=9)]], [7]),
        ([finding("gil", line=None)], [[finding("gil", line=9)]], [9]),
        ([finding("gil", line=7)], [[finding("gil", line=None)]], [7]),
        ([finding("gil", line=None)], [[finding("gil", line=None), finding("gil", line=9)]], [9]),
        ([finding("gil", line=7, evidence="await")], [[finding("gil", line=9, evidence="worker")]], [9]),
        ([finding("gil", line=7, evidence="worker")], [[finding("gil", line=9, evidence="await")]], [7]),
        ([finding("gil", line=7, evidence="await")], [[finding("cpu", line=9, evidence="worker")]], []),
        ([finding("gil", line=7, evidence="endpoint")], [[finding("gil", line=9, evidence="worker")]], [9]),
        ([finding("gil", line=9, evidence="worker")], [[finding("gil", line=7, evidence="endpoint")]], [9]),
        ([finding("gil", line=7, evidence="endpoint")], [[finding("gil", line=7, evidence="endpoint")]], [7]),
        ([finding("gil", line=None)], [[finding("contention", line=9)]], []),
        ([finding("pool-starved", line=7, **SAME_POOL)], [[finding("pool-starved", line=9, **SAME_POOL)]], [7]),
        ([finding("pool-starved", line=7, **SAME_POOL)], [[finding("pool-starved", line=7, pool="other")]], []),
        ([finding("gil", line=7), finding("gil", line=8)], [[finding("gil", line=8)]], [8]),
    ],
    ids=(
        "again gone second other-line other-line-twice three-lines new-twice beside-another"
        " line-later no-line-later best-line worker-later worker-first waiter-alone def-first def-later def-twice"
        " other-kind one-pool two-pools"
        " one-of-two"
    ).split(),
)
def test_what_is_seen_beside_the_steps_must_come_again(first, again, lines):
    result = confirmation.came_again(first, again)
    assert [each.line for each in result] == lines
    assert all(each.confirmed for each in result)


@pytest.mark.parametrize(
    ("first", "again", "enough"),
    [
        ([], [], True),
        ([finding("gil")], [], False),
        ([finding("gil")], [[finding("gil")]], True),
        ([finding("gil", line=None)], [[finding("gil", line=None)]], False),  # it came again, and its line is unknown
        ([finding("gil", line=None)], [[finding("gil", line=9)]], True),
        ([finding("gil", evidence="endpoint")], [[finding("gil", evidence="endpoint")]], False),
        ([finding("gil", evidence="endpoint")], [[finding("gil", line=9, evidence="worker")]], True),
        (
            [finding("gil", evidence="await")],
            [[finding("gil", evidence="await")]],
            True,
        ),  # no line of the app's may run
        ([finding("gil"), finding("gil", line=8)], [[finding("gil")]], False),
    ],
)
def test_no_further_run_is_made_once_all_came_again_with_their_lines(first, again, enough):
    assert confirmation.all_came_again(first, again) is enough


FULL = repeats.repeat_for("line counters", "full")
PORTABLE = repeats.repeat_for("line counters", "portable")


@pytest.mark.parametrize(
    ("repeat", "first", "again", "so_far", "more"),
    [
        (FULL, [finding()], [], [], True),
        (FULL, [], [], [], True),  # what the step could not show, the counters may
        (FULL, [finding()], [[finding()]], [finding()], False),
        (FULL, [finding()], [[]], [], True),
        (FULL, [], [[finding()]], [], True),
        (FULL, [], [[]], [], False),
        (PORTABLE, [finding()], [[finding()]], [], True),
        (PORTABLE, [finding()], [[finding()]] * 2, [], True),
        (PORTABLE, [], [[]], [], True),  # each of its runs must show it: none is left out
        (PORTABLE, [finding()], [[finding()]] * 3, [finding()], False),
    ],
)
def test_runs_with_counters_go_on_while_something_is_open(repeat, first, again, so_far, more):
    assert confirmation.may_show_more(repeat, first, again, so_far) is more


@pytest.mark.parametrize(
    ("kind", "meter", "repeat"),
    [
        ("cpu", "full", Repeat(2, 2, alone=True, probes=False, counters=True)),
        ("cpu", "portable", Repeat(3, 4, alone=True, probes=False)),
        ("contention", "full", Repeat(2, 2, alone=False, probes=True)),
        ("contention", "portable", Repeat(2, 2, alone=False, probes=True)),
        ("gil", "full", Repeat(2, 2, alone=True, probes=True, only_sure=True)),
        ("background-early", "full", Repeat(0, 1, alone=True, probes=False)),
    ],
)
def test_the_runs_that_a_kind_needs(kind, meter, repeat):
    assert repeats.repeat_for(KINDS[kind].confirmation, meter) == repeat


def test_what_only_several_requests_show_is_sent_as_it_was():
    assert repeats.repeat_for("as sent", "full") == Repeat(2, 2, alone=False, probes=True, only_sure=True)


def test_each_stall_is_confirmed_in_one_way():
    exchange = Exchange(1, "GET", "/", sent=0)
    stalls = [Stall(kind, exchange, 0, 1, 0, 1, BlamedLine(), SLEPT, Readings(wall=1)) for kind in get_args(StallKind)]
    shares = [repeats.confirmed_by(how, stalls) for how in ("line counters", "probes again", "alone again")]
    assert [[stall.kind for stall in share] for share in shares] == [
        ["sync-network", "sync-io", "cpu"],
        ["pool-starved", "contention"],
        ["gil"],
    ]


def test_four_fifths_of_the_limit_count_as_having_come_again():
    assert repeats.nearly(Limits(50 * MS)) == Limits(40 * MS)


@pytest.mark.parametrize(
    ("kind", "sure", "asleep", "read", "counts"),
    [
        ("sync-io", False, 478, Readings(3_700 * MS, switches=213, others_cpu=101 * MS), False),
        ("sync-io", True, 478, Readings(3_700 * MS, switches=213, others_cpu=101 * MS), True),
        ("sync-io", False, 100, Readings(100 * MS, switches=1, others_cpu=90 * MS), True),  # one sleep
        ("sync-io", False, 100, Readings(100 * MS, switches=20, others_cpu=MS), True),  # hardly anybody computed
        ("sync-io", False, 100, Readings(100 * MS), True),  # the portable meter
        ("sync-io", False, 53, Readings(1_412 * MS, queued=1_202 * MS, switches=4, others_cpu=0), False),
        ("sync-io", False, 53, Readings(200 * MS, queued=140 * MS, switches=4, others_cpu=0), True),
        ("cpu", False, 0, Readings(100 * MS, switches=50, others_cpu=90 * MS), True),
    ],
)
def test_a_sleep_that_may_be_waits_for_the_gil_or_the_machines_confirms_nothing(kind, sure, asleep, read, counts):
    """The first: measured beside 15 busy processes, a request that computes beside a thread of its own.

    The one in the run queue for 1,202 ms: measured beside 4, a request that computed for 157 ms, and nothing else.
    """
    exchange = Exchange(1, "GET", "/", sent=0)
    stall = Stall(kind, exchange, 0, 1, 0, asleep * MS, BlamedLine(), SLEPT, read, sure)
    assert confirmation.is_sleep_of_its_own(stall) is counts


@pytest.mark.parametrize(("asleep", "in_doubt", "doubted"), [(160, 148, True), (160, 100, False), (160, 0, False)])
def test_a_sleep_is_in_doubt_where_it_breaks_the_limit_only_with_what_the_machine_may_have_done(
    asleep, in_doubt, doubted
):
    exchange = Exchange(1, "GET", "/", sent=0)
    read = Readings(wall=170 * MS)
    stall = Stall("sync-io", exchange, 0, 1, 0, asleep * MS, BlamedLine(), SLEPT, read, in_doubt=in_doubt * MS)
    assert confirmation.is_in_doubt(stall, Limits(50 * MS)) is doubted

"""Which findings a list of known ones covers, and which of its entries are fixed: of values alone."""

from dataclasses import replace
from datetime import date

import pytest

from pytest_noblock.acceptance.allowances import Allowance, accept
from pytest_noblock.acceptance.baseline import Baseline, Entry
from pytest_noblock.acceptance.judging import judged, updated
from pytest_noblock.model.finding import Part
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.identity import identity
from pytest_noblock.report.from_json import check_of
from pytest_noblock.report.json_v1 import record

pytestmark = pytest.mark.one_python

TODAY = date(2026, 11, 27)
REPORT = "GET /report"
SLEEPS = identity("sync-io", REPORT, "app/main.py", "report", "time.sleep")
BURNS = identity("cpu", REPORT, "app/main.py", "report", "app.main.f")
TRIP = identity("sync-network", REPORT, "app/main.py", "report", "requests.get")
BARE = identity("cpu", REPORT, "app/main.py", "report", None)
FULL_POOL = identity("pool-starved", REPORT, "app/a.py", "one", None)
GIL = identity("gil", REPORT, "app/main.py", "worker", None)
LINELESS = identity("sync-io", REPORT, None, None, None)


def baseline(*identities, **more):
    return Baseline(tuple(Entry(each, **more) for each in identities))


def finding(identity, *, code="a line", ms=60.0, **more):
    kind, _route, file, function, call = identity
    slept = 0.0 if kind == "cpu" else ms
    times = {"ms": ms, "cpu_ms": ms - slept, "asleep_ms": slept}
    place = {"file": file, "line": file and 3, "function": function, "code": code, "call": call}
    told = {"replacement": "another", "confirmed": True, "count": 1, "phase": "handler"}
    return {"kind": kind, **times, **place, **told, **more}


def near(identity, ms=30.0, **more):
    kind, _route, file, function, call = identity
    return {"kind": kind, "ms": ms, "file": file, "function": function, "code": "a line", "call": call} | more


def check(*findings, route="/report", outcome=None, almost=(), notes=(), id="t::t"):
    more = {"almost": list(almost)} if almost else {}
    return {
        "id": id,
        "request": f"GET {route or '/nowhere'}",
        "route": route,
        "endpoint": None,
        "outcome": outcome or ("failed" if findings else "passed"),
        "reason": None,
        "duration_ms": 1.0,
        "loop_ms": 1.0,
        "findings": list(findings),
        "probes": [],
        "background": [],
        "notes": list(notes),
        **more,
    }


def report(*checks, meter="full"):
    return {"environment": {"meter": meter}, "checks": list(checks)}


def run(known, *checks, meter="full", **more):
    return judged(known, [report(*checks, meter=meter)], TODAY, **more)


@pytest.mark.parametrize(
    ("entry", "shown", "known"),
    [
        (SLEEPS, finding(SLEEPS), True),
        (SLEEPS, finding(SLEEPS, ms=600.0), True),
        (SLEEPS, finding(SLEEPS._replace(kind="cpu")), False),
        (SLEEPS, finding(SLEEPS._replace(file="app/other.py")), False),
        (SLEEPS, finding(SLEEPS._replace(function="other")), False),
        (SLEEPS, finding(SLEEPS._replace(call="open")), False),
        (SLEEPS, finding(SLEEPS._replace(call=None)), True),  # a look that came late
        (SLEEPS, finding(LINELESS, code=None), True),  # no look came
        (SLEEPS, finding(SLEEPS._replace(function="f", call=None), code="async def f():"), True),
        (TRIP, finding(TRIP._replace(kind="sync-io")), True),  # the connection was closed before it was read
        (SLEEPS, finding(SLEEPS._replace(kind="sync-network")), False),
        (BURNS, finding(BURNS._replace(call="app.main.g")), True),  # another line of the same loop
        (BARE, finding(BURNS), True),
        (BURNS, finding(BURNS._replace(function="other", call="time.sleep")), True),  # the only looks came in a sleep
        (BURNS, finding(BARE), True),
        (BURNS, finding(BURNS._replace(call="fastapi.encoders.jsonable_encoder"), code="async def f():"), False),
        (BURNS, finding(BURNS._replace(function="other")), False),
        (BARE, finding(BARE._replace(kind="sync-io"), cpu_ms=30.0, asleep_ms=31.0), True),  # some of both
        (BARE, finding(BARE._replace(kind="sync-io"), cpu_ms=10.0, asleep_ms=50.0), False),
        (FULL_POOL, finding(FULL_POOL._replace(file="app/b.py", function="two")), True),
    ],
    ids=str,
)
def test_an_entry_covers_what_is_the_same_to_the_user(entry, shown, known):
    result = run(baseline(entry), check(shown))
    assert (len(result.known), len(result.new)) == ((1, 0) if known else (0, 1))
    told = check_of(check(shown), 50_000_000, "full")
    assert baseline(entry).accepting(told, TODAY).outcome == ("accepted" if known else "failed")
    assert run(baseline(entry._replace(route="GET /other")), check(shown)).new  # its twin at another route


def test_what_has_no_line_is_not_the_entry_that_another_finding_needed():
    both = check(finding(SLEEPS), finding(LINELESS, code=None))
    assert run(baseline(SLEEPS), both).new == (LINELESS,)
    told = baseline(SLEEPS).accepting(check_of(both, 1, "full"), TODAY)
    assert [each.accepted for each in told.findings] == ["baseline", None]


@pytest.mark.parametrize(("ms", "known"), [(60.0, True), (41.0, True), (39.0, False)])
def test_two_lines_of_one_step_take_turns_at_being_the_longest(ms, known):
    other = SLEEPS._replace(function="other")
    shown = check(finding(other), almost=[near(SLEEPS, ms, part=True)])
    assert run(baseline(SLEEPS), shown).new == (() if known else (other,))
    assert run(baseline(SLEEPS), shown).known == baseline(SLEEPS).entries
    assert baseline(SLEEPS).accepting(check_of(shown, 1, "full"), TODAY).outcome == ("accepted" if known else "failed")
    apart = check(finding(other), almost=[near(SLEEPS, ms)])  # a stretch of its own: short this time
    assert run(baseline(SLEEPS), apart).new == (other,)
    assert updated(baseline(), run(baseline(), shown)) == baseline(other)


OTHER = SLEEPS._replace(function="other")


def with_parts(*shares, longest=SLEEPS, ms=140.0, **more):
    """A check whose finding is at `longest`, in a step in which these lines shared: identity, ms, times the limit."""
    almost = [near(each, ms, part=True, code=None, **({"over": over} if over else {})) for each, ms, over in shares]
    return check(finding(longest, ms=ms, **more), almost=almost)


def accepted(known, told):
    """The outcome of the check with what the baseline accepts, and what is said beside a known line."""
    parts = tuple(
        Part(Frame(each["file"], 9, each["function"], each["call"]), round(each["ms"] * 1e6)) for each in told["almost"]
    )
    one = check_of(told, 50_000_000, "full")
    one = known.accepting(replace(one, findings=(replace(one.findings[0], parts=parts),)), TODAY)
    return one.outcome, one.findings[0].beside


def test_a_line_beside_a_known_one_is_new_where_it_is_too_long_by_itself():
    told = with_parts((SLEEPS, 80.0, 1.6), (OTHER, 76.0, 1.52))
    assert run(baseline(SLEEPS), told).new == (OTHER,)
    assert run(baseline(SLEEPS), told).known == baseline(SLEEPS).entries
    said = "76 ms of it by app/main.py:9 in other, which the baseline does not know"
    assert accepted(baseline(SLEEPS), told) == ("failed", said)
    assert updated(baseline(SLEEPS), run(baseline(SLEEPS), told)) == baseline(OTHER, SLEEPS)
    both = baseline(OTHER, SLEEPS)
    assert run(both, told).new == ()
    assert accepted(both, told) == ("accepted", None)


def test_it_is_new_as_well_where_it_is_the_longest_line():
    told = with_parts((OTHER, 90.0, 1.8), (SLEEPS, 80.0, 1.6), longest=OTHER)
    assert run(baseline(SLEEPS), told).new == (OTHER,)
    assert run(baseline(OTHER, SLEEPS), told).new == ()


@pytest.mark.parametrize(
    ("over", "taken_in"),
    [(0, False), (0.9, False), (1.1, True), (1.49, True)],  # not counted; under the limit; near it
)
def test_a_line_beside_a_known_one_that_may_be_under_the_limit_next_time_is_taken_in_and_not_red(over, taken_in):
    told = with_parts((SLEEPS, 80.0, 1.6), (OTHER, 72.0, over))
    assert run(baseline(SLEEPS), told).new == ()
    assert accepted(baseline(SLEEPS), told) == ("accepted", None)
    after = updated(baseline(SLEEPS), run(baseline(SLEEPS), told))
    assert after == (baseline(OTHER, SLEEPS) if taken_in else baseline(SLEEPS))
    grown = with_parts((SLEEPS, 80.0, 1.6), (OTHER, 80.0, 1.6))
    assert bool(run(after, grown).new) is not taken_in


def test_a_line_that_was_taken_in_is_fixed_only_when_it_is_gone():
    known = baseline(OTHER, SLEEPS)
    assert run(known, with_parts((SLEEPS, 80.0, 1.6), (OTHER, 26.0, 0))).fixed == ()
    assert run(known, with_parts((SLEEPS, 80.0, 1.6))).fixed == baseline(OTHER).entries


@pytest.mark.parametrize("longest", [SLEEPS, OTHER])
def test_two_lines_that_nobody_counted_take_turns_by_their_own_times(longest):
    told = with_parts((SLEEPS, 80.0, 0), (OTHER, 81.0, 0), longest=longest, ms=161.0)
    assert run(baseline(SLEEPS), told).new == ()
    much = with_parts((SLEEPS, 50.0, 0), (OTHER, 81.0, 0), longest=OTHER, ms=131.0)
    assert run(baseline(SLEEPS), much).new == (OTHER,)


def test_what_another_reason_accepts_is_accepted_with_all_lines_of_its_step():
    told = with_parts((SLEEPS, 80.0, 1.6), (OTHER, 76.0, 1.52), accepted="legacy")
    assert run(baseline(SLEEPS), told).new == ()
    warned = with_parts((SLEEPS, 80.0, 1.6), (OTHER, 76.0, 1.52), accepted="action=warn")
    assert (run(baseline(SLEEPS), warned).new, run(baseline(SLEEPS), warned).warned) == ((), (OTHER,))


def test_a_step_that_computes_here_and_sleeps_there_is_known_as_both():
    burns = BURNS._replace(function="burn")
    swapped = check(finding(SLEEPS._replace(function="burn", call="app.main.f")))
    assert run(baseline(SLEEPS, burns), swapped).known == baseline(SLEEPS).entries
    assert run(baseline(SLEEPS), swapped).new
    assert run(baseline(burns), swapped).new
    assert run(baseline(SLEEPS, burns._replace(route="GET /a")), swapped).new
    assert run(baseline(SLEEPS, burns), check(finding(SLEEPS._replace(function="third")))).new


def test_what_the_user_accepts_stays_as_it_is():
    told = accept(check_of(check(finding(SLEEPS)), 1, "full"), [Allowance("legacy")])
    assert baseline(SLEEPS).accepting(told, TODAY) == told
    result = run(baseline(SLEEPS), record(told))
    assert (result.known, result.new) == (baseline(SLEEPS).entries, ())
    assert run(baseline(), record(told)).sentence == "0 new, 0 known, 0 fixed, 0 not measured"


def test_what_is_known_is_new_to_a_list_without_it():
    assert run(baseline(), check(finding(SLEEPS, accepted="baseline"))).new == (SLEEPS,)
    warned = run(baseline(), check(finding(SLEEPS, accepted="action=warn")))
    assert (warned.new, warned.warned) == ((), (SLEEPS,))
    assert updated(baseline(), warned) == baseline(SLEEPS)


@pytest.mark.parametrize(
    ("checks", "fixed"),
    [
        ([check()], True),
        ([check(almost=[near(SLEEPS)])], False),  # it was there, and short this time
        ([check(almost=[near(SLEEPS._replace(function="other"))])], True),
        ([check(almost=[near(LINELESS)])], False),
        ([check(), check(finding(SLEEPS))], False),
        ([check(finding(BURNS))], True),
        ([check(outcome="inconclusive")], False),
        ([check(outcome="not-exercised")], False),
        ([check(notes=["`Auth` answered: the endpoint was not reached, and not measured"])], False),
        ([check(notes=["not measured: failed, answered 500"])], False),
        ([check(notes=["task f: from there on it was not measured"])], True),
        ([check(route="/other")], False),
        ([], False),
    ],
    ids=str,
)
def test_fixed_is_what_was_measured_and_came_not_even_near(checks, fixed):
    result = run(baseline(SLEEPS), *checks)
    assert bool(result.fixed) is fixed
    assert not run(baseline(SLEEPS), *checks, to_the_end=False).fixed
    assert (Entry(SLEEPS) in updated(baseline(SLEEPS), result).entries) is not fixed


def test_a_meter_that_judges_no_gil_fixes_none():
    assert run(baseline(GIL), check()).fixed
    assert run(baseline(GIL), check(), meter="portable").not_measured
    assert run(baseline(SLEEPS), check(), meter="portable").fixed


def test_a_kind_of_a_later_version_stays():
    later = identity("sync-quantum", REPORT, "app/main.py", "report", None)
    assert run(baseline(later), check()).not_measured == baseline(later).entries


def test_an_entry_without_a_line_stays_while_anything_of_its_kind_is_there():
    assert run(baseline(LINELESS), check(finding(SLEEPS))).known == baseline(LINELESS).entries
    assert run(baseline(LINELESS), check()).fixed == baseline(LINELESS).entries


def test_several_reports_are_one_run():
    """Shards: measured anywhere counts, and it is fixed only where no shard shows it."""
    shards = [report(check()), report(check(finding(SLEEPS))), report(check(route="/other"))]
    assert judged(baseline(SLEEPS), shards, TODAY).known
    assert judged(baseline(SLEEPS), shards[::2], TODAY).fixed
    assert judged(baseline(SLEEPS), shards[2:], TODAY).not_measured
    assert judged(baseline(SLEEPS), [{"checks": [check()]}], TODAY).fixed  # without an environment


@pytest.mark.parametrize(("day", "red"), [("2026-11-26", True), ("2026-11-27", False), ("2027-01-01", False)])
def test_an_entry_holds_to_the_end_of_its_day(day, red):
    known = baseline(SLEEPS, expires=date.fromisoformat(day))
    told = known.accepting(check_of(check(finding(SLEEPS)), 1, "full"), TODAY)
    assert told.outcome == ("failed" if red else "accepted")
    assert [each.expired for each in told.findings] == [day if red else None]
    result = run(known, check(finding(SLEEPS)))
    assert (result.new, bool(result.expired), bool(result.known)) == ((), red, not red)
    assert updated(known, result) == known  # only the user gives it another day
    assert run(known, check()).fixed
    assert run(known).not_measured


def test_the_sentence_tells_them_apart():
    other, third, gone = (SLEEPS._replace(route=f"GET /{name}") for name in ("a", "b", "gone"))
    known = baseline(SLEEPS, other, gone)
    result = run(known, check(finding(SLEEPS)), check(route="/a"), check(finding(third), route="/b"))
    assert result.sentence == "1 new, 1 known, 1 fixed, 1 not measured"
    late = run(baseline(SLEEPS, expires=date(2020, 1, 1)), check(finding(SLEEPS)))
    assert late.sentence == "0 new, 0 known, 0 fixed, 0 not measured, 1 expired"


def test_an_update_adds_what_is_new_takes_out_what_is_fixed_and_leaves_the_rest():
    gone, other = SLEEPS._replace(route="GET /gone"), SLEEPS._replace(route="GET /a")
    mine = Entry(gone, "ticket 7", None, (("owner", ["me"]),))
    known = Baseline((mine, Entry(other), Entry(SLEEPS)))
    result = run(known, check(finding(TRIP), finding(SLEEPS)), check(route="/a"))
    after = updated(known, result)
    assert [each.identity for each in after.entries] == [gone, SLEEPS, TRIP]
    assert after.entries[0].others == mine.others
    assert updated(after, run(after, check(finding(TRIP), finding(SLEEPS)), check(route="/a"))) == after


def test_one_loop_seen_at_two_lines_is_one_entry():
    shown = check(finding(BURNS), finding(BURNS._replace(call="app.main.g")), finding(SLEEPS))
    assert [each.identity for each in updated(baseline(), run(baseline(), shown)).entries] == [BURNS, SLEEPS]


def test_what_is_taken_in_is_known_in_the_next_run():
    shown = check(finding(SLEEPS), finding(LINELESS, code=None), finding(BARE, code="async def report():"))
    after = updated(baseline(), run(baseline(), shown))
    assert run(after, shown).sentence == "0 new, 3 known, 0 fixed, 0 not measured"
    told = after.accepting(check_of(shown, 1, "full"), TODAY)
    assert told.outcome == "accepted"

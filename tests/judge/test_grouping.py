"""From stalls to findings: tables of literals."""

from dataclasses import replace

import pytest

from pytest_noblock.judge import grouping
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.stall import BlamedLine, Stall
from tests.judge.findings import MS

EXCHANGE = Exchange(1, "GET", "/", sent=0, completed=1000 * MS)


def stall(kind="sync-io", line=7, ms=80, began=0, call="time.sleep"):
    frame = Frame("/project/app.py", line, "report", call, user=True) if line else None
    place = BlamedLine(frame, (frame,) if frame else (), "sample" if frame else "none")
    cpu, asleep = (ms, 0) if kind == "cpu" else (0, ms)
    rule = Rule({"cpu": "cpu-clock", "sync-network": "round-trip"}.get(kind, "slept"), "words")
    readings = Readings(wall=ms * MS, cpu=cpu * MS, asleep=asleep * MS)
    return Stall(kind, EXCHANGE, began * MS, (began + ms) * MS, cpu * MS, asleep * MS, place, rule, readings)


def shown(file):
    return file.removeprefix("/project/")


def test_stalls_of_one_line_are_one_finding_with_its_longest_time():
    found = grouping.findings([stall(ms=60), stall(ms=90, began=100), stall(ms=70, began=300)], shown)
    (one,) = found
    assert (one.blocked_ns, one.count, one.file, one.line, one.function) == (90 * MS, 3, "app.py", 7, "report")
    assert one.stalls == ((0, 60 * MS), (100 * MS, 190 * MS), (300 * MS, 370 * MS))
    assert [frame.file for frame in one.stack] == ["app.py"]


def test_kind_line_and_phase_make_findings_and_the_worst_comes_first():
    stalls = [stall(line=1, ms=60), stall(line=2, ms=90), stall("cpu", line=1, ms=70), stall(line=1, ms=50, began=2000)]
    found = grouping.findings(stalls, shown)
    assert [(each.kind, each.line, each.phase, each.blocked_ns // MS) for each in found] == [
        ("sync-io", 2, "handler", 90),
        ("cpu", 1, "handler", 70),
        ("sync-io", 1, "handler", 60),
        ("sync-io", 1, "background", 50),
    ]


def test_a_round_trip_and_the_sleep_for_its_answer_at_one_line_are_one_finding():
    stalls = [stall(ms=250, call="result.get"), stall("sync-network", ms=1, began=250, call="celery.Task.get")]
    (one,) = grouping.findings([*stalls], shown)
    assert (one.kind, one.blocked_ns, one.call) == ("sync-network", 250 * MS, "celery.Task.get")
    apart = grouping.findings([*stalls, stall(line=8)], shown)
    assert [(each.kind, each.line) for each in apart] == [("sync-network", 7), ("sync-io", 8)]
    unknown = grouping.findings([stall(line=None), stall("sync-network", line=None)], shown)
    assert len(unknown) == 2


def test_a_finding_has_the_rule_and_the_readings_of_its_worst_stall():
    (one,) = grouping.findings([stall(ms=60), stall(ms=90, began=100)], shown)
    assert (one.rule.id, one.readings.wall) == ("slept", 90 * MS)
    (one,) = grouping.findings([stall(ms=250), stall("sync-network", ms=1, began=250)], shown)
    assert (one.kind, one.rule.id, one.readings.wall) == ("sync-network", "round-trip", 250 * MS)


@pytest.mark.parametrize(
    ("evidence", "call", "named"),
    [
        ("hot loop", "helper", None),  # the loop computed, and not the first call in it
        ("hot loop", "json.dumps", "json.dumps"),
        ("line counters", "helper", "helper"),
    ],
)
def test_a_hot_loop_is_not_named_by_a_call_that_is_not_known(evidence, call, named):
    looped = stall("cpu", call=call)
    (one,) = grouping.findings([looped._replace(place=looped.place._replace(evidence=evidence))], shown)
    assert one.call == named


@pytest.mark.parametrize(
    ("unseen_ms", "lines"),
    [(70, [(7, 2)]), (125, [(1, 1), (7, 1)])],  # twice as long is another matter
)
def test_a_stretch_that_no_look_met_is_that_of_the_line_that_was_seen(unseen_ms, lines):
    seen, unseen = stall("cpu", ms=60, call=None), stall("cpu", line=1, ms=unseen_ms, began=100, call=None)
    unseen = unseen._replace(place=unseen.place._replace(evidence="endpoint", unseen=True))
    found = grouping.findings([unseen, seen], shown)
    assert sorted((each.line, each.count) for each in found) == lines
    assert found[0].blocked_ns == unseen_ms * MS
    slept = stall(ms=60, line=9)
    assert len(grouping.findings([unseen, slept], shown)) == 2


@pytest.mark.parametrize(
    ("text", "call", "named"),
    [
        ("sum(n * n for n in rows)", "sum", "sum"),
        ("total = max([n * n for n in rows])", "max", "max"),
        ("total += shop.price(n)", "shop.price", None),
        ("total += max(n for n in shop.rows())", "shop.rows", None),
    ],
)
def test_the_call_that_consumes_the_loop_of_its_line_is_what_a_hot_loop_is_named_by(tmp_path, text, call, named):
    file = tmp_path / "app.py"
    file.write_text(text, encoding="utf-8")
    looped = stall("cpu", line=1)
    frame = looped.place.frame._replace(file=str(file), call=call)
    (one,) = grouping.findings([looped._replace(place=looped.place._replace(frame=frame, evidence="hot loop"))], shown)
    assert one.call == named


@pytest.mark.parametrize(
    ("qualname", "function"),
    [
        ("squares.<locals>.<genexpr>", "squares"),
        ("Shop.squares.<locals>.<listcomp>.<genexpr>", "squares"),
        ("Shop.<genexpr>", "Shop"),
        ("squares.<locals>.<lambda>.<locals>.<setcomp>", "<lambda>"),
        ("<genexpr>", "<genexpr>"),
        (None, "report"),
    ],
)
def test_a_finding_is_in_the_function_that_its_comprehension_is_written_in(qualname, function):
    """Counters and looks meet the function and its generator expression in turns: the identity must be one."""
    one = stall()
    frame = one.place.frame._replace(qualname=qualname)
    (found,) = grouping.findings([one._replace(place=one.place._replace(frame=frame))], shown)
    assert found.function == function


def test_a_stall_without_a_line_is_a_finding_without_one():
    (one,) = grouping.findings([stall(line=None)], shown)
    assert (one.file, one.line, one.call) == (None, None, None)
    assert (one.place, one.by) == ("a line outside of the user's code, in GET /",) * 2


def of_library(**place):
    called = Frame("/lib/redis.py", 9, "incr", name="redis.Redis.incr", module="redis.client")
    asgi = Frame("/lib/gate.py", 3, "__call__", form="async def", asgi=True, module="gate", qualname="Gate.__call__")
    slept = stall(line=None)
    return slept._replace(place=BlamedLine(stack=(called, asgi), **place))


def test_without_a_line_the_library_is_named_with_what_it_served():
    (one,) = grouping.findings([of_library()], shown)
    assert (one.call, one.by) == ("redis.Redis.incr", "redis.Redis.incr in the middleware `Gate`")
    frame = Frame("/project/app.py", 7, "report", user=True)
    (behind,) = grouping.findings([of_library(frame=frame, evidence="endpoint")], shown)
    assert behind.by == "app.py:7 in report, behind the middleware `Gate`"


def test_a_line_that_computes_and_asks_the_network_is_one_finding_with_both_remedies():
    trip, cpu, other = stall("sync-network", ms=20), stall("cpu", ms=60), stall("cpu", line=8, ms=60, began=90)
    cpu = cpu._replace(ended=trip.ended, place=cpu.place._replace(call="json.loads"))
    found = grouping.findings([trip, cpu, other], shown)
    joined = {each.line: each for each in grouping.one_for_each_line(found)}
    assert [(each.kind, each.line) for each in joined.values()] == [("cpu", 8), ("sync-network", 7)]
    whole = joined[7]
    assert (whole.blocked_ns, whole.cpu, whole.asleep) == (80 * MS, 60 * MS, 20 * MS)
    assert whole.replacement.startswith("await asyncio.sleep(...); and for the 60 ms that the line computes orjson")
    counted = [replace(each, cpu=60 * MS) if each.kind == "sync-network" else each for each in found]
    assert [each.cpu for each in grouping.one_for_each_line(counted) if each.line == 7] == [60 * MS]
    apart = grouping.one_for_each_line([replace(each, evidence="endpoint") for each in found])
    assert len(apart) == 3


def test_the_remedy_fits_where_the_line_runs_and_names_files_as_the_report_does():
    helper = Frame("/project/app.py", 7, "load", "time.sleep", user=True, form="def", qualname="load")
    endpoint = Frame("/project/app.py", 20, "report", user=True, form="async def", qualname="report")
    caller = Frame("/site-packages/x.py", 1, "run_endpoint_function", form="async def", module="fastapi.routing")
    below = stall()._replace(place=BlamedLine(helper, (helper, endpoint, caller), "sample"))
    (one,) = grouping.findings([below], shown)
    assert one.replacement == (
        "await asyncio.to_thread(...) at app.py:20, or an async def `load` with await asyncio.sleep(...), awaited there"
    )
    (bare,) = grouping.findings([stall()], shown)
    assert bare.replacement == "await asyncio.sleep(...)"

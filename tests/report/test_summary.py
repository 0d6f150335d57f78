"""The end of a run, from literal records."""

from pytest_noblock.model.observation import LIFESPAN
from pytest_noblock.report.summary import summary


def finding(line=44, ms=80.0, **more):
    """In `app/main.py`, unless told otherwise."""
    values = {"kind": "sync-io", "ms": ms, "file": "app/main.py", "line": line, "call": "time.sleep", "code": None}
    return {**values, **more}


def check(*findings, request="GET /", notes=()):
    return {"request": request, "findings": list(findings), "notes": list(notes)}


def told(by_test, unused=(), **more):
    return list(summary(by_test, dict(unused), **more))


def test_requests_and_tests_are_counted():
    assert told({"a": [check()]}) == ["1 request watched in 1 test"]
    assert told({"a": [check(), check()], "b": [check()]}) == ["3 requests watched in 2 tests"]


def test_the_start_of_the_app_is_no_request():
    assert told({"a": [check(request=LIFESPAN), check()]}) == ["1 request watched in 1 test"]
    assert told({"a": [check(request=LIFESPAN)]}) == ["0 requests watched in 1 test"]


def test_a_finding_is_told_with_its_test():
    assert told({"tests/a.py::t": [check(finding())]})[1:] == [
        "  app/main.py:44  sync-io  80.0 ms  time.sleep",
        "      tests/a.py::t",
    ]


def test_what_the_baseline_knows_is_told_where_somebody_asks():
    known, mine = finding(3, accepted="baseline"), finding(4, accepted="legacy")
    by_test = {"a": [check(known, mine)]}
    assert told(by_test)[1::2] == ["  app/main.py:4  sync-io  80.0 ms  time.sleep  accepted: legacy"]
    assert "  app/main.py:3  sync-io  80.0 ms  time.sleep  accepted: baseline" in told(by_test, notes=True)


NOTES = {
    "a": [
        check(notes=["cpu, 12 ms at a.py:3: under the limit of 50 ms", "cold: imports, 40 ms, the first time only"]),
        check(finding(), notes=["unsettled: sync-network, 9 ms at a.py:7, in the first request only"]),
        check(notes=["near: cpu at a.py:3, x"]),
        check(notes=["something in front of the endpoint answered: the endpoint was not reached, and not measured"]),
        check(finding(), notes=["unsettled: GET / left a task at a.py:3 in f, which was cancelled"]),
    ],
    "b": [
        {
            **check(notes=["GET / raised ValueError()", "cpu, 9 ms at a.py:3: under the limit"]),
            "outcome": "inconclusive",
        }
    ],
}


def test_what_takes_no_time_is_told_without_one():
    found = {"a": [check(finding(3, 0.02, kind="sync-network"), finding(4, 0.0, kind="background-lost", call="f"))]}
    assert told(found)[1::2] == ["  app/main.py:3  sync-network  time.sleep", "  app/main.py:4  background-lost  f"]


def test_a_loop_that_was_never_given_back_is_told_with_its_line():
    reason = "GET / took the event loop and did not give it back (timeout=30), it sits at a.py:7 in f; a deadlock: x"
    held = {**check(), "outcome": "inconclusive", "reason": reason}
    assert told({"a": [held], "b": [check()]})[1:] == [
        "  a.py:7  took the event loop and did not give it back",
        "      a",
    ]
    unknown = {**held, "reason": "GET / took the event loop and did not give it back (timeout=30), no line of the"}
    assert told({"a": [unknown]})[1].startswith("  no line of the user's  took")


def test_the_time_of_a_background_task_is_not_told():
    failed = finding(9, ms=1.3, kind="background-failed", call="invoice")
    assert told({"a": [check(failed)]})[1] == "  app/main.py:9  background-failed  invoice"


def test_notes_are_counted_by_kind_and_listed_where_somebody_asks():
    count = "notes: 3 cpu, 1 first use, 1 sync-network (first request), 1 endpoint not reached, 1 other; -v lists them"
    assert told(NOTES)[-1] == count
    listed = told(NOTES, notes=True)
    assert count not in listed
    assert listed[-2:] == ["notes on GET / in b", "  cpu, 9 ms at a.py:3: under the limit"]
    assert "  unsettled: sync-network, 9 ms at a.py:7, in the first request only" in listed
    assert not any(line.startswith("notes") for line in told({"a": [check(finding())]}))


def test_the_worst_line_is_first_whatever_the_order_of_the_tests():
    by_test = {"a": [check(finding(1, 60.0), finding(2, 70.04))], "b": [check(finding(3, 65.0), finding(1, 90.0))]}
    expected = [
        "  app/main.py:1  sync-io  90.0 ms  time.sleep",
        "      a",
        "      b",
        "  app/main.py:2  sync-io  70.0 ms  time.sleep",
        "      a",
        "  app/main.py:3  sync-io  65.0 ms  time.sleep",
        "      b",
    ]
    assert told(by_test)[1:] == expected


def test_a_line_is_told_once_for_each_kind_with_its_worst():
    by_test = {"a": [check(finding(ms=60.0)), check(finding(ms=75.0), finding(ms=55.0, kind="cpu", call=None))]}
    assert told(by_test)[1:] == [
        "  app/main.py:44  sync-io  75.0 ms  time.sleep",
        "      a",
        "  app/main.py:44  cpu  55.0 ms  ",
        "      a",
    ]


def test_three_tests_are_named_and_the_others_counted():
    three = {name: [check(finding())] for name in "abc"}
    assert told(three)[2:] == ["      a", "      b", "      c"]
    assert told({**three, "d": [check(finding())]})[2:] == ["      a", "      b", "      c", "      and 1 more"]
    assert told({name: [check(finding())] for name in "abcdef"})[-1] == "      and 3 more"


def test_a_test_is_named_once_however_often_it_did_it():
    assert told({"a": [check(finding()), check(finding())]})[2:] == ["      a"]


def test_without_a_call_the_code_is_shown_and_without_a_line_that_none_was_caught():
    coded = finding(call=None, code="for each in these:")
    lost = finding(file=None, line=None, call=None, ms=70.0)
    assert told({"a": [check(coded, lost)]})[1::2] == [
        "  app/main.py:44  sync-io  80.0 ms  for each in these:",
        "  no line of the user's  sync-io  70.0 ms  ",
    ]


def test_what_is_accepted_says_why_by_its_worst():
    quick, slow = finding(ms=60.0, accepted="quick"), finding(ms=80.0, accepted="legacy")
    assert told({"a": [check(quick, slow)]})[1] == "  app/main.py:44  sync-io  80.0 ms  time.sleep  accepted: legacy"
    assert "accepted" not in told({"a": [check(quick, finding(ms=80.0))]})[1]


def test_an_allowance_that_nothing_needed_is_told_once():
    assert told({"a": [check()]}, {"a": ["legacy"]})[1:] == ['noblock_allow("legacy") matched nothing in a']
    assert told({"a": [check()]}, {"a": ["legacy"], "b": ["legacy", "other"], "c": ["legacy"]})[1:] == [
        'noblock_allow("legacy") matched nothing in a and 2 more',
        'noblock_allow("other") matched nothing in b',
    ]


def test_an_allowance_that_one_test_of_many_needed_is_not_told():
    by_test = {"a": [check(finding(accepted="legacy"))], "b": [check()]}
    assert not [line for line in told(by_test, {"b": ["legacy"]}) if "matched nothing" in line]


NOTED = {"a": [check(notes=["cold: imports", "sync-io, 20 ms"]), check()], "b": [check(request="GET /b", notes=["x"])]}


def test_notes_are_told_to_those_who_ask_for_them():
    assert told(NOTED, notes=True)[1:] == [
        "notes on GET / in a",
        "  cold: imports",
        "  sync-io, 20 ms",
        "notes on GET /b in b",
        "  x",
    ]
    assert told(NOTED) == ["3 requests watched in 2 tests", "notes: 1 first use, 1 sync-io, 1 other; -v lists them"]


def test_a_doubt_of_a_request_that_passed_is_told_and_other_notes_are_not():
    by_test = {
        "a": [check(notes=("unsettled: work was left behind", "cold: imports"))],
        "b": [check(notes=("unsettled: work was left behind",)), check(finding(), notes=("unsettled: of a red one",))],
    }
    doubt = ["  unsettled  work was left behind", "      a", "      b"]
    assert told(by_test)[-4:] == [*doubt, "notes: 1 first use, 1 other; -v lists them"]
    assert not [line for line in told(by_test) if "imports" in line or "red one" in line]


def test_doubts_that_differ_in_their_times_are_told_once():
    notes = [
        f"unsettled: cpu, {took} at {place}, limit 50 ms" for took, place in [("61 ms", "a.py:3"), ("1.2 s", "a.py:3")]
    ]
    by_test = {name: [check(notes=[note])] for name, note in zip("ab", notes, strict=True)}
    by_test["c"] = [check(notes=["unsettled: cpu, 61 ms at a.py:4, limit 50 ms"])]
    doubts = ["  unsettled  cpu, 61 ms at a.py:3, limit 50 ms", "      a", "      b"]
    assert told(by_test)[-5:] == [*doubts, "  unsettled  cpu, 61 ms at a.py:4, limit 50 ms", "      c"]


def test_many_doubts_are_counted():
    by_test = {"a": [check(notes=[f"unsettled: {number}"]) for number in range(12)]}
    assert told(by_test)[-3:] == ["  unsettled  9", "      a", "  unsettled  2 more; -v shows all"]

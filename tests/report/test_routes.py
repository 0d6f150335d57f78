"""The routes of a run, and the table of a sweep."""

from dataclasses import replace

from pytest_noblock.model.measured import UNMEASURED
from pytest_noblock.report import json_v1, markdown
from pytest_noblock.report.page import route_table
from pytest_noblock.report.routes import rows, table
from pytest_noblock.report.sweep import AWAITS_NOTHING, Swept, lines
from pytest_noblock.report.wire import Run
from tests.report.golden_checks import CHECKS, PASSED
from tests.report.runs import ENVIRONMENT

BAD = CHECKS["sync-io"]


def of(route: str, check=PASSED, **changes):
    return replace(check, request=f"GET {route}", route=route, **changes)


def left_out(route: str, reason: str, *words: str):
    return of(route, outcome="not-exercised", reason=reason, notes=words)


def test_a_route_has_the_worst_outcome_of_its_checks_and_its_own_method():
    first, second = of("/a", loop_ns=2_000_000), of("/a", BAD, loop_ns=9_000_000)
    posted = replace(of("/a"), request="POST /a")
    [got, post] = rows([first, posted, second])
    assert (got.method, got.outcome, got.requests) == ("GET", "failed", 2)
    assert (got.worst_ms, got.loop_ms) == (BAD.findings[0].ms, 9.0)
    assert got.line == BAD.findings[0].place
    assert (post.method, post.outcome, post.requests, post.worst_ms) == ("POST", "passed", 1, 0.0)


def test_a_check_without_a_route_is_no_row():
    assert rows([replace(PASSED, route=None)]) == []


def test_an_unmeasured_request_does_not_count():
    [row] = rows([left_out("/a", "needs-auth")])
    assert (row.requests, row.outcome, row.reason) == (0, "not-exercised", "needs-auth")


def test_the_table_has_the_red_ones_first_and_then_those_that_hold_the_loop_longest():
    checks = [of("/little", loop_ns=1_000_000), of("/much", loop_ns=4_000_000), of("/red", BAD)]
    head, *told = table(rows(checks), most=20)
    assert head.split() == ["route", "outcome", "stall", "loop", "per", "second", "line"]
    assert [line.split()[1] for line in told] == ["/red", "/much", "/little"]
    assert told[1].split()[2:] == ["passed", "-", "4.0", "ms", "250"]


def test_what_one_worker_serves_in_a_second_has_decimals_where_it_is_little():
    checks = [of("/minute", loop_ns=60_000_000_000), of("/slow", loop_ns=300_000_000), of("/fast", loop_ns=100_000_000)]
    _head, *told = table(rows(checks), most=20)
    assert [line.split()[-1] for line in told] == ["0.017", "3.3", "10"]


def test_what_is_scarcer_than_the_loop_says_how_much_is_served():
    checks = [of("/a", loop_ns=500_000, scarce_ns=5_000_000), of("/a", loop_ns=600_000), of("/b", loop_ns=4_000_000)]
    rows_ = rows(checks)
    _head, *told = table(rows_, most=20)
    assert {line.split()[1]: line.split()[-1] for line in told} == {"/a": "200", "/b": "250"}
    told = [json_v1.route(each) for each in rows_]
    assert [(each["loop_ms"], each.get("per_second")) for each in told] == [(0.6, 200.0), (4.0, None)]
    assert (
        "<td>200</td>" in route_table.measured(rows_),
        "| 200 |" in markdown.render(Run(ENVIRONMENT, tuple(checks))),
    ) == (True, True)


def test_all_that_did_not_pass_are_in_the_table_and_some_that_did():
    checks = [of(f"/red{number}", BAD) for number in range(30)] + [of(f"/green{number}") for number in range(30)]
    told = list(table(rows(checks), most=20))
    assert sum("failed" in line for line in told) == 30
    assert told[-1] == "  and 30 more that passed"


def test_no_route_is_no_table():
    assert list(table([], most=20)) == []


def test_what_the_app_answered_is_told_once_with_how_often():
    checks = [left_out("/a", "rejected", "answered 400"), left_out("/b", "rejected", "answered 422 (query q: missing)")]
    told = list(lines(Swept([*checks, left_out("/c", "rejected", "answered 400")], 3, 3), {"rejected": "a hook"}))
    assert told[-3:] == ["      2 answered 400", "      1 answered 422 (query q: missing)", "      a hook"]


def test_the_options_that_give_what_is_missing_have_the_names_of_the_paths():
    paths = ("/users/{user_id}", "/users/{user_id}/pets/{pet}", "/users")
    told = list(
        lines(
            Swept([left_out(each, "not-found") for each in paths], 3, 3),
            {"not-found": "--noblock-param=NAME=VALUE, or"},
        )
    )
    assert told[-1] == "      --noblock-param=user_id=... --noblock-param=pet=..., or"
    told = list(lines(Swept([left_out("/users", "not-found")], 1, 1), {"not-found": "--noblock-param=NAME=VALUE, or"}))
    assert told[-1] == "      --noblock-param=NAME=VALUE, or"


def test_a_route_that_passed_with_a_doubt_is_told():
    checks = [of("/b", notes=("unsettled: b", "cold: b")), of("/a", notes=("unsettled: a",)), of("/c")]
    red = of("/red", BAD, notes=("unsettled: of a red one",))
    *_, first, second = lines(Swept([*checks, red], 4, 4), {})
    assert (first, second) == ("  unsettled  GET /a: a", "  unsettled  GET /b: b")
    many = [of(f"/{number}", notes=("unsettled: it",)) for number in range(12)]
    *_, last = lines(Swept(many, 12, 12), {})
    assert last == "  unsettled  2 more; a report has them all"


def test_the_reasons_stand_with_how_to_give_what_is_missing():
    checks = [of("/a"), left_out("/b", "needs-auth"), left_out("/c", "needs-auth"), left_out("/d", "endless")]
    told = list(lines(Swept(checks, 4, 4), {"needs-auth": "a header"}))
    assert told[0] == "1 of 4 routes measured"
    assert told[-5:] == [
        "not exercised: 3",
        "  needs-auth: GET /b, GET /c",
        "      a header",
        "  endless: GET /d",
        "      not known",
    ]


def test_a_part_of_the_routes_is_called_so():
    assert Swept([of("/a")], routes=9, selected=2).headline == "1 of 2 selected routes measured (the app has 9)"


def test_a_route_that_refused_is_not_measured_though_it_is_red():
    assert Swept([of("/a", BAD, notes=(f"{UNMEASURED}failed, answered 500",))], 1, 1).measured == 0
    assert Swept([of("/a", BAD)], 1, 1).measured == 1
    assert Swept([of("/a", outcome="inconclusive", reason="why")], 1, 1).measured == 0


def test_endpoints_that_await_nothing_are_named_six_of_them_shortened():
    checks = [of(f"/{number}", notes=(AWAITS_NOTHING,)) for number in range(6)]
    *_, last = lines(Swept(checks, 6, 6), {})
    assert last.endswith("GET /0, GET /1, GET /2, GET /3, GET /4 and 1 more")
    assert not any("awaits" in line for line in lines(Swept([of("/a")], 1, 1), {}))


def test_the_order_in_which_items_ran_changes_nothing_as_with_xdist():
    checks = [
        *(of(f"/{number}", notes=(AWAITS_NOTHING,)) for number in range(6)),
        *(left_out(f"/{name}/{{{name}}}", "not-found", f"answered 404 by {name}") for name in "abcdef"),
        left_out("/x", "endless"), left_out("/y", "excluded"),
    ]  # fmt: skip
    remedies = {"not-found": "--noblock-param=NAME=VALUE"}
    told = [list(lines(Swept(each, 14, 14), remedies)) for each in (checks, checks[::-1], checks[5:] + checks[:5])]
    assert told[0] == told[1] == told[2]

"""What an allowance accepts, and what becomes of the check: tables of literals."""

from dataclasses import replace

import pytest

from pytest_noblock.acceptance.allowances import Allowance, accept, unused
from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.observation import Phase

FINDING = Finding(
    kind="sync-io",
    phase=Phase.HANDLER,
    blocked_ns=80_000_000,
    cpu=0,
    asleep=80_000_000,
    count=1,
    file="app.py",
    line=7,
    function="report",
    code=None,
    call="sqlite3.Connection.execute",
    replacement="",
    confirmed=True,
    evidence="call",
)
CPU = replace(FINDING, kind="cpu", call=None)


def check(*findings, outcome="failed"):
    return Check("test_report", "GET /report", None, None, outcome, 0, 50, "full", findings)


@pytest.mark.parametrize(
    ("allowance", "finding", "covers"),
    [
        (Allowance("old"), FINDING, True),
        (Allowance("old"), CPU, True),
        (Allowance("old", call="sqlite3"), FINDING, True),
        (Allowance("old", call="sqlite3.Connection"), FINDING, True),
        (Allowance("old", call="sqlite3.Connection.execute"), FINDING, True),
        (Allowance("old", call="sqlite"), FINDING, False),
        (Allowance("old", call="sqlite3.Conn"), FINDING, False),
        (Allowance("old", call="Connection.execute"), FINDING, False),
        (Allowance("old", call="sqlite3"), CPU, False),
        (Allowance("old", kinds=("sync-io", "gil")), FINDING, True),
        (Allowance("old", kinds=("sync-io", "gil")), CPU, False),
        (Allowance("old", kinds=()), FINDING, False),
        (Allowance("old", call="sqlite3", kinds=("cpu",)), FINDING, False),
    ],
)
def test_a_call_is_matched_by_whole_components_and_both_must_match(allowance, finding, covers):
    assert allowance.covers(finding) is covers


@pytest.mark.parametrize(
    ("findings", "outcome", "accepted", "becomes"),
    [
        ([FINDING], "failed", ["old"], "accepted"),
        ([FINDING, CPU], "failed", ["old", None], "failed"),
        ([CPU], "failed", [None], "failed"),
        ([], "failed", [], "failed"),
        ([], "passed", [], "passed"),
        ([], "inconclusive", [], "inconclusive"),
        ([], "not-exercised", [], "not-exercised"),
    ],
)
def test_a_check_is_accepted_where_all_that_failed_it_is(findings, outcome, accepted, becomes):
    result = accept(check(*findings, outcome=outcome), [Allowance("old", call="sqlite3")])
    assert [finding.accepted for finding in result.findings] == accepted
    assert result.outcome == becomes


def test_the_first_allowance_gives_the_reason_and_none_takes_one_away():
    allowances = [Allowance("no", kinds=("gil",)), Allowance("first"), Allowance("second")]
    assert [each.accepted for each in accept(check(FINDING), allowances).findings] == ["first"]
    before = replace(FINDING, accepted="before")
    assert [each.accepted for each in accept(check(before), allowances).findings] == ["before"]
    assert accept(check(before), []).outcome == "accepted"


def test_an_allowance_that_no_finding_needed_is_unused():
    used, stale = Allowance("used", call="sqlite3"), Allowance("stale", call="redis")
    assert unused([used, stale], [check(), check(FINDING)]) == [stale]
    assert unused([used], []) == [used]

"""What a second run must show: tables of literals."""

import pytest

from pytest_noblock.judge import confirmation
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.observation import Phase

MS = 1_000_000


def finding(kind="sync-io", line=7, ms=80, *, function="report", evidence="line counters", file="app.py", **more):
    values = {"cpu": ms * MS if kind == "cpu" else 0, "asleep": 0 if kind == "cpu" else ms * MS, "count": 1}
    return Finding(
        kind=kind,
        phase=more.pop("phase", Phase.HANDLER),
        blocked_ns=ms * MS,
        file=file if line else None,
        line=line,
        function=function if line else None,
        code=None,
        call=None,
        replacement="",
        confirmed=False,
        evidence=evidence,
        **{**values, **more},
    )


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
        ([], [[finding(line=9)], [finding(line=9)]], [9]),
        ([], [[finding("cpu", line=9)], [finding("cpu", line=9)]], []),
        ([finding(line=7), finding(line=8)], [[finding(line=8)]], [8]),
        ([finding("cpu", line=7)], [[finding(line=7)]], []),
        ([finding("cpu", line=7)], [[finding("cpu", line=9)]], [9]),
        ([finding("cpu", line=7, function="a")], [[finding("cpu", line=9, function="b")]], []),
        ([finding("cpu", line=7, function="a", evidence="sample")], [[finding("cpu", line=9, function="b")]], [9]),
        ([finding(line=7)], [[finding(line=7, phase=Phase.BACKGROUND)]], []),
    ],
    ids=(
        "again gone third-run never other-line other-line-twice unnamed-before new-once new-twice new-cpu one-of-two"
        " other-kind same-loop other-function sampled-elsewhere other-phase"
    ).split(),
)
def test_a_finding_must_come_in_two_runs(first, again, lines):
    result = confirmation.confirmed(first, again, needed=2)
    assert [each.line for each in result] == lines
    assert all(each.confirmed for each in result)


def test_portable_rules_may_ask_for_every_run():
    runs = [[finding()], [finding()], [finding()]]
    assert len(confirmation.confirmed([finding()], runs, needed=4)) == 1
    assert confirmation.confirmed([finding()], [*runs[:2], []], needed=4) == []


def test_a_computation_keeps_the_times_of_the_run_without_counters():
    """The counters themselves burn CPU."""
    first = finding("cpu", ms=60, count=3, stalls=((0, 60),))
    (one,) = confirmation.confirmed([first], [[finding("cpu", ms=400, count=1, stalls=((0, 400),))]], needed=2)
    assert (one.blocked_ns, one.cpu, one.count, one.stalls) == (60 * MS, 60 * MS, 3, ((0, 60),))


def test_the_times_and_the_number_of_stalls_are_of_one_run():
    """`count` says how often it held the loop; so do the stalls that the timeline shows."""
    first = finding(count=2, stalls=((0, 80), (90, 170)))
    (one,) = confirmation.confirmed([first], [[finding(count=1, stalls=((0, 80),))]], needed=2)
    assert one.count == len(one.stalls)


def test_confirmed_findings_are_sorted_worst_first():
    runs = [finding(line=1, ms=60), finding(line=2, ms=90)]
    assert [each.line for each in confirmation.confirmed(runs, [runs], needed=2)] == [2, 1]

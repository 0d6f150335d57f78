"""What is noted of stalls that are no findings, and what came near: tables of literals."""

from dataclasses import replace

import pytest

from pytest_noblock.judge import not_findings
from pytest_noblock.model.limits import Limits
from tests.judge.findings import MS, finding

LIMITS = Limits(50 * MS)
GONE = "did not come again, or could not be told from the machine's doing; not counted"


def test_what_comes_near_is_almost_a_finding():
    limits, shown_before = Limits(50 * MS), finding(ms=90)
    near, far, trip = finding(line=8, ms=25), finding(line=9, ms=24), finding("sync-network", line=10, ms=0)
    found = not_findings.almost([shown_before], [shown_before, near, far, trip], [finding(line=8, ms=25)], limits)
    assert [(each.kind, each.ms) for each in found] == [("sync-io", 25.0), ("sync-network", 0.0)]
    assert not_findings.almost([], [], [finding(ms=90)], limits)[0].ms == 90.0  # the first request alone showed it


@pytest.mark.parametrize(
    ("final", "found", "cold", "notes"),
    [
        ([], [finding(ms=20)], [], ("sync-io, 20 ms at app.py:7: under the limit of 50 ms",)),
        ([], [], [finding(ms=300)], ("cold: sync-io, 300 ms at app.py:7, the first time only",)),
        (
            [],
            [finding(ms=80)],
            [],
            (f"unsettled: sync-io, 80 ms at app.py:7: {GONE}",),
        ),
        (
            [],
            [finding("sync-network", ms=1)],
            [],
            (f"unsettled: sync-network, 1.0 ms at app.py:7: {GONE}",),
        ),
        (
            [],
            [],
            [finding("sync-network", ms=100)],
            ("unsettled: sync-network, 100 ms at app.py:7, in the first request only",),
        ),
        ([finding()], [finding()], [finding()], ()),
        ([finding(line=7)], [finding("cpu", line=7, ms=5)], [finding("cpu", line=7)], ()),
        ([finding(line=7)], [finding(line=9, ms=5)], [], ("sync-io, 5.0 ms at app.py:9: under the limit of 50 ms",)),
        ([], [], [finding(ms=300), finding(ms=300)], ("cold: sync-io, 300 ms at app.py:7, the first time only",)),
        ([], [], [], ()),
    ],
    ids="under cold gone gone-network cold-network known same-line other-line twice nothing".split(),
)
def test_what_fails_nothing_is_a_note(final, found, cold, notes):
    assert not_findings.notes(final, found, cold, LIMITS) == notes


def test_what_broke_the_limit_at_no_line_is_not_passed_over():
    (note,) = not_findings.notes([], [replace(finding(ms=80), file=None, line=None)], [], LIMITS)
    assert note == f"unsettled: sync-io, 80 ms at a line outside of the user's code, in the request: {GONE}"
    assert not_findings.notes([], [replace(finding(ms=5), file=None, line=None)], [], LIMITS) == ()

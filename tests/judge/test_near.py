"""Computing near the limit: the pace of the machine decides, and both figures are told."""

import pytest

from pytest_noblock.judge import grouping, near
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange
from pytest_noblock.model.pace import STEADY, Pace
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.stall import BlamedLine, Stall

MS = 1_000_000
LIMITS = Limits(50 * MS)
RULE = Rule("cpu-clock", "by the clock")


def stall(cpu, asleep=0, kind="cpu"):
    place = BlamedLine(Frame("/app/main.py", 4, "report", user=True))
    return Stall(kind, Exchange(1, "GET", "/", 0), 0, 90 * MS, cpu * MS, asleep * MS, place, RULE, Readings(90 * MS))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [((50,), True), ((74,), True), ((75,), False), ((49,), False), ((40, 20), True), ((20, 40, "sync-io"), False)],
)
def test_near_is_up_to_one_and_a_half_times_the_limit(seen, expected):
    assert near.is_near(stall(*seen), LIMITS) is expected


@pytest.mark.parametrize(
    ("cpu", "asleep", "pace", "expected"),
    [
        (60, 0, STEADY, True),
        (60, 0, Pace(2 * MS, 2 * MS), True),
        (60, 0, Pace(24 * MS // 10, 2 * MS), True),
        (60, 0, Pace(25 * MS // 10, 2 * MS), False),
        (60, 0, Pace(1 * MS, 2 * MS), True),
        (20, 40, Pace(2 * MS, 1 * MS), True),
    ],
    ids="steady same just too-slow never-faster sleep-does-not-stretch".split(),
)
def test_what_is_within_the_limit_at_the_best_pace_passes(cpu, asleep, pace, expected):
    assert near.too_long(stall(cpu, asleep), LIMITS, pace) is expected


def test_both_figures_are_told():
    (finding,) = grouping.findings([stall(60)], lambda file: file.removeprefix("/"))
    pace = Pace(3 * MS, 2 * MS)
    assert near.told(finding, LIMITS, pace) == (
        "the limit, and over it at the machine's best pace as well: 40 ms. A reference computation took 3.0 ms of CPU "
        "right afterwards, and 2.0 ms at best in this session"
    )
    assert near.let_pass(finding, LIMITS, pace).startswith(
        "unsettled: cpu, 60 ms at app/main.py:4, 40 ms at the machine's best pace, limit 50 ms; not counted."
    )
    (long,) = grouping.findings([stall(90)], str)
    assert near.told(long, LIMITS, pace) is None

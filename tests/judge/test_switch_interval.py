"""Where the app has set a long switch interval, a wait for the GIL is told; no rule knows who kept it."""

import pytest

from pytest_noblock.judge import gil, gil_doubts
from pytest_noblock.model.concurrency import Gap
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation

MS = 1_000_000
LIMITS = Limits(50 * MS)
EXCHANGE = Exchange(1, "GET", "/report", sent=0, returned=400 * MS)


def gap(asleep, cpu):
    """As the watchdog saw one of `sys.setswitchinterval(0.2)`: it woke twice in 200 ms; all in ms."""
    return Gap(0, asleep * MS, asleep * MS, 2, asleep * MS, cpu * MS, (), seen_by="watchdog")


def notes(interval, *gaps):
    """`interval` in ms."""
    observation = Observation("full", (EXCHANGE,), (), gaps=gaps, switch_interval=interval * MS)
    assert not list(gil.kept(observation))
    return [each for each in gil_doubts.notes(observation, (), LIMITS) if "setswitchinterval" in each]


def test_the_longest_wait_is_told_with_what_let_threads_keep_it_for_so_long():
    (note,) = notes(200, gap(90, 90), gap(205, 190))
    assert note == (
        "unsettled: threads computed while the event loop waited 190 ms for the GIL, and sys.setswitchinterval(0.2) "
        "lets each of them keep it for so long; who keeps it is judged for the default of 0.005; not counted"
    )


@pytest.mark.parametrize(
    ("interval", "waits"),
    [
        pytest.param(5, gap(205, 190), id="the default"),
        pytest.param(200, gap(205, 40), id="nobody computed so long"),
        pytest.param(200, gap(49, 49), id="less than the limit"),
    ],
)
def test_else_nothing_is_told_of_it(interval, waits):
    assert notes(interval, waits) == []

"""A probe that waits on the loop for a lock which the request holds: readings of a lock of 300 ms."""

import pytest

from pytest_noblock.judge.stalls import stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Sample, Segment

MS = 1_000_000
REQUEST = Exchange(1, "GET", "/tool", sent=0, returned=360 * MS)
PROBE = Exchange(2, "GET", "/health", sent=25 * MS, returned=380 * MS)
ACQUIRE = Frame("/app/main.py", 7, "tool", "lock.acquire", user=True)


def step(syscall="futex", began=26, asleep=300, exchange=2):
    sample = Sample(15 * MS, 15 * MS, 16 * MS, (ACQUIRE,), syscall)
    return Segment(exchange, began * MS, (began + asleep) * MS, MS // 2, 0, 0, 1, 0, 0, 0, samples=(sample,))


def found(*segments, alone=1, request=REQUEST):
    return stalls(
        Observation("full", (request,), segments, alone={"/health": alone * MS}, probe_exchanges=(PROBE,)), Limits()
    )


def test_it_is_the_requests_at_the_line_where_the_probe_waits():
    (stall,) = found(step())
    assert (stall.kind, stall.exchange, stall.place.frame, stall.sure) == ("sync-io", REQUEST, ACQUIRE, True)


@pytest.mark.parametrize(
    ("segment", "alone"),
    [
        (step("clock_nanosleep"), 1),  # the probe sleeps by itself
        (step(), 305),  # alone it takes as long
        (step(began=361), 1),  # the request is over
    ],
    ids=["other-call", "alone-too", "later"],
)
def test_what_a_probe_does_by_itself_is_not_the_requests(segment, alone):
    assert found(segment, alone=alone) == []


def test_a_request_that_came_later_did_not_cause_it():
    assert found(step(), request=REQUEST._replace(sent=27 * MS)) == []

"""A probe that waits on the loop for a lock which the request holds: readings of a lock of 300 ms."""

import pytest

from pytest_noblock.judge.stalls import of_probes_in_doubt, stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Sample, Segment

MS = 1_000_000
REQUEST = Exchange(1, "GET", "/tool", sent=0, returned=360 * MS)
PROBE = Exchange(2, "GET", "/health", sent=25 * MS, returned=380 * MS)
ACQUIRE = Frame("/app/main.py", 7, "tool", "lock.acquire", user=True)


def step(*syscalls, began=26, asleep=300, exchange=2):
    samples = tuple(Sample(15 * MS, 15 * MS, 16 * MS, (ACQUIRE,), each) for each in syscalls or ("futex",))
    return Segment(exchange, began * MS, (began + asleep) * MS, MS // 2, 0, 0, 1, 0, 0, 0, samples=samples)


def observed(*segments, alone=1, request=REQUEST):
    return Observation("full", (request,), segments, alone={"/health": alone * MS}, probe_exchanges=(PROBE,))


def found(*segments, **observation):
    return stalls(observed(*segments, **observation), Limits())


def in_doubt(*segments, **observation):
    return list(of_probes_in_doubt(observed(*segments, **observation), Limits()))


def test_it_is_the_requests_at_the_line_where_the_probe_waits():
    (stall,) = found(step())
    assert (stall.kind, stall.exchange, stall.place.frame, stall.sure) == ("sync-io", REQUEST, ACQUIRE, True)
    assert in_doubt(step()) == []


def test_one_look_that_shows_no_system_call_hides_the_lock_not():
    """A thread that passes by takes it; the watchdog's own looks show more."""
    assert len(found(step("unknown", "futex", "futex"))) == 1


@pytest.mark.parametrize("syscall", ["clock_nanosleep", "unknown"])
def test_a_longer_sleep_of_another_kind_is_said(syscall):
    """As of SQLite, which sleeps and asks again while another connection has the database."""
    (note,) = in_doubt(step(syscall))
    assert note == (
        "unsettled: the probe /health held the event loop itself, asleep in tool, 299 ms longer than alone, while "
        "GET /tool was under way: whether it waited for the request is not known, so it is not counted"
    )


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


def test_a_probe_that_sleeps_as_long_alone_leaves_no_doubt():
    assert in_doubt(step("clock_nanosleep"), alone=295) == []
    assert in_doubt(step("clock_nanosleep", began=361)) == []


def test_a_request_that_came_later_did_not_cause_it():
    assert found(step(), request=REQUEST._replace(sent=27 * MS)) == []

"""Which round trips are told as a doubt."""

import pytest

from pytest_noblock.judge.doubts import notes
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.segment import BlockingCall, Segment, SocketExchange

LINE = Frame("/app/main.py", 7, "report", "requests.get", user=True)
CALL = BlockingCall("socket.recv", True, 0, 10, (LINE,))
TRIP = SocketExchange("127.0.0.1:5432", 10, 20)


def segment(*trips, exchange=1, own=0, **more):
    return Segment(exchange, 0, 100, 0, 0, 0, 0, 0, own, 0 if own else len(trips), exchanged=trips, **more)


WHY = (
    "while the event loop was held: another thread computed at the same time and may have made it, so it is not counted"
)


def test_one_sentence_for_each_peer():
    closed = SocketExchange(None, 1, 2)
    assert notes([segment(TRIP), segment(TRIP, closed)], 1, []) == (
        f"unsettled: 2 round trips to 127.0.0.1:5432 {WHY}",
        f"unsettled: a round trip to a closed socket {WHY}",
    )


@pytest.mark.parametrize(
    "settled",
    [segment(TRIP, exchange=2), segment(TRIP, own=1), segment(TRIP, calls=(CALL,)), segment()],
    ids=["of another request", "the loop's own", "a recorded call explains it", "none"],
)
def test_nothing_is_in_doubt(settled):
    assert notes([settled], 1, []) == ()


def test_a_finding_settles_it():
    found = type("Finding", (), {"kind": "sync-network"})()
    assert notes([segment(TRIP)], 1, [found]) == ()

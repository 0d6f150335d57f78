"""A step of a request that an earlier test made is told of the request that was under way, and is nobody's finding."""

from pytest_noblock.judge import earlier
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, Segment

MS = 1_000_000
LINE = Frame("/project/app.py", 7, "later", "time.sleep", user=True)
HOME = Exchange(5, "GET", "/", sent=0, completed=90 * MS, returned=91 * MS)


def slept(exchange, began=1, ms=80):
    call = BlockingCall("time.sleep", False, began * MS, (began + ms) * MS, (LINE,), asked=ms * MS)
    return Segment(
        exchange, began * MS, (began + ms) * MS, cpu=0, collected=0, queued=0, switches=1, others_cpu=0,
        round_trips=0, doubtful_trips=0, imported=0, samples=(), calls=(call,),
    )  # fmt: skip


def notes(*segments, earlier_requests=None):
    observation = Observation("full", (HOME,), segments, earlier=earlier_requests or {})
    own, strangers = earlier.taken_off(observation)
    assert (*own.segments, *strangers) == segments
    return earlier.notes(own, strangers, Limits(50 * MS), lambda file: file.removeprefix("/project/"))


def test_it_is_told_with_the_line_and_with_who_left_it_behind():
    told = "unsettled: sync-io, 80 ms at app.py:7 in later, while GET / was under way: {} left it behind; not counted"
    by_whom = {2: "GET /leaves of test_a.py::test_it"}
    assert notes(slept(2), earlier_requests=by_whom) == {5: [told.format("GET /leaves of test_a.py::test_it")]}
    assert notes(slept(2)) == {5: [told.format("a request of an earlier test")]}


def test_its_steps_at_one_line_are_told_once():
    (told,) = notes(slept(2, ms=51), slept(2, began=60, ms=60)).values()
    assert len(told) == 1


def test_nothing_is_told_under_the_limit_of_own_steps_or_while_nobody_waited():
    assert notes(slept(2, ms=49)) == {}
    assert notes(slept(5)) == {}
    assert notes(slept(2, began=95)) == {}

"""When the meter takes a reading of the counters, and when an earlier one serves again."""

import sys
import threading
import types

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.steps import counters, deductions
from pytest_noblock.engine.steps import meter as module
from pytest_noblock.engine.steps.meter import STEPPING, StepMeter
from pytest_noblock.engine.steps.rings import NEVER_DUE

US = 1_000
MS = 1_000_000


class CountingClock(PortableClock):
    """Counts the readings at the begin of steps, on a clock that stands still until it is moved."""

    def __init__(self, monkeypatch):
        self.readings = 0
        self.moment = 1_000 * MS
        monkeypatch.setattr(module, "now", lambda: self.moment)

    def begin(self):
        self.readings += 1
        return self.moment, *super().begin()[1:]

    def end(self):
        return self.moment, *super().end()[1:]


@pytest.fixture
def clock(monkeypatch):
    return CountingClock(monkeypatch)


@pytest.fixture
def meter(clock, user):
    meter = StepMeter(clock, user)
    yield meter
    meter.end()


MINE = LiveExchange("GET", "/mine")
OTHERS = LiveExchange("GET", "/others")


@pytest.mark.parametrize(
    ("worked", "outside", "next_owner", "readings"),
    [
        pytest.param(400 * US, 20 * US, MINE, 1, id="the rest of a request's own step"),
        pytest.param(400 * US, 40 * US, MINE, 2, id="something happened in between"),
        pytest.param(400 * US, 20 * US, OTHERS, 2, id="another request's step"),
        pytest.param(20 * US, 20 * US, OTHERS, 1, id="nothing of note can have happened"),
        pytest.param(600 * US, 20 * US, MINE, 2, id="what came before has been told already"),
    ],
)
def test_a_reading_serves_again_where_nothing_of_note_fits_in_between(
    clock, meter, worked, outside, next_owner, readings
):
    meter.begin(MINE)
    clock.moment += worked
    meter.end()
    clock.moment += outside
    meter.begin(next_owner)
    assert clock.readings == readings


def test_a_reading_that_waits_for_the_gil_is_not_the_requests(clock, meter, monkeypatch):
    """To read the counters lets go of the GIL, and beside a busy thread that takes as long as that one likes."""
    read = clock.begin

    def waits():
        clock.moment += 100 * MS
        return read()

    monkeypatch.setattr(clock, "begin", waits)
    owner = LiveExchange("GET", "/mine")
    for _ in range(3):
        meter.begin(owner)
        clock.moment += 10 * US
        meter.end()
        clock.moment += MS
    assert owner.brief == 30 * US


def test_what_follows_a_cut_begins_behind_it(clock, meter):
    """Its phase is told by that: here the body is sent at the cut, and what comes then is background."""
    meter.begin(MINE)
    clock.moment += 400 * US
    meter.end()
    clock.moment += 20 * US
    behind = clock.moment
    meter.begin(MINE)
    clock.moment += 70 * MS
    meter.end()
    [(segment, _step)] = meter.segments
    assert (segment.began, segment.ended) == (behind, behind + 70 * MS)


def test_a_step_is_charged_to_its_owner_and_to_nobody_when_it_has_ended(clock, meter):
    meter.begin(MINE)
    clock.moment += 70 * MS
    meter.switch_owner(OTHERS)
    clock.moment += 80 * MS
    meter.switch_owner(None)
    clock.moment += 90 * MS
    meter.end()
    assert [(segment.exchange, segment.wall) for segment, _step in meter.segments] == [
        (MINE.number, 70 * MS),
        (OTHERS.number, 80 * MS),
    ]
    assert meter.owner is None


def test_each_step_has_a_number_of_its_own(clock, meter):
    for _ in range(2):
        meter.begin(MINE)
        clock.moment += MS
        meter.end()
    assert len({step for _segment, step in meter.segments}) == 2


def test_a_step_is_known_while_it_runs(meter):
    assert meter.ident not in STEPPING
    meter.begin(MINE)
    assert STEPPING[meter.ident] is meter
    meter.end()
    assert meter.ident not in STEPPING


def test_a_closed_meter_is_inert(clock, meter):
    steps = MINE.steps
    meter.close()
    meter.begin(MINE)
    clock.moment += 70 * MS
    meter.end()
    assert (meter.owner, meter.segments, MINE.steps) == (None, [], steps)


def test_another_thread_that_has_the_ident_is_not_metered(meter):
    """Idents are used again when a thread has ended."""
    seen = []

    def other():
        meter.begin(MINE)
        seen.append((meter.of_this_thread(), meter.owner))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [(False, None)]
    assert meter.of_this_thread()


def test_what_is_called_before_each_step(clock, meter):
    called = []
    meter.attach_step_begin(lambda: called.append(meter.owner))
    meter.begin(MINE)
    meter.end()
    assert called == [None]


class Dog:
    """Notes what a watchdog is told."""

    cpu = 0
    on_late = None
    rings = NEVER_DUE

    def __init__(self):
        self.told = []

    def cpu_by(self, _moment):
        return self.cpu

    def step_began(self, _ident, _native, step, began):
        self.told.append(("began", began))

    def step_ended(self, _ident):
        self.told.append("ended")
        return (1, 2, 3)

    def step_resumed(self, _ident, step):
        self.told.append(("resumed", step))

    def sample_if_late(self):
        self.told.append("another thread")

    def look_between_steps(self):
        self.told.append("between steps")


def test_the_watchdog_is_told_when_a_step_begins_and_ends(clock, meter):
    dog = Dog()
    meter.attach_watchdog(dog)
    meter.begin(MINE)
    meter.end()
    assert dog.told == [("began", clock.moment), "ended"]


def test_the_watchdog_does_not_sample_our_own_work(clock, meter):
    dog = Dog()
    meter.attach_watchdog(dog)
    with meter.deductions.excluded():
        assert dog.told == ["ended"]
    assert dog.told == ["ended", ("resumed", (1, 2, 3))]


def test_the_watchdog_is_told_of_the_calls_of_other_threads(meter):
    meter.another_thread_called()  # without one nothing happens
    dog = Dog()
    meter.attach_watchdog(dog)
    meter.another_thread_called()
    assert dog.told == ["another thread", "between steps"]


def test_a_step_that_took_long_looks_first(clock, meter):
    """The loop thread may have got the GIL before the watchdog; reading the sockets releases the GIL."""
    dog = Dog()
    meter.attach_watchdog(dog)
    for took, looks in ((400 * US, 0), (70 * MS, 1)):
        dog.told.clear()
        meter.begin(MINE)
        clock.moment += took
        meter.end()
        assert dog.told.count("between steps") == looks


def test_a_thread_of_ours_that_has_waited_makes_all_looks(meter):
    meter.look_from_outside()  # nobody looks
    dog, gaps = Dog(), Gaps()
    meter.attach_watchdog(dog)
    meter.attach_gaps(gaps)
    meter.look_from_outside()
    assert (dog.told, gaps.told) == (["another thread", "between steps"], ["early"])
    meter.close()
    meter.look_between_steps()
    assert dog.told.count("between steps") == 1


def test_what_the_watchdog_burns_is_no_other_threads(clock, meter, monkeypatch):
    """It makes no round trips, and is no worker that held the GIL."""
    dog = Dog()
    meter.attach_watchdog(dog)
    meter.begin(MINE)
    clock.moment += 70 * MS
    monkeypatch.setattr(counters, "others_cpu", lambda *_: 9 * MS)
    dog.cpu = 7 * MS
    meter.end()
    [(segment, _step)] = meter.segments
    assert segment.others_cpu == 2 * MS


class Gaps:
    """Notes what a detector of GIL gaps is told."""

    def __init__(self):
        self.told = []

    def close_interval(self):
        self.told.append("closed")
        return False

    def in_step(self, segment):
        self.told.append(segment.wall)

    def sample_early(self):
        self.told.append("early")


def test_the_gap_detector_sees_each_step_that_is_charged(clock, meter):
    gaps = Gaps()
    meter.attach_gaps(gaps)
    meter.begin(MINE)
    clock.moment += 70 * MS
    meter.end()
    assert gaps.told == [70 * MS, "closed"]
    meter.close_gap_interval()
    meter.attach_gaps(None)
    meter.close_gap_interval()
    assert gaps.told == [70 * MS, "closed", "closed"]


def test_a_gap_detector_is_called_by_a_watchdog_that_is_late(meter):
    dog, gaps = Dog(), Gaps()
    meter.attach_watchdog(dog)
    meter.attach_gaps(gaps)
    dog.on_late()
    assert gaps.told == ["early"]
    meter.attach_gaps(None)
    assert dog.on_late is None


@pytest.mark.parametrize(("notable", "charged"), [(True, ["enter", "leave"]), (False, ["enter"])])
def test_line_counters_have_a_step_charged_that_has_a_notable_line_however_short(clock, meter, notable, charged):
    told = []
    meter.attach_lines(
        types.SimpleNamespace(
            enter=lambda: told.append("enter"),
            leave=lambda: told.append("leave") or (),
            notable=lambda: notable,
            exhausted=False,
        )
    )
    meter.begin(MINE)
    meter.end()
    meter.attach_lines(None)
    meter.begin(MINE)
    meter.end()
    assert told == charged


def run_steps(clock, meter, count, *, owner=MINE, worked=200 * US, outside=10 * US):
    for _ in range(count):
        meter.begin(owner)
        clock.moment += worked
        meter.end()
        clock.moment += outside


def test_short_steps_that_follow_at_once_in_one_turn_add_up(clock, meter):
    """A thousand callbacks of 0.2 ms hold the loop for 200 ms: none of them alone is worth a segment."""
    meter.turn = 7
    run_steps(clock, meter, 1_000)
    segments = [segment for segment, _step in meter.segments]
    assert sum(segment.wall for segment in segments) > 199 * MS
    assert {segment.turn for segment in segments} == {7}
    assert sum(segment.elsewhere for segment in segments) > 6 * MS  # 10 us between each two of three that are a segment
    assert len({step for _segment, step in meter.segments}) == 1


def test_the_watchdog_is_told_of_such_steps_as_of_one_that_goes_on(clock, meter):
    dog = Dog()
    meter.attach_watchdog(dog)
    meter.turn = 7
    began = clock.moment
    run_steps(clock, meter, 60)
    assert [each for each in dog.told if each[0] == "began"] == [("began", began)]
    [step] = {step for _segment, step in meter.segments}
    assert {each[1] for each in dog.told if each[0] == "resumed"} == {(meter.native, step, began)}


@pytest.mark.parametrize("between", ["a turn", "another's step", "time", "a phase", "nobody counts"])
def test_short_steps_are_cut_where_somebody_else_may_have_had_a_turn(clock, meter, between):
    mine = LiveExchange("GET", "/")
    meter.turn = 0 if between == "nobody counts" else 7
    for _ in range(10):
        run_steps(clock, meter, 1, owner=mine)
        if between == "a turn":
            meter.turn += 1
        if between == "another's step":
            run_steps(clock, meter, 1, owner=OTHERS)
        if between == "time":
            clock.moment += MS
        if between == "a phase":
            mine.phase_began = clock.moment
    assert not meter.segments


def test_what_is_taken_out_of_one_step_is_not_taken_out_of_the_next(clock, meter):
    meter.begin(MINE)
    meter.deductions.wall = 30 * MS
    meter.deductions.used = True
    clock.moment += 70 * MS
    meter.end()
    meter.begin(MINE)
    clock.moment += 70 * MS
    meter.end()
    assert [segment.wall for segment, _step in meter.segments] == [40 * MS, 70 * MS]


def test_a_known_call_outside_of_a_step_is_nobodys(clock, meter):
    frame = sys._getframe()
    meter.known_call_ended("time.sleep", "sleep", 0, frame)
    meter.begin(MINE)
    meter.known_call_ended("time.sleep", "sleep", 0, frame, 20 * MS)
    meter.end()
    [(segment, _step)] = meter.segments
    assert [(call.name, call.asked) for call in segment.calls] == [("time.sleep", 20 * MS)]


@pytest.mark.parametrize(
    ("effect", "caller", "noted"),
    [
        ("over", "app", True),
        ("wait", "app", True),
        ("local", "threading_app", True),
        ("sleep", "app", False),
        ("over", "asyncio.tasks", False),  # it asks for results that are there
        ("over", "threading", False),  # `Thread.start` waits for its thread to begin
    ],
)
def test_who_waited_for_another_thread_is_noted_however_short_that_was(clock, meter, effect, caller, noted):
    frame = eval("sys._getframe()", {"__name__": caller, "sys": sys})
    meter.known_call_ended("Future.result", effect, 3, frame)
    meter.begin(MINE)
    meter.known_call_ended("Future.result", effect, 5, frame)
    meter.end()
    assert meter.waits == ({MINE.number: 5} if noted else {})


def test_a_step_that_does_nothing_but_import_is_told(clock, meter, monkeypatch):
    """What is left of it is no step of note. Its import is one, and the second import of a module more so."""
    monkeypatch.setattr(deductions, "now", lambda: clock.moment)
    meter.begin(MINE)
    with meter.deductions.importing("prices", again=True):
        clock.moment += 60 * MS
    clock.moment += 200 * US
    meter.end()
    [(segment, _step)] = meter.segments
    assert segment.imported == segment.imported_again == 60 * MS
    assert segment.modules == (("prices", 60 * MS),)

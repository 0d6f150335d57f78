"""Which test's patches are on when: a recorder of straw says when it is started and left."""

from types import SimpleNamespace

import pytest

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.segment import Segment
from pytest_noblock.plugin.watching import ItemRecorder, PatchHandover

MS = 1_000_000


class Straw:
    """A recorder that tells what is done to it."""

    def __init__(self, name, done):
        self.name, self.done = name, done

    def start(self, *, inherits=False):
        self.done.append(f"{self.name} inherits" if inherits else f"{self.name} starts")

    def leave(self):
        self.done.append(f"{self.name} leaves")


@pytest.fixture
def done():
    return []


@pytest.fixture
def recorders(done):
    return [Straw(name, done) for name in ("first", "second", "third")]


def test_a_test_alone_starts_with_patches_of_its_own(recorders, done):
    PatchHandover().start(recorders[0])
    assert done == ["first starts"]


def test_a_sibling_inherits_the_patches_and_nothing_is_taken_off(recorders, done):
    handover = PatchHandover()
    for recorder in recorders:
        handover.start(recorder)
        handover.keep(recorder, sibling_follows=True)
    assert done == ["first starts", "second inherits", "third inherits"]


def test_any_other_puts_its_own_on_before_the_last_ones_come_off(recorders, done):
    """Fixtures of a class or a module may have ended in between, and given back what they had found."""
    handover = PatchHandover()
    first, second, _third = recorders
    handover.start(first)
    handover.keep(first, sibling_follows=False)
    handover.start(second)
    assert done == ["first starts", "second starts", "first leaves"]


def test_what_is_kept_is_handed_over_once(recorders, done):
    handover = PatchHandover()
    first, second, third = recorders
    handover.keep(first, sibling_follows=True)
    handover.start(second)
    handover.start(third)
    assert done == ["second inherits", "third starts"]


@pytest.mark.parametrize("sibling_follows", [True, False])
def test_the_last_ones_come_off_where_no_test_follows(recorders, done, sibling_follows):
    handover = PatchHandover()
    handover.keep(recorders[0], sibling_follows=sibling_follows)
    handover.close()
    handover.close()
    assert done == ["first leaves"]


def test_nothing_is_taken_off_where_nothing_is_on(done):
    PatchHandover().close()
    assert done == []


# --- what is uneventful


def a_record(method="GET", **changed):
    record = LiveExchange(method, "/")
    for name, value in ({"returned": 9, "steps": 1} | changed).items():
        setattr(record, name, value)
    return record


METERED = a_record()


def a_recorder(*segments, records=(METERED,), recorded_off_loop=False, collected=0):
    recorder = ItemRecorder(SimpleNamespace(user=None, kind="full"), Limits(), shares_kit=True)
    quiet = {"loop": "trio", "recorded_off_loop": recorded_off_loop}
    quiet["collected"] = lambda: collected
    recorder._watch = SimpleNamespace(segments=segments, records=list(records), **quiet)
    return recorder


def a_segment(**changed):
    quiet = Segment(1, 0, MS, cpu=MS, collected=0, queued=0, switches=0, others_cpu=0, round_trips=0, doubtful_trips=0)
    return quiet._replace(**changed)


def test_quiet_requests_are_uneventful():
    recorder = a_recorder(a_segment(), a_segment(ended=24 * MS))
    assert recorder.uneventful() == recorder._watch.records
    assert recorder.loop == "trio"
    assert a_recorder(records=()).uneventful() == []
    assert a_recorder(a_segment(ended=90 * MS, queued=89 * MS)).uneventful() == [METERED]  # the machine was busy
    assert a_recorder(a_segment(ended=25 * MS, cpu=25 * MS)).uneventful() is None  # half of the limit: see the baseline
    assert a_recorder(a_segment(ended=25 * MS, switches=1)).uneventful() is None


def test_a_garbage_collection_as_long_as_the_limit_is_told():
    assert a_recorder(collected=50 * MS).uneventful() is None
    assert a_recorder(collected=49 * MS).uneventful() == [METERED]


def test_what_was_recorded_between_the_steps_is_judged():
    assert a_recorder(a_segment(), recorded_off_loop=True).uneventful() is None


@pytest.mark.parametrize(
    "changed",
    [
        {"cpu": 25 * MS},
        {"samples": (1,), "cpu": 10 * MS},
        {"calls": (1,)},
        {"answered": (1,)},
        {"round_trips": 1},
        {"imported": MS},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_one_segment_of_which_there_is_something_to_say_is_enough(changed):
    assert a_recorder(a_segment(), a_segment(**changed)).uneventful() is None


@pytest.mark.parametrize(
    "record",
    [
        a_record(steps=0),
        a_record(tasks=[1]),
        a_record(left=[1]),
        a_record(returned=None),
    ],
)
def test_a_request_that_was_not_metered_or_has_tasks_is_judged(record):
    assert a_recorder(records=[METERED, record]).uneventful() is None


@pytest.mark.parametrize("method", ["LIFESPAN", "WEBSOCKET"])
def test_an_app_or_a_connection_that_goes_on_after_the_test_is_uneventful(method):
    """Most suites have a client in a fixture, whose app is stopped after the test: nothing need be judged for that."""
    goes_on = a_record(method, returned=None)
    assert a_recorder(records=[goes_on, METERED]).uneventful() == [goes_on, METERED]


@pytest.mark.parametrize("shares_kit", [True, False])
def test_a_kit_that_nobody_shares_is_closed_with_its_recorder(shares_kit):
    closed = []
    recorder = ItemRecorder(
        SimpleNamespace(user=None, kind="full", close=lambda: closed.append("kit")), Limits(), shares_kit=shares_kit
    )
    recorder._watch = SimpleNamespace(leave=lambda: closed.append("patches"))
    recorder.leave()
    assert closed == (["patches"] if shares_kit else ["patches", "kit"])

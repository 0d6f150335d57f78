"""When the meter takes a reading of the counters, and when an earlier one serves again."""

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.steps import meter as module
from pytest_noblock.engine.steps.meter import StepMeter

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

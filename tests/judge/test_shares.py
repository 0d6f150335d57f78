"""The lines that shared in one step."""

import pytest

from pytest_noblock.judge.shares import parts_of
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.segment import BlockingCall, Segment
from tests.judge.test_stalls import MS, line, sample

pytestmark = pytest.mark.one_python

FIRST, SECOND = (Frame("/project/app.py", number, "report", "time.sleep", user=True) for number in (7, 8))


def segment(wall, **more):
    counters = {"collected": 0, "queued": 0, "switches": 1, "others_cpu": 0, "round_trips": 0, "doubtful_trips": 0}
    return Segment(1, 0, wall * MS, **{"cpu": 0, **counters, **more})


def call(frame, began, ended):
    return BlockingCall("time.sleep", network=False, began=began * MS, ended=ended * MS, stack=(frame,))


def told(kind, one, total):
    return [(part.frame.line, part.blocked_ns // MS) for part in parts_of(kind, one, total * MS)]


def test_of_sleep_the_calls_say_it():
    calls = (call(FIRST, 0, 20), call(SECOND, 20, 50), call(FIRST, 50, 65))
    assert told("sync-io", segment(65, calls=calls), 65) == [(7, 35), (8, 30)]
    assert told("sync-io", segment(65, calls=calls[:1]), 20) == []


def test_where_no_call_is_known_looks_and_counters_say_it():
    looks = (sample(10, 11, "fsync", FIRST), sample(20, 21, "fsync", FIRST), sample(40, 41, "fsync", SECOND))
    assert told("sync-io", segment(60, samples=looks), 60) == [(7, 30), (8, 30)]
    counted = (line(7, asleep=40), line(8, asleep=20))
    assert told("sync-io", segment(60, samples=looks, lines=counted), 60) == [(7, 40), (8, 20)]


def test_of_cpu_likewise():
    looks = (sample(10, 11, "running", FIRST), sample(20, 21, "running", SECOND), sample(40, 41, "running", SECOND))
    assert told("cpu", segment(60, cpu=60 * MS, samples=looks), 60) == [(8, 45), (7, 15)]

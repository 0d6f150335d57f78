"""The check that is made again of its record, and of what the report file says beyond that."""

import json
from dataclasses import replace

import pytest

from pytest_noblock.model.check import Check
from pytest_noblock.report.failure import failure
from pytest_noblock.report.from_json import check_of, restored
from pytest_noblock.report.json_v1 import record, to_json
from pytest_noblock.report.page import timeline
from pytest_noblock.report.trace import render as trace
from pytest_noblock.report.uneventful import UneventfulTexts
from pytest_noblock.report.whole import whole
from pytest_noblock.report.wire import Run
from tests.report.golden_checks import CHECKS, PASSED
from tests.report.runs import ENVIRONMENT

pytestmark = pytest.mark.one_python

MS = 1_000_000


def again(check):
    """As another process makes it of the file."""
    entry = json.loads(json.dumps(whole(check)))
    return restored(check_of(entry, 1, "full"), entry)


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_made_of_the_file_reads_the_same(name):
    check = CHECKS[name]
    assert failure(again(check)) == failure(check)


@pytest.mark.parametrize("name", CHECKS)
def test_its_pictures_are_the_same(name):
    check = CHECKS[name]
    if check.exchange is not None:
        check = replace(check, steps=((check.exchange.sent, check.exchange.sent + 7_000),))
    assert timeline.figure(again(check)) == timeline.figure(check)
    events = [json.loads(trace(Run(ENVIRONMENT, (each,))))["traceEvents"] for each in (again(check), check)]
    stalls = [[(each["name"], each["ts"]) for each in one if each["ph"] == "X"] for one in events]
    assert stalls[0] == stalls[1]


def test_what_one_worker_serves_is_the_same_number_in_the_file():
    check = replace(
        PASSED, capacity="40 tokens / 0.2 s = 200 requests per second", scarce_ns=5_000_000, loop_ns=400_000
    )
    entry = record(check)
    assert (entry["capacity"], entry["per_second"]) == (check.capacity, 200.0)
    assert (again(check).capacity, again(check).scarce_ms) == (check.capacity, 5.0)


def test_a_check_that_came_as_a_record_says_no_more_than_that():
    entry = record(CHECKS["sync-network"])
    known = restored(check_of(entry, 50_000_000, "full"), entry)
    assert whole(known) == {**entry, "limit_ms": 50.0}


@pytest.mark.parametrize("name", CHECKS)
def test_the_check_of_a_record_has_that_record(name):
    """So a report can be made of records alone, where a whole check did not come through."""
    told = record(CHECKS[name])
    again = check_of(json.loads(to_json(told)), 50 * MS, "full")
    assert record(again) == told
    assert (again.limit, again.meter) == (50 * MS, "full")


@pytest.mark.parametrize("duration", [0, 1_000, 1_234_567, 312 * MS, 59_999_999_999])
def test_an_uneventful_check_is_all_in_its_record(duration):
    duration -= duration % 1000  # records have microseconds
    text = UneventfulTexts().text("t", "GET /", "/", "app.home", duration)
    assert check_of(json.loads(text), 50 * MS, "full") == Check(
        "t", "GET /", "/", "app.home", "passed", duration, 50 * MS, "full"
    )

"""What the report file has beyond the records, and the check that is made of it again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_noblock.report import json_v1
from pytest_noblock.report.failure import failure
from pytest_noblock.report.json_v1 import check_of, record, render, uneventful
from pytest_noblock.report.page import timeline
from pytest_noblock.report.trace import render as trace
from pytest_noblock.report.whole import restored, whole
from pytest_noblock.report.wire import Run
from tests.report.golden_checks import CHECKS, PASSED
from tests.report.runs import ALL, ENVIRONMENT, hostile

pytestmark = pytest.mark.one_python

SCHEMA = json.loads(Path(json_v1.__file__).with_name("schema.json").read_text())


def again(check):
    """As another process makes it of the file."""
    entry = json.loads(json.dumps(whole(check)))
    return restored(check_of(entry, 1, "full"), entry)


@pytest.mark.parametrize("run", [ALL, hostile()], ids=["all", "hostile"])
def test_the_report_fits_its_schema(run, jsonschema):
    jsonschema.validate(json.loads(render(run)), SCHEMA, cls=jsonschema.Draft202012Validator)


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


def test_a_record_says_all_of_an_uneventful_check():
    quiet = replace(PASSED, notes=(), probes=(), probe_runs=())
    assert whole(quiet) == record(quiet) == uneventful(*(record(quiet)[key] for key in _KEYS))


_KEYS = "id request route endpoint duration_ms loop_ms".split()


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


def test_a_red_check_says_whether_its_test_failed():
    red = CHECKS["sync-network"]
    assert whole(red, {red.id})["test"] == "failed"
    assert whole(red, set())["test"] == "passed"
    assert "test" not in whole(red)
    assert "test" not in whole(PASSED, set())


def test_no_more_stalls_and_probes_than_a_picture_shows():
    red = CHECKS["sync-network"]
    long = replace(red, findings=(replace(red.findings[0], stalls=((1, 2),) * 99),), probe_runs=red.probe_runs * 999)
    entry = whole(long)
    assert len(entry["findings"][0]["stalls"]) == 50
    assert len(entry["timeline"]["probes"]) == 200

"""What the report file has beyond the records."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_noblock.report import json_v1
from pytest_noblock.report.json_v1 import record, render, uneventful
from pytest_noblock.report.whole import whole
from tests.report.golden_checks import CHECKS, PASSED
from tests.report.runs import ALL, hostile

pytestmark = pytest.mark.one_python

SCHEMA = json.loads(Path(json_v1.__file__).with_name("schema.json").read_text())


@pytest.mark.parametrize("run", [ALL, hostile()], ids=["all", "hostile"])
def test_the_report_fits_its_schema(run, jsonschema):
    jsonschema.validate(json.loads(render(run)), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_a_record_says_all_of_an_uneventful_check():
    quiet = replace(PASSED, notes=(), probes=(), probe_runs=())
    assert whole(quiet) == record(quiet) == uneventful(*(record(quiet)[key] for key in _KEYS))


_KEYS = "id request route endpoint duration_ms loop_ms".split()


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

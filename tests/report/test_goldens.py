"""What people and programs read of each kind of finding, to the letter: `goldens/NAME.txt` and `goldens/NAME.json`.

A golden that must change is changed by hand, and read: that is what it is for.
"""

import json
from pathlib import Path
from typing import get_args

import pytest

from pytest_noblock.model.finding import Kind
from pytest_noblock.report.failure import failure
from pytest_noblock.report.json_v1 import document, record, to_json
from tests.report.golden_checks import CHECKS, PASSED

GOLDENS = Path(__file__).with_name("goldens")
VERBOSITIES = {"-q": -1, "": 0, "-v": 1, "-vv": 2}
ENVIRONMENT = {"python": "3.12.1", "platform": "linux", "meter": "full", "loop": "asyncio"}


def told(check):
    """The failure at every verbosity, one below the other; the bars show where each ends."""
    texts = [f"==== pytest {option}".rstrip() + f"\n{failure(check, level)}|" for option, level in VERBOSITIES.items()]
    return "\n".join(texts) + "\n"


def recorded(check):
    """The record, keys in their order."""
    return json.dumps(record(check), indent=2) + "\n"


@pytest.mark.parametrize("name", CHECKS)
def test_the_terminal_says(name):
    assert told(CHECKS[name]) == GOLDENS.joinpath(f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*CHECKS, "passed"])
def test_the_json_report_says(name):
    check = {**CHECKS, "passed": PASSED}[name]
    assert recorded(check) == GOLDENS.joinpath(f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(to_json(record(check))) == record(check)


def test_the_goldens_are_a_report_that_fits_the_schema(jsonschema):
    records = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(GOLDENS.glob("*.json"))]
    schema = json.loads(Path(document.__code__.co_filename).with_name("schema.json").read_text(encoding="utf-8"))
    whole = json.loads(json.dumps(document(ENVIRONMENT, records)))
    jsonschema.validate(whole, schema, cls=jsonschema.Draft202012Validator)
    assert whole == {"schema_version": 1, "environment": ENVIRONMENT, "routes": [], "checks": records}


def test_each_kind_has_a_golden_and_each_golden_a_check():
    assert {finding.kind for check in CHECKS.values() for finding in check.findings} == set(get_args(Kind))
    assert {file.stem for file in GOLDENS.glob("*.txt")} == set(CHECKS)
    assert {file.stem for file in GOLDENS.glob("*.json")} == {*CHECKS, "passed"}

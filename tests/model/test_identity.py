"""What stays the same from run to run."""

import json

import pytest

from pytest_noblock.model.identity import identity, identity_of, route_name
from pytest_noblock.report.from_json import check_of
from pytest_noblock.report.json_v1 import record
from tests.report.golden_checks import CHECKS

MINE = ("cpu", "GET /report", "app/main.py", "report", None)


def test_line_time_and_count_are_no_part_of_it():
    assert identity(*MINE)._fields == ("kind", "route", "file", "function", "call")


@pytest.mark.parametrize("place", range(5))
def test_each_part_tells_two_findings_apart(place):
    other = identity(*(*MINE[:place], "other", *MINE[place + 1 :]))
    assert other != identity(*MINE)
    assert other.fingerprint != identity(*MINE).fingerprint


def test_a_fingerprint_is_the_same_on_every_machine():
    assert identity(*MINE).fingerprint == ("afb844c30e2778e221b80340d93e3944abab56c6056457813c2dd5d49a1ef131")
    assert identity("cpu", "a", "b", None, None).fingerprint != identity("cpu", "a", None, "b", None).fingerprint


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        ("app/main.py", "app/main.py"),
        (".tox/py312/lib/python3.12/site-packages/app/main.py", "app/main.py"),
        ("/usr/lib/python3/dist-packages/app/main.py", "app/main.py"),
        ("C:\\venv\\Lib\\site-packages\\app\\main.py", "app/main.py"),
        (None, None),
    ],
)
def test_an_installed_app_is_the_same_on_every_machine(file, kept):
    assert identity("cpu", "GET /report", file, "report", None).file == kept


def test_the_route_is_method_and_template_or_the_test():
    assert route_name("test_it", "GET /users/7", "/users/{id}") == "GET /users/{id}"
    assert route_name("test_it", "GET /users/7", None) == "test_it"


@pytest.mark.parametrize("name", CHECKS)
def test_a_record_keeps_the_identity_of_each_finding(name):
    check = CHECKS[name]
    entry = json.loads(json.dumps(record(check)))
    read = check_of(entry, check.limit, check.meter)
    assert [identity_of(entry, each) for each in entry["findings"]] == [each.identity for each in read.findings]

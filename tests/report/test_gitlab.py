"""GitLab's code quality report."""

import json
from dataclasses import replace

import pytest

from pytest_noblock.report.gitlab import render
from pytest_noblock.report.wire import Run
from tests.report.runs import ALL, EMPTY, ENVIRONMENT, GREEN, ROUTED, hostile

pytestmark = pytest.mark.one_python

SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32,64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "pattern": "^[^./]"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
"""What GitLab's page on the format asks for: every one of these keys, for an object without one cuts the list."""


def issues_of(run):
    return json.loads(render(run))


@pytest.mark.parametrize("run", [ALL, GREEN, EMPTY, hostile()], ids="all green empty hostile".split())
def test_every_object_has_what_gitlab_asks_for(run, jsonschema):
    issues = issues_of(run)
    jsonschema.validate(issues, SCHEMA)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


def test_an_issue_says_where_and_what_instead():
    (issue,) = issues_of(Run(ENVIRONMENT, (ROUTED["sync-network"],)))
    assert issue["check_name"] == "sync-network"
    assert issue["location"] == {"path": "services/api/app/main.py", "lines": {"begin": 44}}
    assert issue["description"].startswith("GET /report blocked the event loop 301 ms (limit 50 ms): httpx.AsyncClient")


def test_the_severity_says_what_is_accepted_and_what_is_worst():
    bad = ROUTED["sync-network"]
    worse = replace(bad, findings=(replace(bad.findings[0], blocked_ns=500_000_000),))
    severities = [issues_of(Run(ENVIRONMENT, (each,)))[0]["severity"] for each in (bad, worse, ROUTED["accepted"])]
    assert severities == ["major", "critical", "info"]

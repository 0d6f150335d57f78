"""GitLab's code quality report: a JSON array, one object for each identity of a finding (pure).

Each object has a severity and a fingerprint of its own: one without a severity makes GitLab drop the rest of the list,
and of two with the same fingerprint it shows one.
"""

import json
from typing import Any

from pytest_noblock.model.kinds import is_background
from pytest_noblock.model.shown import printable
from pytest_noblock.report.finding_rows import finding_rows
from pytest_noblock.report.grouped import Entry, by_identity
from pytest_noblock.report.places import file_of, in_repository
from pytest_noblock.report.wire import Environment, Run

suffix = ".gitlab.json"

_GRAVE = 10
"""From so many times the limit on a stall is `critical`."""


def render(run: Run) -> str:
    """The whole array."""
    return json.dumps([_issue(entry, run.environment) for entry in by_identity(run.checks)], indent=2) + "\n"


def _issue(entry: Entry, environment: Environment) -> dict[str, Any]:
    finding = entry.finding
    return {
        "type": "issue",
        "check_name": finding.kind,
        "description": printable(f"{entry.headline}: {_instead(entry)}"),
        "categories": ["Bug Risk" if is_background(finding.kind) else "Performance"],
        "severity": _severity(entry),
        "fingerprint": finding.identity.fingerprint,
        "location": {
            "path": printable(in_repository(file_of(entry.check, finding), environment)),
            "lines": {"begin": finding.line if finding.file and finding.line else 1},
        },
    }


def _instead(entry: Entry) -> str:
    return next((text for name, text in finding_rows(entry.check, entry.finding) if name == "instead"), "")


def _severity(entry: Entry) -> str:
    if entry.accepted is not None:
        return "info"
    return "critical" if entry.finding.blocked_ns >= _GRAVE * entry.check.limit else "major"

"""A Check as plain data: one entry of `checks` in the JSON report (see `schema.json`)."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_noblock.model.finding import Check, Finding

SCHEMA_VERSION = 1

Record = dict[str, Any]  # JSON: the shape is schema.json's

to_json = json.JSONEncoder().encode


def uneventful(id: str, request: str, route: str | None, endpoint: str | None, duration_ms: float) -> Record:
    """A request that passed, with nothing to say of it: most do."""
    return {
        "id": id,
        "request": request,
        "route": route,
        "endpoint": endpoint,
        "outcome": "passed",
        "duration_ms": duration_ms,
        "findings": [],
        "probes": [],
        "background": [],
        "notes": [],
    }


def record(check: "Check") -> Record:
    """What travels to the controller under xdist, to JUnit and to every report."""
    return {
        **uneventful(check.id, check.request, check.route, check.endpoint, check.duration_ms),
        "outcome": check.outcome,
        "findings": [_finding(finding) for finding in check.findings],
        "probes": [
            {"path": each.path, "sent": each.sent, "worst_ms": each.worst_ms, "alone_ms": each.alone_ms}
            for each in check.probes
        ],
        "background": [
            {
                "name": run.name,
                "response_complete_ms": run.response_complete_ms,
                "began_ms": run.began_ms,
                "ended_ms": run.ended_ms,
                "error": run.error,
            }
            for run in check.background
        ],
        "notes": [*([check.reason] if check.reason else []), *check.notes],
    }


def _finding(finding: "Finding") -> Record:
    entry: Record = {
        "kind": finding.kind,
        "phase": str(finding.phase),
        "ms": finding.ms,
        "cpu_ms": finding.cpu_ms,
        "asleep_ms": finding.asleep_ms,
        "count": finding.count,
        "file": finding.file,
        "line": finding.line,
        "function": finding.function,
        "code": finding.code,
        "call": finding.call,
        "replacement": finding.replacement,
        "confirmed": finding.confirmed,
    }
    if finding.waiter is not None:
        entry["waiter"] = {"file": finding.waiter.file, "line": finding.waiter.line, "code": finding.waiter.code}
    return {**entry, "accepted": finding.accepted} if finding.accepted is not None else entry


def document(environment: Record, records: Sequence[Record]) -> Record:
    """The whole JSON report."""
    return {"schema_version": SCHEMA_VERSION, "environment": environment, "checks": list(records)}

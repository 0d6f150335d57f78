"""The JSON report, version 1: `schema.json` beside this file is its contract.

The record of one check is also what JUnit's XML carries, and what most tests send to the controller.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_noblock.model.measured import REFUSED

if TYPE_CHECKING:
    from pytest_noblock.model.check import Check, ProbeWaits, TaskRun
    from pytest_noblock.model.finding import Almost, Finding
    from pytest_noblock.report.routes import RouteRow
    from pytest_noblock.report.wire import Run

SCHEMA_VERSION = 1

Record = dict[str, Any]
"""Plain JSON; `schema.json` says which keys it has."""

suffix = ".json"

to_json = json.JSONEncoder().encode


def render(run: "Run") -> str:
    """The whole report as text."""
    from pytest_noblock.report.routes import rows_of  # a run without a report needs none
    from pytest_noblock.report.whole import whole

    records = [whole(check, run.failed) for check in run.checks]
    routes = [route(each) for each in rows_of(run)]
    return json.dumps(document({**run.environment}, records, routes), indent=2) + "\n"


def document(environment: Record, records: Sequence[Record], routes: Sequence[Record] = ()) -> Record:
    """The whole report as plain JSON."""
    return {
        "schema_version": SCHEMA_VERSION,
        "environment": environment,
        "routes": list(routes),
        "checks": list(records),
    }


def route(row: "RouteRow") -> Record:
    more: Record = {"per_second": per_second(row.scarce_ms)} if row.scarce_ms > row.loop_ms else {}
    return {
        "method": row.method,
        "path": row.path,
        "requests": row.requests,
        "outcome": row.outcome,
        "reason": row.reason,
        "worst_ms": row.worst_ms,
        "loop_ms": row.loop_ms,
        **more,
    }


def per_second(scarce_ms: float) -> float:
    return round(1000 / scarce_ms, 3)


def uneventful(  # the values of a record
    id: str,
    request: str,
    route: str | None,
    endpoint: str | None,
    duration_ms: float,
    loop_ms: float = 0.0,
) -> Record:
    """The record of a request that passed without a finding, a probe, a background task or a note."""
    return {
        "id": id,
        "request": request,
        "route": route,
        "endpoint": endpoint,
        "outcome": "passed",
        "reason": None,
        "duration_ms": duration_ms,
        "loop_ms": loop_ms,
        "findings": [],
        "probes": [],
        "background": [],
        "notes": [],
    }


def record(check: "Check") -> Record:
    """One entry of the report's `checks`. The reason of an inconclusive check stands before its notes, too."""
    why = [check.reason] if check.reason and check.outcome == "inconclusive" else []
    more: Record = {"status": check.status} if check.status is not None and check.status >= REFUSED else {}
    if check.capacity is not None:
        more["capacity"] = check.capacity
    if check.scarce_ns:
        more["per_second"] = per_second(check.scarce_ms)
    if check.almost:
        more["almost"] = [_almost(each) for each in check.almost]
    return {
        **uneventful(check.id, check.request, check.route, check.endpoint, check.duration_ms, check.loop_ms),
        "outcome": check.outcome,
        "reason": check.reason,
        "findings": [_finding(each) for each in check.findings],
        "probes": [_probe(each) for each in check.probes],
        "background": [_task(each) for each in check.background],
        "notes": [*why, *check.notes],
        **more,
    }


def _almost(each: "Almost") -> Record:
    part: Record = {"part": True} if each.part else {}
    if each.over:
        part["over"] = each.over
    return {
        **part,
        "kind": each.kind,
        "ms": each.ms,
        "file": each.file,
        "function": each.function,
        "code": each.code,
        "call": each.call,
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


def _probe(probe: "ProbeWaits") -> Record:
    from pytest_noblock.model.shown import without_secrets

    path = without_secrets(probe.path)
    return {"path": path, "sent": probe.sent, "worst_ms": probe.worst_ms, "alone_ms": probe.alone_ms}


def _task(task: "TaskRun") -> Record:
    return {
        "name": task.name,
        "response_complete_ms": task.response_complete_ms,
        "began_ms": task.began_ms,
        "ended_ms": task.ended_ms,
        "error": task.error,
    }

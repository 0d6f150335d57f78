"""What the JSON report says of a check beyond its record: times and stacks, from which pictures are drawn (pure).

The record is what a test attaches to itself, and what most tests send to the controller. A check that says something
travels whole; the report file has these keys of it too, so that a report can be drawn from the file alone, as
`pytest_noblock merge` does. All times are ms from when the request was sent.
"""

from collections.abc import Container

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange
from pytest_noblock.model.shown import without_secrets
from pytest_noblock.model.units import milliseconds
from pytest_noblock.report import json_v1
from pytest_noblock.report.json_v1 import Record

_MOST_STALLS = 50
"""Of one finding."""
_MOST_PROBES = 200
"""Of one request, the longest waits: a request of 2 s has some 400 turns of the loop."""

AS_THEY_ARE = ("evidence", "reason", "pool", "syscall", "near", "served", "role")
"""Fields of a Finding that stand in the file under their own names, where they say something."""


def whole(check: Check, failed: Container[str] | None = None) -> Record:
    """One entry of the report's `checks`. `failed`: the ids of the tests that failed; None: not known."""
    entry = json_v1.record(check)
    if check.outcome == "passed" and not (check.probes or check.background or check.notes):
        return entry
    sent = check.exchange.sent if check.exchange is not None else 0
    for told, finding in zip(entry["findings"], check.findings, strict=True):
        told.update(_more_of_finding(finding, sent))
    for told, probe in zip(entry["probes"], check.probes if check.exchange is not None else (), strict=False):
        told["waited"] = probe.waited
    for told, task in zip(entry["background"], check.background, strict=True):
        told.update({"arguments": task.arguments, "added_at": task.added_at})
    if failed is not None and check.outcome in ("failed", "inconclusive"):
        entry["test"] = "failed" if check.id in failed else "passed"
    return {**entry, **_more_of_check(check)}


def _more_of_check(check: Check) -> Record:
    more: Record = {"limit_ms": milliseconds(check.limit)}
    if check.max_total:
        more["max_total_ms"] = milliseconds(check.max_total)
    if check.exchange is not None:
        more["timeline"] = _timeline(check.exchange, check)
    return more


def _timeline(exchange: Exchange, check: Check) -> Record:
    probes = check.probe_runs
    longest = set(sorted(range(len(probes)), key=lambda place: -probes[place].waited)[:_MOST_PROBES])
    return {
        "started_ms": _since(exchange.started, exchange.sent),
        "completed_ms": _since(exchange.completed, exchange.sent),
        "returned_ms": _since(exchange.returned, exchange.sent),
        "status": exchange.status,
        "steps": [[_since(began, exchange.sent), _since(ended, exchange.sent)] for began, ended in check.steps],
        "probes": [
            {
                "path": without_secrets(probe.path),
                "due_ms": _since(probe.due, exchange.sent),
                "waited_ms": milliseconds(probe.waited),
            }
            for place, probe in enumerate(probes)
            if place in longest
        ],
    }


def _since(moment: int | None, sent: int) -> float | None:
    return None if moment is None else milliseconds(moment - sent)


def _more_of_finding(finding: Finding, sent: int) -> Record:
    more: Record = {name: value for name in AS_THEY_ARE if (value := getattr(finding, name)) not in (None, "none")}
    if finding.waiter is not None:
        more["waiter"] = finding.waiter._asdict()
    if finding.stalls:
        stalls = finding.stalls[:_MOST_STALLS]
        more["stalls"] = [[_since(began, sent), _since(ended, sent)] for began, ended in stalls]
    if finding.parts:
        more["parts"] = [{**_frame(each.frame), "ms": milliseconds(each.blocked_ns)} for each in finding.parts]
    if finding.stack:
        more["stack"] = list(map(_frame, finding.stack))
    return more


def _frame(frame: Frame) -> Record:
    return {"file": frame.file, "line": frame.line, "function": frame.function}

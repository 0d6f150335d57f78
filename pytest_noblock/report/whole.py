"""What the JSON report says of a check beyond its record: times and stacks, from which pictures are drawn (pure).

The record is what a test attaches to itself, and what most tests send to the controller. A check that says something
travels whole; the report file has these keys of it too, so that a report can be drawn from the file alone, as
`pytest_noblock merge` does. All times are ms from when the request was sent.
"""

from collections.abc import Container
from dataclasses import replace
from typing import Any

from pytest_noblock.model.check import Check, ProbeWaits, TaskRun
from pytest_noblock.model.finding import Finding, Part
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Probe, Task
from pytest_noblock.model.shown import without_secrets
from pytest_noblock.model.units import milliseconds
from pytest_noblock.report import json_v1
from pytest_noblock.report.json_v1 import Record

_MOST_STALLS = 50
"""Of one finding."""
_MOST_PROBES = 200
"""Of one request, the longest waits: a request of 2 s has some 400 turns of the loop."""

_AS_THEY_ARE = ("evidence", "reason", "pool", "syscall", "near", "served", "role")
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
    more: Record = {name: value for name in _AS_THEY_ARE if (value := getattr(finding, name)) not in (None, "none")}
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


def _frame_of(told: Record) -> Frame:
    return Frame(told["file"], told["line"], told["function"])


def restored(check: Check, entry: Record) -> Check:
    """The check of a record, with what its entry in the file says beyond that. Its request was sent at 0."""
    return replace(
        check,
        limit=_ns(entry["limit_ms"]) if "limit_ms" in entry else check.limit,
        max_total=_ns(entry.get("max_total_ms", 0)),
        findings=tuple(map(_finding, check.findings, entry["findings"])),
        probes=tuple(map(_waits, check.probes, entry["probes"])),
        **(_from_timeline(check, entry["timeline"]) if "timeline" in entry else {}),
    )


def _waits(probe: ProbeWaits, entry: Record) -> ProbeWaits:
    return replace(probe, waited=entry.get("waited", 0))


def _finding(finding: Finding, entry: Record) -> Finding:
    more: dict[str, Any] = {name: entry[name] for name in _AS_THEY_ARE if name in entry}
    stalls = tuple((_ns(began), _ns(ended)) for began, ended in entry.get("stalls", ()))
    stack = tuple(map(_frame_of, entry.get("stack", ())))
    parts = tuple(Part(_frame_of(each), _ns(each["ms"])) for each in entry.get("parts", ()))
    return replace(finding, stalls=stalls, stack=stack, parts=parts, **more)


def _from_timeline(check: Check, told: Record) -> dict[str, Any]:
    method, _, path = check.request.partition(" ")
    started, completed, returned = (_ns_or_none(told[f"{name}_ms"]) for name in ("started", "completed", "returned"))
    exchange = Exchange(
        0,
        method,
        path,
        0,
        started,
        completed,
        returned,
        told["status"],
        route=check.route,
        endpoint=check.endpoint,
        tasks=tuple(map(_task, check.background)),
    )
    runs = tuple(_probe(each) for each in told["probes"])
    steps = tuple((_ns(began), _ns(ended)) for began, ended in told["steps"])
    return {"exchange": exchange, "exchanges": (exchange,), "probe_runs": runs, "steps": steps}


def _task(run: TaskRun) -> Task:
    began, ended = _ns_or_none(run.began_ms), _ns_or_none(run.ended_ms)
    return Task(run.name, "", run.name, run.arguments, None, began, ended, run.error, None, None)


def _probe(told: Record) -> Probe:
    due = _ns(told["due_ms"])
    return Probe(told["path"], due, due + _ns(told["waited_ms"]))


def _ns(ms: float) -> int:
    return round(ms * 1_000_000)


def _ns_or_none(ms: float | None) -> int | None:
    return None if ms is None else _ns(ms)

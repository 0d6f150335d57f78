"""Checks, read back from the JSON report: of a record, and of what the file says beyond it (pure)."""

from dataclasses import replace
from typing import Any

from pytest_noblock.model.check import Check, ProbeWaits, TaskRun
from pytest_noblock.model.finding import Almost, Finding, Part, Waiter
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.identity import identity_of
from pytest_noblock.model.observation import Exchange, Meter, Phase, Probe, Task
from pytest_noblock.model.units import nanoseconds
from pytest_noblock.report.json_v1 import Record
from pytest_noblock.report.whole import AS_THEY_ARE


def check_of(entry: Record, limit: int, meter: Meter) -> Check:
    """The check of a record, without what records leave out (stacks, stalls, exchanges). `limit`: max_block in ns."""
    return Check(
        id=entry["id"],
        request=entry["request"],
        route=entry["route"],
        endpoint=entry["endpoint"],
        outcome=entry["outcome"],
        duration=nanoseconds(entry["duration_ms"]),
        loop_ns=nanoseconds(entry["loop_ms"]),
        reason=entry["reason"],
        limit=limit,
        meter=meter,
        findings=tuple(_finding_of(each, identity_of(entry, each).route) for each in entry["findings"]),
        probes=tuple(map(_probe_of, entry["probes"])),
        background=tuple(TaskRun(**each) for each in entry["background"]),
        notes=tuple(entry["notes"][_with_reason(entry) :]),
        capacity=entry.get("capacity"),
        scarce_ns=round(1e9 / entry["per_second"]) if "per_second" in entry else 0,
        status=entry.get("status"),
        almost=tuple(map(_almost_of, entry.get("almost", ()))),
    )


def _probe_of(entry: Record) -> ProbeWaits:
    return ProbeWaits(entry["path"], entry["sent"], 0, nanoseconds(entry["worst_ms"]), nanoseconds(entry["alone_ms"]))


def _almost_of(entry: Record) -> Almost:
    place = entry["kind"], entry["file"], entry["function"], entry["code"], entry["call"]
    part, over = entry.get("part", False), entry.get("over", 0.0)
    return Almost(*place, nanoseconds(entry["ms"]), part=part, over=over)


def _with_reason(entry: Record) -> int:
    """How many of the notes are the reason itself."""
    return int(entry["outcome"] == "inconclusive" and entry["notes"][:1] == [entry["reason"]])


_OF_A_RECORD = "kind count file line function code call replacement confirmed accepted".split()
"""Keys of a finding's record that are fields of a Finding."""


def _finding_of(entry: Record, route: str) -> Finding:
    told = {name: entry[name] for name in _OF_A_RECORD if name in entry}
    waiter = {"function": "", **entry["waiter"]} if "waiter" in entry else None
    return Finding(
        **told,
        phase=Phase(entry["phase"]),
        blocked_ns=nanoseconds(entry["ms"]),
        cpu=nanoseconds(entry["cpu_ms"]),
        asleep=nanoseconds(entry["asleep_ms"]),
        evidence="none",
        waiter=None if waiter is None else Waiter(**waiter),
        route=route,
    )


def restored(check: Check, entry: Record) -> Check:
    """The check of a record, with what its entry in the file says beyond that. Its request was sent at 0."""
    return replace(
        check,
        limit=nanoseconds(entry["limit_ms"]) if "limit_ms" in entry else check.limit,
        max_total=nanoseconds(entry.get("max_total_ms", 0)),
        findings=tuple(map(_with_more, check.findings, entry["findings"])),
        probes=tuple(map(_waits, check.probes, entry["probes"])),
        **(_from_timeline(check, entry["timeline"]) if "timeline" in entry else {}),
    )


def _waits(probe: ProbeWaits, entry: Record) -> ProbeWaits:
    return replace(probe, waited=entry.get("waited", 0))


def _with_more(finding: Finding, entry: Record) -> Finding:
    more: dict[str, Any] = {name: entry[name] for name in AS_THEY_ARE if name in entry}
    stalls = tuple((nanoseconds(began), nanoseconds(ended)) for began, ended in entry.get("stalls", ()))
    stack = tuple(map(_frame_of, entry.get("stack", ())))
    parts = tuple(Part(_frame_of(each), nanoseconds(each["ms"])) for each in entry.get("parts", ()))
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
    steps = tuple((nanoseconds(began), nanoseconds(ended)) for began, ended in told["steps"])
    return {"exchange": exchange, "exchanges": (exchange,), "probe_runs": runs, "steps": steps}


def _task(run: TaskRun) -> Task:
    began, ended = _ns_or_none(run.began_ms), _ns_or_none(run.ended_ms)
    return Task(run.name, "", run.name, run.arguments, None, began, ended, run.error, None, None)


def _probe(told: Record) -> Probe:
    due = nanoseconds(told["due_ms"])
    return Probe(told["path"], due, due + nanoseconds(told["waited_ms"]))


def _ns_or_none(ms: float | None) -> int | None:
    return None if ms is None else nanoseconds(ms)


def _frame_of(told: Record) -> Frame:
    return Frame(told["file"], told["line"], told["function"])

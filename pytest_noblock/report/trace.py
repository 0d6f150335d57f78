"""A trace in the Trace Event Format, which Perfetto and speedscope open: a track for each request (pure).

Each request is a process of the trace, whose tracks are its request, its stalls with their stacks, its probes and its
background tasks. Times are microseconds from when the request was sent.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.shown import printable, without_secrets
from pytest_noblock.model.units import nanoseconds
from pytest_noblock.report.places import short
from pytest_noblock.report.wire import Run

suffix = ".trace.json"

Event = dict[str, Any]
Span = tuple[str, int, int, Mapping[str, object]]
"""Name, began and ended in ns since the request was sent, and what the viewer shows of it."""

_MOST_TRACKS = 3
"""Probes that wait at the same time need a track each; those that were due first show what the others show."""
_MOST_REQUESTS = 2000
"""A viewer takes some seconds for so many."""


def render(run: Run) -> str:
    """The whole trace."""
    drawn = [check for check in run.checks if check.exchange is not None][:_MOST_REQUESTS]
    events = [event for number, check in enumerate(drawn, 1) for event in _process(number, check)]
    trace = {"displayTimeUnit": "ms", "otherData": dict(run.environment), "traceEvents": events}
    return json.dumps(trace, separators=(",", ":")) + "\n"


def _process(number: int, check: Check) -> Iterator[Event]:
    yield _named("process_name", number, 0, f"{check.request} ({check.outcome}) in {check.id}")
    yield _sorted("process_sort_index", number, 0, number)
    for thread, (track, spans) in enumerate(_tracks(check), 1):
        yield _named("thread_name", number, thread, track)
        yield _sorted("thread_sort_index", number, thread, thread)
        for name, began, ended, shown in spans:
            event = {
                "name": printable(name),
                "cat": "noblock",
                "ph": "X",
                "pid": number,
                "tid": thread,
                "ts": max(0, began) / 1000,
                "dur": max(0, ended - began) / 1000,
            }
            yield {**event, "args": shown} if shown else event


def _named(what: str, process: int, thread: int, name: str) -> Event:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "ts": 0, "args": {"name": printable(name)}}


def _sorted(what: str, process: int, thread: int, place: int) -> Event:
    return {"name": what, "ph": "M", "pid": process, "tid": thread, "ts": 0, "args": {"sort_index": place}}


def _tracks(check: Check) -> Iterator[tuple[str, Sequence[Span]]]:
    """Each track with spans that lie beside each other or within each other: no viewer shows two that cross."""
    yield "request", list(_request(check))
    for name, spans in (
        ("event loop held", _stalls(check)),
        ("steps on the event loop", _steps(check)),
        ("background tasks", _tasks(check)),
        *((f"probes of {without_secrets(path)}", _probes(check, path)) for path in _paths(check)),
    ):
        for place, track in enumerate(_apart(spans)[:_MOST_TRACKS]):
            yield (name if place == 0 else f"{name} ({place + 1})"), [span for whole in track for span in whole]


def _request(check: Check) -> Iterator[Span]:
    exchange = check.exchange
    if exchange is None:
        return
    moments = [exchange.started, exchange.completed, exchange.returned]
    last = max(moment for moment in (exchange.sent, *moments) if moment is not None)
    shown = {"status": exchange.status, "route": check.route, "endpoint": check.endpoint, "outcome": check.outcome}
    yield check.request, 0, last - exchange.sent, shown
    began = 0
    for name, moment in (
        ("until the response starts", exchange.started),
        ("response", exchange.completed),
        ("after the response", exchange.returned),
    ):
        if moment is not None:
            yield name, began, max(began, moment - exchange.sent), {}
            began = max(began, moment - exchange.sent)


def _steps(check: Check) -> list[list[Span]]:
    sent = check.exchange.sent if check.exchange is not None else 0
    return [[("step", began - sent, ended - sent, {})] for began, ended in check.steps]


def _stalls(check: Check) -> list[list[Span]]:
    sent = check.exchange.sent if check.exchange is not None else 0
    found = [
        (began - sent, ended - sent, finding)
        for finding in check.findings
        for began, ended in finding.stalls
        if ended >= began
    ]
    found.sort(key=lambda each: each[:2])
    return [list(_stall(*each)) for each in found]


def _stall(began: int, ended: int, finding: Finding) -> Iterator[Span]:
    """The stall, and within it the calls of its stack: a flame graph of it."""
    shown = {"kind": finding.kind, "phase": str(finding.phase), "by": printable(finding.by), "code": finding.code}
    yield f"{finding.kind} {finding.place}", began, ended, shown
    for frame in reversed(finding.stack):
        yield f"{frame.function} ({short(frame.file)}:{frame.line})", began, ended, {}


def _tasks(check: Check) -> list[list[Span]]:
    return [
        [(task.name, nanoseconds(task.began_ms), nanoseconds(task.ended_ms), {"error": task.error})]
        for task in check.background
        if task.began_ms is not None and task.ended_ms is not None
    ]


def _paths(check: Check) -> list[str]:
    return list(dict.fromkeys(probe.path for probe in check.probe_runs))


def _probes(check: Check, path: str) -> list[list[Span]]:
    sent = check.exchange.sent if check.exchange is not None else 0
    name = without_secrets(path)
    return [
        [(f"{name} waits", probe.due - sent, probe.answered - sent, {})]
        for probe in check.probe_runs
        if probe.path == path
    ]


def _apart(spans: Sequence[list[Span]]) -> list[list[list[Span]]]:
    """The spans on as few tracks as hold them without two that cross."""
    tracks: list[list[list[Span]]] = []
    for span in sorted(spans, key=lambda each: each[0][1:3]):
        free = next((track for track in tracks if track[-1][0][2] <= span[0][1]), None)
        if free is None:
            tracks.append([span])
        else:
            free.append(span)
    return tracks

"""SARIF 2.1.0, which code scanning reads: a rule for each kind, one result for each identity of a finding (pure).

A result names its line by `partialFingerprints`, which no line number and no time is part of: without them the reader
makes its own of the source, or tells the same finding anew in each run.
"""

import json
from collections.abc import Iterable
from typing import Any

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.kinds import KINDS, Kind, is_background
from pytest_noblock.model.shown import printable
from pytest_noblock.report.finding_rows import finding_rows
from pytest_noblock.report.grouped import Entry, by_identity
from pytest_noblock.report.places import file_of, is_absolute, short, uri
from pytest_noblock.report.wire import Environment, Run

suffix = ".sarif"

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_MOST_RESULTS = 5000
"""GitHub keeps so many of a run, and refuses a file of more than 25,000."""
_MOST_RELATED = 20
_MOST_FRAMES = 100
_FINGERPRINT = "noblock/v1"
_OF_GITHUB = "primaryLocationLineHash"
"""The one that GitHub reads; where a file has none, its action makes one of the source around the line."""
_ROOT = "%SRCROOT%"
"""The base that all readers know as the top of the repository."""

Json = dict[str, Any]


def render(run: Run) -> str:
    """The whole log, of one run."""
    entries = by_identity(run.checks)[:_MOST_RESULTS]
    kinds = list(KINDS)
    log: Json = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(run.environment, kinds)},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _unmeasured(run.checks)}],
                "results": [_result(entry, kinds, run.environment) for entry in entries],
            }
        ],
    }
    return json.dumps(log, indent=2) + "\n"


def _driver(environment: Environment, kinds: list[Kind]) -> Json:
    driver: Json = {"name": "pytest-noblock", "rules": [_rule(kind) for kind in kinds]}
    version = environment.get("version")
    return {**driver, "version": version} if version else driver


def _rule(kind: Kind) -> Json:
    row = KINDS[kind]
    first, _, _ = row.help.partition(". ")
    text = f"{row.help} {_RED_ALWAYS if row.always else _RED_FROM_LIMIT}"
    return {
        "id": kind,
        "name": "".join(word.capitalize() for word in kind.split("-")),
        "shortDescription": {"text": f"{first.rstrip('.')}."},
        "fullDescription": {"text": row.help},
        "help": {"text": text, "markdown": f"**{kind}**\n\n{text}"},
        "defaultConfiguration": {"level": "error"},
        "properties": {
            "tags": ["asgi", "background-tasks" if is_background(kind) else "event-loop"],
            "problem.severity": "error",
            "precision": "very-high",
        },
    }


_RED_ALWAYS = "It fails the test however short it is."
_RED_FROM_LIMIT = "It fails the test from the limit on (`max_block`)."


def _result(entry: Entry, kinds: list[Kind], environment: Environment) -> Json:
    finding = entry.finding
    result: Json = {
        "ruleId": finding.kind,
        "ruleIndex": kinds.index(finding.kind),
        "level": "error" if entry.accepted is None else "note",
        "message": {"text": _message(entry)},
        "locations": [_location(entry.check, finding, environment)],
        "partialFingerprints": _fingerprints(finding),
        "occurrenceCount": len(entry.all),
        "properties": {"route": printable(finding.route), "tests": [printable(test) for test in entry.tests[:20]]},
    }
    related = list(_related(entry, environment))
    if related:
        result["relatedLocations"] = [{"id": number, **each} for number, each in enumerate(related, 1)]
    if finding.stack:
        result["codeFlows"] = [_code_flow(entry, environment)]
    if entry.accepted is not None:
        result["suppressions"] = [{"kind": "external", "justification": printable(entry.accepted)}]
    return result


def _fingerprints(finding: Finding) -> Json:
    whole = finding.identity.fingerprint
    return {_FINGERPRINT: whole, _OF_GITHUB: f"{whole[:16]}:1"}


def _message(entry: Entry) -> str:
    """The headline, and below it what the terminal says."""
    rows = finding_rows(entry.check, entry.finding)
    told = [f"{name}: {text}" for name, text in rows if name in ("why", "harm", "instead")]
    return "\n".join(map(printable, [f"{entry.headline}.", *told]))


def _location(check: Check, finding: Finding, environment: Environment) -> Json:
    physical = _physical(file_of(check, finding), finding.line if finding.file else None, environment)
    if finding.file and finding.code:
        physical["region"]["snippet"] = {"text": printable(finding.code)}
    if not finding.function:
        return {"physicalLocation": physical}
    return {
        "physicalLocation": physical,
        "logicalLocations": [{"name": printable(finding.function), "kind": "function"}],
    }


def _physical(file: str, line: int | None, environment: Environment) -> Json:
    place = uri(file, environment)
    artifact = {"uri": place} if is_absolute(file) else {"uri": place, "uriBaseId": _ROOT}
    return {"artifactLocation": artifact, "region": {"startLine": line or 1}}


def _related(entry: Entry, environment: Environment) -> Iterable[Json]:
    """Where a probe waited, and the other lines of the same function that do the same."""
    waiter = entry.finding.waiter
    if waiter is not None:
        text = f"here {waiter.function} waited for it" if waiter.function else "here a probe waited for it"
        yield {
            "message": {"text": printable(text)},
            "physicalLocation": _physical(waiter.file, waiter.line, environment),
        }
    told = {entry.finding.line}
    for seen in entry.all:
        line = seen.finding.line
        if line not in told and len(told) <= _MOST_RELATED:
            told.add(line)
            physical = _physical(file_of(seen.check, seen.finding), line, environment)
            yield {"message": {"text": "the same, here"}, "physicalLocation": physical}


def _code_flow(entry: Entry, environment: Environment) -> Json:
    """How the program came to the line: the outermost call first."""
    frames = entry.finding.stack[:_MOST_FRAMES][::-1]
    locations = [
        {
            "location": {
                "message": {"text": printable(f"{each.function} in {short(each.file)}")},
                "physicalLocation": _physical(_project_or_library(each.file), each.line, environment),
            },
            "nestingLevel": level,
            "importance": "essential" if each.file == entry.finding.file else "unimportant",
        }
        for level, each in enumerate(frames)
    ]
    return {"threadFlows": [{"locations": locations}]}


def _project_or_library(file: str) -> str:
    """Without the folder in which libraries are installed: it differs from machine to machine."""
    return short(file) if is_absolute(file) else file


def _unmeasured(checks: Iterable[Check]) -> list[Json]:
    """What was not measured is no result, and not silent either."""
    said = {
        f"{check.request}: {check.reason}": None
        for check in checks
        if check.outcome in ("inconclusive", "not-exercised") and check.reason
    }
    return [{"level": "warning", "message": {"text": printable(each)}} for each in list(said)[:_MOST_RESULTS]]

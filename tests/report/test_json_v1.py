"""The JSON report: the record of a check."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_noblock.model.check import Check, ProbeWaits, TaskRun
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.observation import Phase
from pytest_noblock.report import json_v1 as module
from pytest_noblock.report.json_v1 import document, record, render, to_json
from pytest_noblock.report.uneventful import UneventfulTexts
from pytest_noblock.report.whole import whole
from pytest_noblock.report.wire import Run

MS = 1_000_000
SCHEMA = json.loads(Path(module.__file__).with_name("schema.json").read_text())
ENVIRONMENT = {"python": "3.12.1", "platform": "linux", "meter": "full", "loop": "asyncio"}
FINDING = Finding(
    kind="sync-network",
    phase=Phase.HANDLER,
    blocked_ns=301_200_000,
    cpu=2_100_000,
    asleep=299 * MS,
    count=1,
    file="app/main.py",
    line=44,
    function="report",
    code="rates = requests.get(URL).json()",
    call="requests.get",
    replacement="httpx.AsyncClient().get",
    confirmed=True,
    evidence="line counters",
)
CHECK = Check(
    id="tests/test_api.py::test_report",
    request="GET /report",
    route="/report",
    endpoint="app.main.report",
    outcome="failed",
    duration=312 * MS,
    loop_ns=303 * MS,
    limit=50 * MS,
    meter="full",
    findings=(FINDING,),
    probes=(ProbeWaits("/health", sent=60, waited=58, worst=296 * MS, alone=1_100_000),),
    background=(TaskRun("write_log", 3.0, 3.2, 8.0, None),),
)


def test_the_record_of_a_check_is_the_one_of_the_design():
    assert record(CHECK) == {
        "id": "tests/test_api.py::test_report",
        "request": "GET /report",
        "route": "/report",
        "endpoint": "app.main.report",
        "outcome": "failed",
        "reason": None,
        "duration_ms": 312.0,
        "loop_ms": 303.0,
        "findings": [
            {
                "kind": "sync-network",
                "phase": "handler",
                "ms": 301.2,
                "cpu_ms": 2.1,
                "asleep_ms": 299.0,
                "count": 1,
                "file": "app/main.py",
                "line": 44,
                "function": "report",
                "code": "rates = requests.get(URL).json()",
                "call": "requests.get",
                "replacement": "httpx.AsyncClient().get",
                "confirmed": True,
            }
        ],
        "probes": [{"path": "/health", "sent": 60, "worst_ms": 296.0, "alone_ms": 1.1}],
        "background": [
            {"name": "write_log", "response_complete_ms": 3.0, "began_ms": 3.2, "ended_ms": 8.0, "error": None}
        ],
        "notes": [],
    }


INCONCLUSIVE = Check("t", "GET /", None, None, "inconclusive", 0, 50 * MS, "portable", notes=("a note",), reason="why")


def test_the_reason_is_the_first_note():
    assert record(INCONCLUSIVE)["notes"] == ["why", "a note"]


def accepted(check):
    return replace(check, outcome="accepted", findings=(replace(FINDING, accepted="legacy"),))


def test_an_accepted_finding_carries_its_reason():
    assert record(accepted(CHECK))["findings"][0]["accepted"] == "legacy"


@pytest.mark.parametrize("checks", [[], [CHECK], [CHECK, INCONCLUSIVE], [accepted(CHECK)]])
def test_every_document_fits_the_schema_and_is_json(jsonschema, checks):
    text = json.dumps(document(ENVIRONMENT, [record(check) for check in checks]))
    jsonschema.validate(json.loads(text), SCHEMA, cls=jsonschema.Draft202012Validator)
    assert json.loads(text)["schema_version"] == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda doc: doc.update(schema_version=2),
        lambda doc: doc.pop("environment"),
        lambda doc: doc["checks"][0].update(outcome="maybe"),
        lambda doc: doc["checks"][0]["findings"][0].update(kind="No id"),
        lambda doc: doc["checks"][0]["findings"][0].pop("line"),
        lambda doc: doc["checks"][0].pop("probes"),
        lambda doc: doc["checks"][0]["findings"][0].update(ms="301"),
    ],
    ids="version environment outcome kind line probes type".split(),
)
def test_the_schema_refuses_what_the_design_does_not_know(jsonschema, spoil):
    spoiled = json.loads(json.dumps(document(ENVIRONMENT, [record(CHECK)])))
    spoil(spoiled)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spoiled, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("route", "endpoint"), [("/ü/{name}", 'app."main".show'), (None, None)])
def test_the_text_of_an_uneventful_request_is_that_of_its_record(route, endpoint):
    texts = UneventfulTexts()
    for id, path, duration in (("tests/test_api.py::test_it[ü]", '/ü/"1"', 1_234_567), ("test_other", "/", 0)):
        check = Check(id, f"GET {path}", route, endpoint, "passed", duration, limit=50 * MS, meter="full")
        assert texts.text(id, f"GET {path}", route, endpoint, duration) == to_json(record(check))


def test_the_whole_report_is_rendered_from_the_run():
    text = render(Run(ENVIRONMENT, (CHECK, INCONCLUSIVE)))
    assert text.endswith("}\n")
    route = {"method": "GET", "path": "/report", "requests": 1, "outcome": "failed", "reason": None}
    routes = [{**route, "worst_ms": 301.2, "loop_ms": 303.0}]
    assert json.loads(text) == document(ENVIRONMENT, [whole(CHECK), whole(INCONCLUSIVE)], routes)

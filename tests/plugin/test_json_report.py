"""`--noblock-report=FILE.json`: what programs read, the same from one process or several."""

import json
from pathlib import Path

import jsonschema
import pytest

import pytest_noblock
from pytest_noblock import Check
from pytest_noblock.report import formats

SCHEMA = json.loads(Path(pytest_noblock.__file__).with_name("report").joinpath("schema.json").read_text())
TESTS = """
    def test_awaits(noblock):
        noblock.get("/awaits")

    def test_blocks(noblock):
        noblock.get("/blocks", probe="/health")

    def test_nowhere(noblock):
        noblock.get("/nowhere")

    def test_several(noblock):
        noblock.check("GET", "/awaits")
        noblock.check("GET", "/health")

    def test_none(noblock):
        pass
"""


@pytest.fixture
def reported(run, shop):
    """The JSON report of a run; every one of them must fit the schema."""

    def reported(tests: str, *options: str) -> dict:
        run(tests, "--noblock-report=report.json", *options)
        document = json.loads(shop.path.joinpath("report.json").read_text())
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
        return document

    return reported


@pytest.mark.one_python
def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_report_tells_every_check(reported):
    document = reported(TESTS)
    assert document["schema_version"] == 1
    assert document["environment"].keys() >= {"python", "platform", "meter", "loop"}
    assert [(check["id"].partition("::")[2], check["request"], check["outcome"]) for check in document["checks"]] == [
        ("test_awaits", "GET /awaits", "passed"),
        ("test_blocks", "GET /blocks", "failed"),
        ("test_nowhere", "GET /nowhere", "inconclusive"),
        ("test_several", "GET /awaits", "passed"),
        ("test_several", "GET /health", "passed"),
    ]


@pytest.mark.one_python
def test_a_finding_carries_all_that_the_terminal_said(reported):
    check = reported(TESTS)["checks"][1]
    assert (check["route"], check["endpoint"]) == ("/blocks", "shop.blocks")
    (finding,) = check["findings"]
    assert (
        finding.items()
        >= {
            "kind": "sync-io",
            "phase": "handler",
            "count": 1,
            "file": "shop.py",
            "line": 17,
            "function": "blocks",
            "code": "time.sleep(0.08)",
            "call": "time.sleep",
            "confirmed": True,
        }.items()
    )
    assert 55 < finding["ms"] < 200
    assert finding["asleep_ms"] > 50 > 2 * finding["cpu_ms"]
    assert "accepted" not in finding
    assert {probe["path"] for probe in check["probes"]} == {"the event loop", "the thread pool", "/health"}


@pytest.mark.one_python
def test_what_kept_a_request_from_being_measured_is_a_note(reported):
    (check,) = [each for each in reported(TESTS)["checks"] if each["outcome"] == "inconclusive"]
    assert check["notes"][0].startswith("GET /nowhere matched no route of the app (status 404)")


@pytest.mark.one_python
def test_a_warning_is_an_accepted_finding(reported):
    tests = "def test_blocks(noblock): noblock.get('/blocks')"
    (check,) = reported(tests, "--noblock-action=warn", "-W", "always:GET:UserWarning")["checks"]
    assert check["outcome"] == "accepted"
    assert check["findings"][0]["accepted"] == "action=warn"


def without_times(document: dict) -> list[tuple]:
    return [
        (check["id"], check["request"], check["outcome"], [(each["kind"], each["line"]) for each in check["findings"]])
        for check in document["checks"]
    ]


@pytest.mark.one_python
def test_two_workers_write_one_report_and_the_same(reported):
    pytest.importorskip("xdist")
    assert without_times(reported(TESTS, "-n2")) == without_times(reported(TESTS, "-p", "no:xdist"))


@pytest.mark.one_python
def test_the_order_of_the_tests_changes_nothing_in_the_report(reported, shop):
    first = reported(TESTS)
    shop.makeconftest("def pytest_collection_modifyitems(items):\n    items.reverse()")
    assert without_times(first) == without_times(reported(TESTS))


@pytest.mark.one_python
def test_a_test_that_is_run_again_is_reported_once(reported):
    pytest.importorskip("pytest_rerunfailures")
    document = reported("def test_blocks(noblock): noblock.get('/blocks')", "-p", "rerunfailures", "--reruns=1")
    assert len(document["checks"]) == 1


@pytest.mark.one_python
def test_a_worker_that_crashes_takes_only_its_own_tests(reported):
    pytest.importorskip("xdist")
    document = reported(
        """
        import os

        def test_awaits(noblock):
            noblock.get("/awaits")

        def test_crashes(noblock):
            os._exit(1)

        def test_health(noblock):
            noblock.get("/health")
    """,
        "-n2",
    )
    assert [check["request"] for check in document["checks"]] == ["GET /awaits", "GET /health"]


@pytest.mark.one_python
def test_a_check_whose_test_fails_by_itself_is_reported_too(reported):
    (check,) = reported("def test_it(noblock):\n    noblock.get('/awaits')\n    assert False")["checks"]
    assert check["outcome"] == "passed"


@pytest.mark.one_python
def test_a_run_without_any_check_leaves_an_empty_report(reported):
    assert reported("def test_it(): pass")["checks"] == []


@pytest.mark.one_python
def test_several_reports_can_be_asked_for(run, shop):
    run(TESTS, "--noblock-report=one.json", "--noblock-report=two.json")
    assert shop.path.joinpath("one.json").read_text() == shop.path.joinpath("two.json").read_text()


@pytest.mark.one_python
def test_an_absolute_path_and_the_ini_name_reports_as_well(run, shop, tmp_path_factory):
    file = tmp_path_factory.mktemp("away") / "report.json"
    shop.makeini(f"[pytest]\nnoblock_report = {file}")
    run("def test_it(noblock): noblock.get('/awaits')")
    assert len(json.loads(file.read_text())["checks"]) == 1


@pytest.mark.one_python
def test_junit_carries_the_record_of_each_check(run, shop):
    run("def test_blocks(noblock): noblock.get('/blocks')", "--junitxml=junit.xml")
    xml = shop.path.joinpath("junit.xml").read_text()
    assert '<property name="noblock' in xml
    assert "GET /blocks" in xml
    assert "sync-io" in xml


@pytest.fixture
def whole(run, monkeypatch):
    """The whole checks that a writer is given, by request; and the XML for JUnit."""

    def whole(tests: str, *options: str) -> dict[str, Check]:
        runs = []
        monkeypatch.setattr(formats, "write", lambda file, run: runs.append(run))
        run(tests, "--noblock-report=report.json", "--junitxml=junit.xml", *options)
        return {check.request: check for check in runs[0].checks}

    return whole


@pytest.mark.one_python
@pytest.mark.parametrize("options", [["-p", "no:xdist"], ["-n2"]], ids=["one-process", "xdist"])
def test_a_writer_is_given_whole_checks(whole, shop, options):
    if "-n2" in options:
        pytest.importorskip("xdist")
    checks = whole(TESTS, *options)
    assert set(checks) == {"GET /awaits", "GET /blocks", "GET /nowhere", "GET /health"}
    (finding,) = checks["GET /blocks"].findings
    assert finding.stack[0][:3] == ("shop.py", 17, "blocks")
    assert finding.readings.wall >= finding.blocked_ns
    assert finding.route == "GET /blocks"
    assert (checks["GET /blocks"].exchange.status, checks["GET /blocks"].limit) == (200, 50_000_000)
    assert checks["GET /awaits"].probe_runs
    assert checks["GET /nowhere"].reason.startswith("GET /nowhere matched no route")
    assert "probe_runs" not in shop.path.joinpath("junit.xml").read_text()  # it has the records alone


@pytest.mark.one_python
@pytest.mark.parametrize("options", [["-p", "no:xdist"], ["-n2"]], ids=["one-process", "xdist"])
def test_an_uneventful_request_needs_no_more_than_its_record(whole, options):
    if "-n2" in options:
        pytest.importorskip("xdist")
    tests = """
        from fastapi.testclient import TestClient
        from shop import app

        def test_it():
            TestClient(app).get("/health")
    """
    (check,) = whole(tests, "--noblock", "--noblock-max-block=30s", *options).values()
    assert (check.outcome, check.limit, check.route, check.endpoint) == (
        "passed",
        30_000_000_000,
        "/health",
        "shop.health",
    )

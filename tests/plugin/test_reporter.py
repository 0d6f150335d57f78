"""From what the tests attached to the files and the terminal; with reports, session and terminal of straw."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_noblock.model.check import Check
from pytest_noblock.plugin.attached import Carrier, attach, attach_unused, forget
from pytest_noblock.plugin.attached import replace as replace_record
from pytest_noblock.plugin.reporter import Reporter
from pytest_noblock.report import formats
from pytest_noblock.report.growing import GrowingReport
from pytest_noblock.report.json_v1 import record, to_json
from tests.report.golden_checks import CHECKS, PASSED

ENVIRONMENT = {"python": "3.12.1", "platform": "linux", "meter": "full", "loop": "asyncio"}


class Terminal:
    """Lines, a section's title in `[]`; what is red begins with `!`."""

    def __init__(self):
        self.lines = []

    def section(self, title):
        self.lines.append(f"[{title}]")

    def line(self, text, *, red=False):
        self.lines.append(f"!{text}" if red else text)


def an_item(*properties):
    return SimpleNamespace(user_properties=list(properties))


def text_of(request):
    """What a passed check attaches."""
    return to_json(record(Check("t", request, "/", "app.home", "passed", 3_000_000, 50_000_000, "full")))


def report_of(test, *requests, unused=(), when="teardown", others=()):
    """The report of a phase of a test that made these requests."""
    item = an_item(*others)
    for request in requests:
        attach(item, text_of(request))
    attach_unused(item, list(unused))
    return SimpleNamespace(nodeid=test, when=when, passed=True, outcome="passed", user_properties=item.user_properties)


def a_session(exitstatus=pytest.ExitCode.OK, **options):
    option = SimpleNamespace(**{"collectonly": False, "setuponly": False, "setupplan": False, **options})
    config = SimpleNamespace(option=option)
    return SimpleNamespace(config=config, exitstatus=exitstatus, shouldstop=False, shouldfail=False)


def environment(loops):
    return {**ENVIRONMENT, "loop": ",".join(sorted(set(loops))) or "none"}


def a_reporter(*files, must_watch=False, debug=False):
    return Reporter([Path(file) for file in files], environment, limit=50_000_000, must_watch=must_watch, debug=debug)


def finished(*reports, files=(), must_watch=False, exitstatus=pytest.ExitCode.OK, **options):
    """A whole run: its exit status, and what the terminal shows."""
    reporter = a_reporter(*files, must_watch=must_watch)
    for report in reports:
        reporter.pytest_runtest_logreport(report)
    session, terminal = a_session(exitstatus, **options), Terminal()
    reporter.pytest_sessionfinish(session, exitstatus)
    reporter.pytest_terminal_summary(terminal)
    return session.exitstatus, terminal.lines


def written(file, *reports):
    finished(*reports, files=[file])
    return json.loads(file.read_text(encoding="utf-8"))


def requests_of(document):
    return [check["request"] for check in document["checks"]]


def test_a_run_is_summed_up():
    status, lines = finished(report_of("a", "GET /1", "GET /2"), report_of("b", "GET /3"))
    assert (status, lines) == (pytest.ExitCode.OK, ["[noblock]", "3 requests watched in 2 tests"])


def test_a_run_that_made_no_request_is_not_spoken_to():
    assert finished(report_of("a")) == (pytest.ExitCode.OK, [])


def test_only_the_last_phase_counts_for_it_carries_what_the_others_did(tmp_path):
    phases = [report_of("a", "GET /1", when=when) for when in ("setup", "call", "teardown")]
    assert requests_of(written(tmp_path / "r.json", *phases)) == ["GET /1"]
    finished(*phases[:2], files=[tmp_path / "other.json"])
    assert not (tmp_path / "other.json").exists()  # of no test that came to its end


def test_the_report_is_sorted_by_test_and_keeps_the_order_within(tmp_path):
    """xdist's workers end in any order."""
    reports = [report_of("b", "GET /2", "GET /1"), report_of("a", "GET /4", "GET /3")]
    document = written(tmp_path / "r.json", *reports)
    assert requests_of(document) == ["GET /4", "GET /3", "GET /2", "GET /1"]
    assert document == written(tmp_path / "r.json", *reversed(reports))
    assert document["environment"] == {**ENVIRONMENT, "loop": "none"}


def test_a_test_that_was_run_again_is_told_as_the_last_time(tmp_path):
    assert requests_of(written(tmp_path / "r.json", report_of("a", "GET /1"), report_of("a", "GET /2"))) == ["GET /2"]


def test_properties_of_others_are_left_alone_and_not_read(tmp_path):
    others = [("noblock-like", "{"), ("other", 1)]
    report = report_of("a", "GET /1", others=others)
    report.user_properties = [list(each) for each in report.user_properties]  # as a report read from JSON has them
    assert requests_of(written(tmp_path / "r.json", report)) == ["GET /1"]


def test_what_a_test_attached_can_be_forgotten():
    item = an_item(("other", 1))
    attach(item, text_of("GET /1"))
    attach_unused(item, ["legacy"])
    assert len(item.user_properties) == 3
    forget(item)
    assert item.user_properties == [("other", 1)]


def test_an_unused_allowance_travels_with_the_report():
    _status, lines = finished(report_of("a", "GET /1", unused=["legacy"]))
    assert lines[-1] == 'noblock_allow("legacy") matched nothing in a'


def test_names_that_json_must_quote_are_kept(tmp_path):
    test = 'test_ü["\\n"]'
    assert requests_of(written(tmp_path / "r.json", report_of(test, 'GET /"ü"'))) == ['GET /"ü"']


@pytest.mark.parametrize(
    ("reports", "must_watch", "before", "options", "status"),
    [
        ([], True, pytest.ExitCode.OK, {}, pytest.ExitCode.NO_TESTS_COLLECTED),
        ([report_of("a")], True, pytest.ExitCode.OK, {}, pytest.ExitCode.NO_TESTS_COLLECTED),
        ([report_of("a")], True, pytest.ExitCode.TESTS_FAILED, {}, pytest.ExitCode.TESTS_FAILED),
        ([report_of("a", "GET /1")], True, pytest.ExitCode.OK, {}, pytest.ExitCode.OK),
        ([report_of("a")], False, pytest.ExitCode.OK, {}, pytest.ExitCode.OK),
        ([], True, pytest.ExitCode.OK, {"collectonly": True}, pytest.ExitCode.OK),
        ([], True, pytest.ExitCode.OK, {"setuponly": True}, pytest.ExitCode.OK),
        ([], True, pytest.ExitCode.OK, {"setupplan": True}, pytest.ExitCode.OK),
    ],
    ids="nothing no-request red-already watched not-asked collect-only setup-only setup-plan".split(),
)
def test_green_with_nothing_watched_is_no_pass(reports, must_watch, before, options, status):
    assert finished(*reports, must_watch=must_watch, exitstatus=before, **options)[0] == status


def test_nothing_watched_is_told():
    _status, lines = finished(must_watch=True)
    assert lines == ["[noblock]", "!no request was watched: --noblock asserted nothing"]


def test_every_file_is_written_the_same_and_its_folder_made(tmp_path):
    files = [tmp_path / "one.json", tmp_path / "new" / "folder" / "two.json"]
    assert finished(report_of("a", "GET /1"), files=files)[0] == pytest.ExitCode.OK
    one, two = (file.read_text(encoding="utf-8") for file in files)
    assert one == two
    assert one.startswith('{\n  "schema_version": 1,\n')
    assert one.endswith("}\n")


def test_without_a_file_the_environment_is_not_asked_for():
    """It may take a self-check of the meter."""
    reporter = Reporter([], lambda loops: pytest.fail("asked"), limit=0, must_watch=False)
    reporter.pytest_runtest_logreport(report_of("a", "GET /1"))
    reporter.pytest_sessionfinish(a_session(), 0)


@pytest.mark.parametrize("reports", [[report_of("b")], [report_of("a", "GET /1")]], ids=["nothing", "watched"])
def test_a_file_that_cannot_be_written_is_red_and_told(tmp_path, reports):
    (tmp_path / "file").write_text("in the way")
    status, lines = finished(*reports, files=[tmp_path / "file" / "r.json"])
    assert status == pytest.ExitCode.TESTS_FAILED
    assert lines[0] == "[noblock]"
    assert lines[1].startswith(f"!the report {tmp_path}/file/r.json cannot be written: ")
    assert lines[2:] == (["[noblock]", "1 request watched in 1 test"] if reports[0].nodeid == "a" else [])


RED = replace(CHECKS["sync-network"], id="a", loop="trio")
EVENTFUL = replace(PASSED, id="a", loop="uvloop, asyncio")


def carried_of(*checks, when="teardown"):
    """The report of a test whose checks the Carrier sent; a text stands for an uneventful request."""
    carrier, item = Carrier(), an_item()
    item.nodeid = "a"
    for check in checks:
        if isinstance(check, str):
            attach(item, text_of(check))
        else:
            carrier.add(item, attach(item, to_json(record(check))), check)
    report = SimpleNamespace(nodeid="a", when=when, passed=True, outcome="passed", user_properties=item.user_properties)
    hook = carrier.pytest_runtest_makereport(item, SimpleNamespace(when=when))
    next(hook)
    with pytest.raises(StopIteration):
        hook.send(report)
    return report


def run_of(monkeypatch, *reports):
    """What a writer is given."""
    runs = []
    monkeypatch.setattr(GrowingReport, "add", lambda self, records, environment: None)
    monkeypatch.setattr(formats, "write", lambda file, run: runs.append(run))
    finished(*reports, files=["r.json"])
    return runs[0]


def test_whole_checks_are_what_was_carried_and_the_others_are_their_records(monkeypatch):
    run = run_of(monkeypatch, carried_of("GET /1", RED, "GET /2", EVENTFUL))
    assert run.checks[1::2] == (RED, EVENTFUL)
    assert [(check.request, check.outcome, check.limit) for check in run.checks[::2]] == [
        ("GET /1", "passed", 50_000_000),
        ("GET /2", "passed", 50_000_000),
    ]
    assert run.environment["loop"] == "asyncio,trio,uvloop"


def test_as_xdist_and_report_logs_send_it(monkeypatch):
    report = carried_of(RED, "GET /1")
    report.noblock_carried = json.loads(json.dumps(report.noblock_carried))
    run = run_of(monkeypatch, report)
    assert run.checks[0] == RED
    assert run.environment["loop"] == "trio"


def test_a_check_that_was_not_carried_is_told_by_its_record(tmp_path):
    """Another plugin made the report anew."""
    report = carried_of(RED)
    del report.noblock_carried
    (check,) = written(tmp_path / "r.json", report)["checks"]
    assert check == {**json.loads(to_json(record(RED))), "limit_ms": 50.0, "test": "passed"}


def test_a_record_can_be_replaced_where_it_stands():
    item = an_item(("other", 1))
    first = attach(item, text_of("GET /1"))
    attach(item, text_of("GET /2"))
    item.user_properties.append(("other", 2))
    new = replace_record(item, first, text_of("GET /3"))
    assert item.user_properties[1] is new
    assert [json.loads(text)["request"] for name, text in item.user_properties if name == "noblock"] == [
        "GET /3",
        "GET /2",
    ]
    item.user_properties.clear()
    assert replace_record(item, new, text_of("GET /4")) is new
    assert item.user_properties == []


def test_one_file_that_cannot_be_written_keeps_no_other_from_being(tmp_path):
    (tmp_path / "file").write_text("in the way")
    files = [tmp_path / "file" / "r.json", tmp_path / "two.json", tmp_path / "file" / "s.json"]
    status, lines = finished(report_of("a", "GET /1"), files=files)
    assert status == pytest.ExitCode.TESTS_FAILED
    assert [line.partition(" cannot")[0] for line in lines[1:3]] == [
        f"!the report {files[0]}",
        f"!the report {files[2]}",
    ]
    assert requests_of(json.loads(files[1].read_text(encoding="utf-8"))) == ["GET /1"]


def test_the_notes_are_shown_to_who_debugs():
    reporter = a_reporter(debug=True)
    reporter.pytest_runtest_logreport(carried_of(EVENTFUL))
    reporter.pytest_sessionfinish(a_session(), 0)
    terminal = Terminal()
    reporter.pytest_terminal_summary(terminal)
    assert terminal.lines[2:] == ["notes on GET /report in a", f"  {EVENTFUL.notes[0]}"]


INTERRUPTED, NOTHING = pytest.ExitCode.INTERRUPTED, pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize(
    ("reports", "status", "options", "told"),
    [
        ([], pytest.ExitCode.OK, {"collectonly": True}, False),
        ([report_of("a")], pytest.ExitCode.OK, {"setuponly": True}, False),
        ([], pytest.ExitCode.OK, {}, False),  # --fixtures
        ([], pytest.ExitCode.USAGE_ERROR, {}, False),
        ([], NOTHING, {}, True),
        ([report_of("a")], INTERRUPTED, {}, True),
    ],
    ids="collect-only setup-only fixtures usage nothing interrupted".split(),
)
def test_a_run_that_measured_nothing_leaves_the_last_report(tmp_path, reports, status, options, told):
    file = tmp_path / "r.json"
    file.write_text("the last")
    after, lines = finished(*reports, files=[file], exitstatus=status, **options)
    assert (file.read_text(), after) == ("the last", status)
    assert lines == (["[noblock]", f"nothing was measured: the report {file} stays as it was"] if told else [])


def test_where_there_is_no_last_report_none_is_said_to_stay(tmp_path):
    file = tmp_path / "r.json"
    after, lines = finished(report_of("a"), files=[file], exitstatus=INTERRUPTED)
    assert after == INTERRUPTED
    assert not file.exists()
    assert lines == ["[noblock]", f"nothing was measured: no report {file} is written"]


def test_an_interrupted_run_reports_what_it_measured(tmp_path):
    finished(report_of("a", "GET /1"), files=[tmp_path / "r.json"], exitstatus=INTERRUPTED)
    assert requests_of(json.loads((tmp_path / "r.json").read_text())) == ["GET /1"]


def test_the_report_has_each_test_that_has_ended_however_the_run_ends(tmp_path):
    """As a run leaves it that is killed: no hook of its end is called."""
    reporter, file = a_reporter(tmp_path / "r.json"), tmp_path / "r.json"
    grown = []
    for report in (
        report_of("b", "GET /1", "GET /2"),
        report_of("c"),
        report_of("a", "GET /3"),
        report_of("b", "GET /4"),
    ):
        reporter.pytest_runtest_logreport(report)
        grown.append(requests_of(json.loads(file.read_text())))
    assert grown[:3] == [["GET /1", "GET /2"], ["GET /1", "GET /2"], ["GET /1", "GET /2", "GET /3"]]
    assert sorted(grown[3]) == ["GET /3", "GET /4"]  # it was run again
    reporter.pytest_sessionfinish(a_session(), 0)
    assert requests_of(json.loads(file.read_text())) == ["GET /3", "GET /4"]


def test_a_writer_that_fails_costs_no_other_report_and_no_internal_error(tmp_path, monkeypatch):
    original = formats.write

    def write(file, run):
        if file.name == "bad.json":
            raise ZeroDivisionError("ours")
        original(file, run)

    monkeypatch.setattr(formats, "write", write)
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    status, lines = finished(report_of("a", "GET /1"), files=[bad, good])
    assert status == pytest.ExitCode.TESTS_FAILED
    assert lines[1] == f"!the report {bad} cannot be written: ZeroDivisionError: ours; it has 1 of 1 checks"
    assert requests_of(json.loads(good.read_text())) == ["GET /1"]

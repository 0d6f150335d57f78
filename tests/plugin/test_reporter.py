"""From what the tests attached to the files and the terminal; with reports, session and terminal of straw."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_noblock.model.finding import Check
from pytest_noblock.plugin.reporter import Reporter, attach, attach_unused, forget
from pytest_noblock.report.wire import record, to_json

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
    return SimpleNamespace(nodeid=test, when=when, user_properties=item.user_properties)


def a_session(exitstatus=pytest.ExitCode.OK, **options):
    option = SimpleNamespace(**{"collectonly": False, "setuponly": False, "setupplan": False, **options})
    return SimpleNamespace(config=SimpleNamespace(option=option), exitstatus=exitstatus)


def finished(*reports, files=(), must_watch=False, exitstatus=pytest.ExitCode.OK, **options):
    """A whole run: its exit status, and what the terminal shows."""
    reporter = Reporter([Path(file) for file in files], lambda: ENVIRONMENT, must_watch=must_watch)
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
    assert requests_of(written(tmp_path / "r.json", *phases[:2])) == []


def test_the_report_is_sorted_by_test_and_keeps_the_order_within(tmp_path):
    """xdist's workers end in any order."""
    reports = [report_of("b", "GET /2", "GET /1"), report_of("a", "GET /4", "GET /3")]
    document = written(tmp_path / "r.json", *reports)
    assert requests_of(document) == ["GET /4", "GET /3", "GET /2", "GET /1"]
    assert document == written(tmp_path / "r.json", *reversed(reports))
    assert document["environment"] == ENVIRONMENT


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
    reporter = Reporter([], lambda: pytest.fail("asked"), must_watch=False)
    reporter.pytest_runtest_logreport(report_of("a", "GET /1"))
    reporter.pytest_sessionfinish(a_session(), 0)


@pytest.mark.parametrize("reports", [[], [report_of("a", "GET /1")]], ids=["nothing", "watched"])
def test_a_file_that_cannot_be_written_is_red_and_told(tmp_path, reports):
    (tmp_path / "file").write_text("in the way")
    status, lines = finished(*reports, files=[tmp_path / "file" / "r.json"])
    assert status == pytest.ExitCode.TESTS_FAILED
    assert lines[0] == "[noblock]"
    assert lines[1].startswith(f"!the reports {tmp_path}/file/r.json cannot all be written: ")
    assert lines[2:] == (["[noblock]", "1 request watched in 1 test"] if reports else [])

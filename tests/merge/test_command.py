"""`python -m pytest_noblock merge`: many reports are judged as one run."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_noblock.acceptance.baseline import Baseline, Entry
from pytest_noblock.acceptance.baseline_text import render as baseline_text
from pytest_noblock.merge import folding
from pytest_noblock.merge.command import main
from pytest_noblock.report import json_v1
from pytest_noblock.report.formats import REPORT_SUFFIXES
from pytest_noblock.report.wire import Run
from tests.report.golden_checks import PASSED
from tests.report.runs import ENVIRONMENT, LEFT_OUT, ROUTED

pytestmark = pytest.mark.one_python

RED = ROUTED["sync-network"]
QUIET = replace(PASSED, notes=(), probes=(), probe_runs=(), exchange=None, exchanges=())
GREEN, RED_RUN, MISTAKE, NOTHING = 0, 1, 4, 5


@pytest.fixture
def shard(tmp_path):
    """Writes a report of these checks; returns its name."""

    def shard(name, *checks, failed=True, **environment):
        ids = frozenset(check.id for check in checks) if failed else frozenset()
        run = Run({**ENVIRONMENT, **environment}, checks, failed=ids)
        tmp_path.joinpath(name).write_text(json_v1.render(run), encoding="utf-8")
        return str(tmp_path / name)

    return shard


@pytest.fixture
def merged(capsys, tmp_path, monkeypatch):
    """Runs the command in this process; returns its exit code and what it printed."""
    monkeypatch.delenv("CI", raising=False)

    def merged(*arguments):
        code = main(["merge", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return merged


def of(route, check=QUIET, **changes):
    findings = tuple(replace(each, route=f"GET {route}") for each in check.findings)
    return replace(check, request=f"GET {route}", route=route, findings=findings, **changes)


def left_out(route):
    return replace(LEFT_OUT, id=f"noblock::GET {route}", request=f"GET {route}", route=route)


def test_green_reports_are_green(shard, merged):
    code, text = merged(shard("a.json", of("/a")), shard("b.json", of("/b", id="t::b"), of("/b", id="t::b")))
    assert code == GREEN
    assert text.splitlines()[0] == "3 requests in 2 tests, 2 of 2 routes measured"


def test_what_one_worker_serves_is_the_least_of_all_reports(shard, merged, tmp_path):
    first, second = of("/a", loop_ns=400_000, scarce_ns=5_000_000), of("/a", loop_ns=500_000, scarce_ns=4_000_000)
    merged(shard("a.json", first), shard("b.json", second), f"--report={tmp_path}/all.json")
    [route] = json.loads((tmp_path / "all.json").read_text())["routes"]
    assert (route["loop_ms"], route["per_second"]) == (0.5, 200.0)


def test_one_red_report_is_red_and_its_line_is_told_once(shard, merged):
    again = replace(RED, id="tests/b.py::test")
    code, text = merged(shard("a.json", of("/a")), shard("b.json", RED), shard("c.json", again))
    assert code == RED_RUN
    assert text.count("app/main.py:44") == 1
    assert "  app/main.py:44  sync-network  301.2 ms  requests.get  (2 tests)" in text


def test_a_check_that_fails_no_test_makes_nothing_red(shard, merged):
    """`noblock.check()`, an expected failure, a request that nobody asked to be measured."""
    missed = ROUTED["inconclusive"]
    assert merged(shard("a.json", RED, missed, of("/a"), failed=False))[0] == GREEN
    assert merged(shard("a.json", missed, of("/a")))[0] == RED_RUN


def test_what_is_accepted_is_green(shard, merged):
    code, text = merged(shard("a.json", ROUTED["accepted"]))
    assert code == GREEN
    assert "accepted: legacy driver, TICKET-12" in text


def test_nothing_measured_is_no_pass(shard, merged):
    assert merged(shard("a.json"))[0] == NOTHING
    assert merged(shard("a.json", left_out("/a")))[0] == NOTHING


def test_a_route_that_one_shard_measured_counts(shard, merged):
    one, two = shard("a.json", of("/a"), left_out("/b"), left_out("/c")), shard("b.json", of("/b"), left_out("/a"))
    code, text = merged(one, two, "--require=66%")
    assert code == GREEN
    assert "2 of 3 routes measured" in text
    code, text = merged(one, two, "--require=80%")
    assert code == RED_RUN
    assert "--require=80% is not met: 2 of 3 routes measured" in text


def test_all_formats_are_written(shard, merged, tmp_path):
    files = [tmp_path / f"all{suffix}" for suffix in REPORT_SUFFIXES]
    shards = [shard("a.json", RED, of("/a")), shard("b.json", of("/b", id="t::b"))]
    assert merged(*shards, *(f"--report={file}" for file in files))[0] == RED_RUN
    for file in files:
        assert "requests.get" in file.read_text(encoding="utf-8"), file
    page = (tmp_path / "all.html").read_text()
    assert '<rect class="sync-network"' in page  # the picture came through the file
    assert "requests/api.py:73 in get" in page


def test_the_merged_json_is_a_report_that_can_be_merged(shard, merged, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(json_v1.__file__).with_name("schema.json").read_text())
    one = shard("a.json", RED, of("/a"))
    two = shard("b.json", of("/b"), left_out("/c"), loop="uvloop", python="3.13.0", meter="portable")
    everything = tmp_path / "all.json"
    merged(one, two, f"--report={everything}")
    document = json.loads(everything.read_text())
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
    whole = json.loads(json_v1.render(Run(ENVIRONMENT, (RED, of("/a")), failed=frozenset({RED.id}))))
    assert document["checks"][:2] == whole["checks"]
    assert [each["path"] for each in document["routes"]] == ["/a", "/b", "/c", "/report"]
    told = document["environment"]
    assert (told["python"], told["loop"], told["meter"]) == ("3.12.1,3.13.0", "asyncio,uvloop", "portable")
    assert merged(everything)[1] == merged(one, two)[1]


def known(*findings, **more):
    return baseline_text(Baseline(tuple(Entry(each.identity, **more) for each in findings)))


def test_a_baseline_accepts_what_is_known(shard, merged, tmp_path):
    base = tmp_path / "known.jsonl"
    base.write_text(known(*RED.findings))
    code, text = merged(shard("a.json", RED), f"--baseline={base}", f"--report={tmp_path / 'all.json'}")
    assert code == GREEN
    assert f"baseline {base}: 0 new, 1 known, 0 fixed, 0 not measured" in text
    (check,) = json.loads((tmp_path / "all.json").read_text())["checks"]
    assert (check["outcome"], check["findings"][0]["accepted"]) == ("accepted", "baseline")


def test_what_another_list_accepted_is_new(shard, merged, tmp_path):
    base = tmp_path / "known.jsonl"
    base.write_text(known())
    accepted = replace(RED, outcome="accepted", findings=(replace(RED.findings[0], accepted="baseline"),))
    code, text = merged(shard("a.json", accepted), f"--baseline={base}")
    assert code == RED_RUN
    assert "1 new, 0 known" in text
    assert merged(shard("a.json", accepted))[0] == GREEN


def test_fixed_is_what_every_shard_that_measured_it_no_longer_has(shard, merged, tmp_path, monkeypatch):
    base = tmp_path / "known.jsonl"
    base.write_text(known(*RED.findings))
    clean, dirty = shard("a.json", of("/report")), shard("b.json", RED)
    assert "0 new, 1 known, 0 fixed" in merged(clean, dirty, f"--baseline={base}")[1]
    assert "0 new, 0 known, 0 fixed, 1 not measured" in merged(shard("c.json", of("/a")), f"--baseline={base}")[1]
    code, text = merged(clean, f"--baseline={base}")
    assert code == GREEN
    assert "  fixed: sync-network of GET /report in app/main.py report (requests.get)" in text
    monkeypatch.setenv("CI", "true")
    code, text = merged(clean, f"--baseline={base}")
    assert code == RED_RUN
    assert f"fixed findings still stand in {base}" in text


def test_of_a_run_that_was_stopped_nothing_is_fixed_and_it_is_not_green(shard, merged, tmp_path):
    base = tmp_path / "known.jsonl"
    base.write_text(known(*RED.findings))
    cut = shard("a.json", of("/report"), ended=False)
    code, text = merged(cut, f"--baseline={base}")
    assert code == RED_RUN
    assert "0 fixed, 1 not measured" in text
    assert f"the run of {cut} was stopped before its end" in text


def test_one_file_that_is_named_twice_is_read_once(shard, merged):
    one = shard("a.json", of("/a"))
    assert merged(one, one)[1].startswith("1 request in 1 test")


NO_REPORTS = {
    "{": "is no JSON: ",
    "[]": "is no report of pytest-noblock: it has no schema_version",
    '{"schema_version": 2}': "has schema_version 2: this pytest-noblock reads 1 alone",
    '{"schema_version": 1}': "is no report of pytest-noblock: it has no environment",
    '{"schema_version": 1, "environment": {}, "routes": [], "checks": [1]}': "its checks have other keys",
}


@pytest.mark.parametrize("text", NO_REPORTS)
def test_what_is_no_report_is_refused(shard, merged, tmp_path, text):
    tmp_path.joinpath("odd.json").write_text(text)
    code, said = merged(shard("a.json", of("/a")), tmp_path / "odd.json")
    assert code == MISTAKE
    assert said.startswith(f"ERROR: {tmp_path}/odd.json ")
    assert NO_REPORTS[text] in said


def test_what_does_not_belong_together_is_refused(shard, merged, tmp_path):
    first = shard("a.json", of("/a"))
    code, said = merged(first, shard("b.json", of("/a"), version="0.2.0"))
    assert code == MISTAKE
    assert "b.json was written by pytest-noblock 0.2.0, " in said
    assert "only reports of one version are judged as one run" in said
    code, said = merged(first, shard("b.json", of("/a"), folder="services/web", root="web"))
    assert code == MISTAKE
    assert "b.json is of another root: its files lie in services/web, those of " in said
    assert merged(first, tmp_path / "missing.json")[1].endswith(
        "missing.json cannot be read: No such file or directory\n"
    )
    elsewhere = shard("b.json", of("/a"), root="checkout-7")  # the same folder of the repository
    assert merged(first, elsewhere)[0] == GREEN


def test_mistakes_in_the_arguments_are_one_sentence(shard, merged, tmp_path):
    one = shard("a.json", of("/a"))
    for arguments, sentence in (
        (["--report=all.xlsx"], "--report: the format of 'all.xlsx' is not known: its name must end in .json, "),
        (["--require=80"], "--require: '80' is not a share of the routes, as 80%"),
        (["--baseline=none.jsonl"], "--baseline: none.jsonl cannot be read: No such file or directory"),
        (["--other"], "unrecognized arguments: --other"),
    ):
        code, said = merged(one, *arguments)
        assert (code, said.startswith(f"ERROR: {sentence}"), said.count("\n")) == (MISTAKE, True, 1), said
    assert merged()[0] == MISTAKE


def test_a_report_that_cannot_be_written_is_red_and_costs_no_other(shard, merged, tmp_path):
    (tmp_path / "folder.html").mkdir()
    code, text = merged(shard("a.json", of("/a")), f"--report={tmp_path}/folder.html", f"--report={tmp_path}/all.json")
    assert code == RED_RUN
    assert "folder.html cannot be written: it is a folder" in text
    assert (tmp_path / "all.json").exists()


def test_of_very_many_findings_those_are_kept_that_say_something_new(shard, merged, monkeypatch):
    monkeypatch.setattr(folding, "_MOST_KEPT", 10)
    alike = [replace(RED, id=f"t::{number}") for number in range(30)]
    other = of("/other", ROUTED["sync-io"], id="t::other")
    code, text = merged(shard("a.json", *alike, other))
    assert code == RED_RUN
    assert text.startswith("31 requests in 31 tests")
    assert "app/main.py:44" in text
    assert other.findings[0].place in text


def test_as_a_command(shard):
    """In a process of its own, as users run it: the exit code is the process's."""
    command = [sys.executable, "-m", "pytest_noblock", "merge", shard("a.json", RED)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (RED_RUN, "")
    assert "app/main.py:44" in ended.stdout

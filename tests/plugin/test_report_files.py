"""Report files of every format: by one process or several, whatever ends the run, and without a secret."""

import json
import re
import subprocess
import sys

import pytest

from pytest_noblock.merge.command import main
from pytest_noblock.report.formats import REPORT_SUFFIXES

pytestmark = pytest.mark.one_python

FILES = [f"out{suffix}" for suffix in REPORT_SUFFIXES]
REPORTS = [f"--noblock-report={file}" for file in FILES]
TESTS = """
    import os, signal, time
    import pytest, shop
    from fastapi.testclient import TestClient

    client = TestClient(shop.app)

    def test_a():
        client.get("/awaits")

    def test_b():
        client.get("/blocks")

    def test_end():
        {end}
"""


@pytest.fixture
def ends(shop):
    """Runs two tests that make a request, one of them red, and a third that ends so; in a process of its own."""

    def ends(end, *options, conftest=""):
        shop.makeconftest(conftest)
        shop.makepyfile(test_it=TESTS.format(end=end))
        return shop.runpytest_subprocess("--noblock", *options)

    return ends


def told_by(folder):
    """Of each report, whether it has the finding; each is read as what it is."""
    texts = {file: folder.joinpath(file).read_text(encoding="utf-8") for file in FILES}
    for file, text in texts.items():
        if file.endswith(("json", "sarif")):
            json.loads(text)
    return {
        file: "sync-io" in text.partition('"rules"')[0] + text.partition('"results"')[2] for file, text in texts.items()
    }


EVERYWHERE = dict.fromkeys(FILES, True)


def test_two_workers_write_each_report_once(ends, shop):
    pytest.importorskip("xdist")
    result = ends("pass", *REPORTS, "-n2")
    result.assert_outcomes(passed=2, failed=1)
    assert told_by(shop.path) == EVERYWHERE
    assert not [file for file in shop.path.iterdir() if ".noblock-" in file.name]
    pages = {file: (shop.path / file).read_text() for file in FILES}
    assert pages["out.md"].startswith("## pytest-noblock: 1 finding to mend\n")
    assert "shop.py:17" in pages["out.html"]
    assert "<svg" in pages["out.html"]
    ends("pass", *REPORTS, "-p", "no:xdist")
    again = {file: (shop.path / file).read_text() for file in FILES}
    for file in FILES:
        assert re.sub(r"[\d.]+", "", again[file])[:400] == re.sub(r"[\d.]+", "", pages[file])[:400]


def test_a_worker_that_is_killed_and_ctrl_c_cost_no_report(ends, shop):
    pytest.importorskip("xdist")
    result = ends("os.kill(os.getpid(), signal.SIGKILL)", *REPORTS, "-n1")
    result.assert_outcomes(passed=1, failed=2)
    assert told_by(shop.path) == EVERYWHERE
    for file in FILES:
        (shop.path / file).unlink()
    result = ends("raise KeyboardInterrupt", *REPORTS)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert told_by(shop.path) == EVERYWHERE
    assert json.loads((shop.path / "out.json").read_text())["environment"]["ended"] is False


DISK = """
    import resource

    def pytest_runtest_logreport(report):
        if report.nodeid.endswith("test_b") and report.when == "setup":
            limit(900)

    def pytest_unconfigure():
        limit(resource.getrlimit(resource.RLIMIT_FSIZE)[1])  # what others write at their end

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
"""


def test_a_full_disk_changes_no_test_and_what_was_lost_is_said(shop):
    """The JSON report has the tests before, and is whole; of the others the last run's stay."""
    for file in FILES[1:]:
        (shop.path / file).write_text("the last run's")
    shop.makeconftest(DISK)
    shop.makepyfile(test_it=TESTS.format(end="client.get('/awaits')"))
    command = [sys.executable, "-m", "pytest", "--noblock", *REPORTS, "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=shop.path, capture_output=True, text=True, check=False)  # into pipes, no files
    assert "1 failed, 2 passed" in ended.stdout
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert [each["request"] for each in json.loads((shop.path / "out.json").read_text())["checks"]] == ["GET /awaits"]
    assert f"the report {shop.path}/out.json cannot be written: File too large; it has 1 of 3 checks" in ended.stdout
    assert f"the report {shop.path}/out.html cannot be written: File too large" in ended.stdout
    assert "INTERNALERROR" not in ended.stdout + ended.stderr
    assert (shop.path / "out.html").read_text() == "the last run's"
    assert not [file for file in shop.path.iterdir() if ".noblock-" in file.name]


def test_a_path_that_cannot_be_written_makes_a_green_run_red(shop, monkeypatch):
    (shop.path / "folder.html").mkdir()
    (shop.path / "summary.md").mkdir()
    shop.makepyfile(test_it=GITHUB)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(shop.path / "summary.md"))
    result = shop.runpytest("--noblock", "--noblock-report=folder.html", "--noblock-report=one.sarif", "-k", "test_a")
    result.assert_outcomes(passed=1, deselected=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "the report *folder.html cannot be written: it is a folder, and a report needs a file",
            "the summary of the job, *summary.md, cannot be written: Is a directory",
        ]
    )
    assert (shop.path / "one.sarif").exists()


def test_a_name_that_no_format_has_is_refused(shop):
    result = shop.runpytest("--noblock", "--noblock-report=report.xlsx")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    known = ".json, .html, .sarif, .md, .gitlab.json or .trace.json"
    assert f"the format of 'report.xlsx' is not known: its name must end in {known}" in result.stderr.str()


GITHUB = """
    import shop
    from fastapi.testclient import TestClient

    def test_a(): TestClient(shop.app).get("/awaits")
    def test_b(): TestClient(shop.app).get("/blocks")
"""


def test_github_is_told_at_the_line_and_in_the_summary_of_the_job(shop, monkeypatch):
    (shop.path / ".git").mkdir()
    project = shop.mkdir("api")
    (shop.path / "shop.py").rename(project / "shop.py")
    project.joinpath("pytest.ini").write_text("[pytest]\n")
    project.joinpath("test_it.py").write_text("\n".join(line.strip() for line in GITHUB.splitlines()))
    summary = shop.path / "summary.md"
    summary.write_text("of an earlier command\n")
    monkeypatch.chdir(project)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = shop.runpytest("--noblock")
    (line,) = [line for line in result.outlines if line.startswith("::")]
    assert line.startswith("::error file=api/shop.py,line=17,title=pytest-noblock%3A sync-io::GET /blocks blocked the")
    assert "%0Atime.sleep(0.08)%0A" in line
    page = summary.read_text()
    assert page.startswith("of an earlier command\n\n## pytest-noblock: 1 finding to mend\n")
    assert "`api/shop.py:17` in `blocks`, sync-io" in page


def test_another_ci_sees_neither(shop):
    shop.makepyfile(test_it=GITHUB)
    assert not [line for line in shop.runpytest("--noblock").outlines if line.startswith("::")]


def test_junit_has_the_record_as_a_property(run, shop):
    junitparser = pytest.importorskip("junitparser")
    run("def test_blocks(noblock): noblock.get('/blocks')", "--junitxml=out.xml")
    (case,) = [case for suite in junitparser.JUnitXml.fromfile(str(shop.path / "out.xml")) for case in suite]
    properties = case.child(junitparser.Properties)
    (record,) = [json.loads(each.value) for each in properties if each.name == "noblock"]
    assert (record["request"], record["outcome"]) == ("GET /blocks", "failed")
    assert record["findings"][0]["file"] == "shop.py"


SECRETS = r"""
    import time
    from fastapi import BackgroundTasks, FastAPI, Request

    app = FastAPI()

    @app.get("/r/{name}")
    async def report(name: str):
        time.sleep(0.08)

    @app.get("/health")
    async def health(): ...

    @app.get("/raises")
    async def raises():
        raise ValueError("postgres://shop:S3" + "CRET@db/shop?password=S3" + "CRET \x1b[31m")

    async def send(dsn, *, key):
        raise OSError(f"Authorization: Bearer {dsn} \x1b[31m")

    @app.post("/task")
    async def task(tasks: BackgroundTasks, request: Request):
        tasks.add_task(send, request.headers["authorization"], key="x")
"""
SECRET_TESTS = r"""
    import pytest

    def test_query(noblock):
        noblock.get("/r/%1b[31m%0a?token=S3CRET", probe="/health?token=S3CRET")

    def test_raises(noblock):
        noblock.get("/raises?token=S3CRET")

    @pytest.mark.noblock_background("send")
    def test_task(noblock):
        noblock.post("/task", headers={"Authorization": "Bearer S3CRET"})
"""


def test_no_format_tells_a_secret_or_has_a_control_character(pytester):
    pytester.makepyfile(secrets_api=SECRETS, test_secrets=SECRET_TESTS)
    pytester.runpytest("--noblock-app=secrets_api:app", *REPORTS, "--junitxml=out.xml")
    for file in [*FILES, "out.xml"]:
        text = (pytester.path / file).read_text(encoding="utf-8")
        assert "S3CRET" not in text, file
        assert "\x1b" not in text, file
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), file
        assert "/r/" in text, file


SHARDS = """
    import pytest, shop
    from fastapi.testclient import TestClient

    def test_a(): TestClient(shop.app).get("/awaits")
    def test_b(): TestClient(shop.app).get("/blocks")
    def test_c(noblock): assert noblock.check("GET", "/blocks").outcome == "failed"
"""


def test_the_shards_of_a_suite_are_judged_as_one_run(shop, monkeypatch, capsys):
    monkeypatch.chdir(shop.path)
    shop.makepyfile(test_it=SHARDS)
    for name in ("a", "b", "c"):
        shop.runpytest("--noblock", "--noblock-app=shop:app", f"--noblock-report={name}.json", "-k", f"test_{name}")
    capsys.readouterr()
    assert main(["merge", "a.json", "c.json"]) == pytest.ExitCode.OK  # as both of these runs
    assert main(["merge", "a.json", "b.json", "c.json", "--report=all.md"]) == pytest.ExitCode.TESTS_FAILED
    printed = capsys.readouterr().out
    assert printed.count("shop.py:17  sync-io") == 2  # one line in each merge
    assert "2 of 7 routes measured" in printed
    assert "## pytest-noblock: 1 finding to mend" in (shop.path / "all.md").read_text()
    other = shop.mkdir("other")
    other.joinpath("pytest.ini").write_text("[pytest]\n")
    other.joinpath("test_other.py").write_text("def test_a(noblock): noblock.get('/awaits')")
    shop.runpytest("--noblock-app=shop:app", "--noblock-report=d.json", "--rootdir=other", "other")
    capsys.readouterr()
    assert main(["merge", "a.json", "d.json"]) == pytest.ExitCode.USAGE_ERROR
    assert (
        f"d.json is of another root: its files lie in other, those of a.json in {shop.path.name}"
        in capsys.readouterr().err
    )

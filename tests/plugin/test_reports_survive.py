"""The last report stays until something was measured, and what was measured stays however the run ends."""

import json

import pytest

TESTS = """
    import os, signal, time
    import pytest, shop
    from fastapi.testclient import TestClient

    client = TestClient(shop.app)

    def test_a():
        client.get("/awaits")

    def test_b():
        client.get("/health")

    def test_end():
        {end}
"""


def requests_of(file):
    return [each["request"] for each in json.loads(file.read_text(encoding="utf-8"))["checks"]]


@pytest.fixture
def ends(shop):
    """Runs two tests that make a request, and a third that ends the run so, in a process of its own."""

    def ends(end, *options):
        shop.makepyfile(test_it=TESTS.format(end=end))
        shop.runpytest_subprocess("--noblock", "--noblock-report=out.json", *options)
        return requests_of(shop.path / "out.json")

    return ends


def test_sigterm_leaves_what_was_measured(ends):
    assert ends("os.kill(os.getpid(), signal.SIGTERM)") == ["GET /awaits", "GET /health"]


def test_the_thread_method_of_pytest_timeout_leaves_what_was_measured(ends):
    pytest.importorskip("pytest_timeout")
    end = "time.sleep(20)  # it is killed"
    assert ends(end, "--timeout=1", "--timeout-method=thread") == ["GET /awaits", "GET /health"]


@pytest.mark.one_python
def test_a_run_that_measures_nothing_keeps_the_last_report(shop):
    shop.makepyfile(test_it=TESTS.format(end="pytest.exit('stop')"))
    file, report = shop.path / "out.json", "--noblock-report=out.json"
    shop.runpytest("--noblock", report, "-k", "test_a").assert_outcomes(passed=1, deselected=2)
    last = file.read_text()
    kept = f"nothing was measured: the report {file} stays as it was"
    for options, status, told in (
        (["--collect-only"], 0, False),
        (["--fixtures"], 0, False),
        (["--setup-plan"], 0, False),
        (["--noblock-max-block=5"], 4, False),
        (["--no-such-option"], 4, False),
        (["-k", "nothing"], 5, True),
        (["-k", "test_end"], 2, True),
    ):
        result = shop.runpytest("--noblock", report, *options)
        assert (result.ret, file.read_text()) == (status, last), options
        assert (kept in result.stdout.str()) == told, options


@pytest.mark.one_python
def test_each_path_is_for_itself(shop):
    (shop.path / "folder.json").mkdir()
    shop.makepyfile(test_it=TESTS.format(end="pass"))
    files = ["folder.json", "one.json", "two.json"]
    result = shop.runpytest("--noblock", *(f"--noblock-report={file}" for file in files))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["the report *folder.json cannot be written: it is a folder, and a report needs a file"]
    )
    assert requests_of(shop.path / "one.json") == requests_of(shop.path / "two.json") == ["GET /awaits", "GET /health"]


@pytest.mark.one_python
def test_a_worker_that_crashes_costs_its_own_test_alone(shop):
    pytest.importorskip("xdist")
    shop.makepyfile(test_it=TESTS.format(end="os._exit(1)"))
    result = shop.runpytest("--noblock", "--noblock-report=out.json", "-n1")
    result.assert_outcomes(passed=2, failed=1)
    assert requests_of(shop.path / "out.json") == ["GET /awaits", "GET /health"]

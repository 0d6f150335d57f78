"""What the machine lacks, and what a test took away, ends in a sentence; the tests keep their outcomes."""

import pytest

QUIET = """
    def test_quiet():
        pass
"""
FEW_FILES = """
    import os, resource

    def pytest_collection_finish():
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
"""
NO_THREADS = """
    import threading

    def refuses(*_):
        raise RuntimeError("can't start new thread")

    def pytest_collection_finish():
        threading._start_new_thread = refuses
        if hasattr(threading, "_start_joinable_thread"):
            threading._start_joinable_thread = lambda *_, **__: refuses()
"""


@pytest.mark.parametrize(
    ("conftest", "sentence"),
    [
        (
            FEW_FILES,
            "*: OSError: Too many open files; this process has no file descriptor left: close what the tests *",
        ),
        (
            NO_THREADS,
            "*: RuntimeError: can't start new thread; this process can start no thread more: end what *",
        ),
    ],
    ids=["descriptors", "threads"],
)
@pytest.mark.parametrize("action", ["fail", pytest.param("warn", marks=pytest.mark.one_python)])
def test_without_descriptors_or_threads(pytester, conftest, sentence, action):
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_it=QUIET)
    result = pytester.runpytest_subprocess("--noblock", f"--noblock-action={action}", "-p", "no:cov", "-p", "no:faker")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([sentence, "      test_it.py::test_quiet"])
    text = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert text.count("noblock failed, and did not judge") == 1
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if action == "fail" else pytest.ExitCode.OK)


GONE = """
    import os
    import time
    import warnings

    import pytest
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def noted(request):
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            os.path.exists("/nowhere")
        return PlainTextResponse("x", background=BackgroundTask(time.sleep, 0.002))

    async def blocks(request):
        time.sleep(0.08)
        return PlainTextResponse("x")

    app = Starlette(routes=[Route("/noted", noted), Route("/blocks", blocks)])

    @pytest.fixture
    def gone(tmp_path, monkeypatch):
        folder = tmp_path / "gone"
        folder.mkdir()
        monkeypatch.chdir(folder)
        folder.rmdir()

    @pytest.mark.parametrize("path", ["/noted", "/blocks"])
    def test_passes(path, gone):
        TestClient(app).get(path)

    def test_skips(gone):
        TestClient(app).get("/blocks")
        pytest.skip("enough")

    @pytest.mark.xfail(raises=ValueError, strict=True)
    def test_xfails(gone):
        TestClient(app).get("/blocks")
        raise ValueError

    def test_fails_itself(gone):
        TestClient(app).get("/blocks")
        assert 1 == 2
"""


ERRORS = ("-W", "error", "-W", "ignore:The configuration option", "-W", "ignore::pytest.PytestCacheWarning")
"""What a suite says whose warnings are errors; the last two are this environment's own."""


@pytest.mark.parametrize("options", [(), ERRORS], ids=["plain", "warnings-are-errors"])
def test_in_a_folder_that_is_gone_and_where_warnings_are_errors_each_test_keeps_its_outcome(pytester, options):
    """Under `action=warn` nothing of ours is red, whatever the filters say."""
    pytester.makepyfile(test_it=GONE)
    result = pytester.runpytest("--noblock", "--noblock-action=warn", "-p", "no:cov", *options)
    result.assert_outcomes(passed=2, skipped=1, xfailed=1, failed=1, warnings=None)
    result.stdout.fnmatch_lines(["*assert 1 == 2*", "5 requests watched in 5 tests"])
    result.stdout.no_fnmatch_line("*noblock failed*")
    assert result.stdout.str().count("time.sleep  accepted: action=warn") >= 1


WARNS = r"""
    import time
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def blocks(request):
        pattern = "\d"
        time.sleep(0.08)
        return PlainTextResponse(pattern)

    app = Starlette(routes=[Route("/", blocks)])
"""


def test_a_source_that_warns_when_it_is_read_is_read_all_the_same(pytester):
    """Python compiled it before, from a cache or quietly; a filter makes an error of what our reading finds in it."""
    pytester.makepyfile(
        shop=WARNS,
        conftest="import warnings\nwith warnings.catch_warnings(action='ignore'):\n    import shop",
        test_it="from shop import TestClient, app\n\ndef test_it():\n    TestClient(app).get('/')\n",
    )
    result = pytester.runpytest("--noblock", "-p", "no:cov", *ERRORS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*by      shop.py:9 in blocks", "*time.sleep(0.08)"])
    result.stdout.no_fnmatch_line("*noblock failed*")

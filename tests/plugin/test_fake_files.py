"""A test whose file functions are another's: pyfakefs, a mock in the place of a function of `os`."""

import pytest

pytestmark = pytest.mark.one_python


SHOP = """
    import os, sys, time
    import pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()

    @app.get("/blocks")
    async def blocks():
        time.sleep(0.1)

    @app.get("/quiet")
    async def quiet():
        return 1
"""
FOUR = """
    @pytest.mark.noblock(app=app)
    def test_fixture_blocked({fixture}, noblock):
        noblock.get("/blocks")

    @pytest.mark.noblock(app=app)
    def test_fixture_quiet({fixture}, noblock):
        noblock.get("/quiet")

    @pytest.mark.noblock
    def test_watched_blocked({fixture}):
        TestClient(app).get("/blocks")

    @pytest.mark.noblock
    def test_watched_quiet({fixture}):
        TestClient(app).get("/quiet")
"""
FIRST = """
    @pytest.mark.noblock
    def test_not_all_of_ours_is_loaded_before_it_is_needed():
        TestClient(app).get("/quiet")
        assert "pyfakefs.fake_filesystem_unittest" in sys.modules
        assert "pytest_noblock.__main__" not in sys.modules
"""
LAST = """
    def test_nothing_is_kept():
        ours = {name: module for name, module in sys.modules.items() if name.startswith("pytest_noblock.")}
        real = sys.modules["os"]
        assert "pytest_noblock.__main__" in ours  # all of ours were loaded
        assert "pytest_noblock.model.finding" in ours  # it was needed while pyfakefs was on
        for name, module in ours.items():
            above, _, last = name.rpartition(".")
            assert getattr(sys.modules[above], last) is module, name
            assert vars(module).get("os", real) is real, name
"""
MOCKS = """
    FAKED = "open read pread close stat fstat lstat listdir readlink dup scandir uname".split()

    def refused(real):
        def function(*args, **options):
            caller = sys._getframe(1).f_globals["__name__"]
            if caller.startswith("pytest_noblock."):
                raise RuntimeError(f"{caller} meets the stand-in")
            return real(*args, **options)
        return function

    @pytest.fixture
    def mocks(monkeypatch):
        for name in FAKED:
            monkeypatch.setattr(os, name, refused(getattr(os, name)))
        monkeypatch.setattr("builtins.open", refused(open))
"""
RED = ["*GET /blocks blocked the event loop*", "*test_shop.py:10 in blocks", "*why*time.sleep*"]


def test_a_test_with_pyfakefs_is_judged_as_any_other(pytester):
    pytest.importorskip("pyfakefs")
    pytester.makepyfile(test_shop=SHOP + FIRST + FOUR.format(fixture="fs") + LAST)
    result = pytester.runpytest_subprocess("-p", "fakefs", "-v")
    result.assert_outcomes(failed=2, passed=4)
    result.stdout.fnmatch_lines(RED)
    result.stdout.fnmatch_lines(["*test_watched_blocked*", "*test_shop.py:10 in blocks*"])
    result.stdout.no_fnmatch_line("*noblock failed*")


def test_a_stand_in_for_a_function_of_os_is_not_ours(pytester):
    pytester.makepyfile(test_shop=SHOP + MOCKS + FOUR.format(fixture="mocks"))
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-v")
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines(RED)
    result.stdout.no_fnmatch_line("*noblock failed*")

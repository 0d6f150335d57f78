"""Other plugins, other clocks, other tracers: the twins are told apart beside each of them."""

import asyncio
import sys
from contextlib import closing

import pytest

TWINS = """
    def test_blocks(noblock):
        noblock.get("/blocks")

    def test_awaits(noblock):
        noblock.get("/awaits")
"""


def check_twins(result: pytest.RunResult) -> None:
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*GET /blocks blocked the event loop * ms (limit 50 ms)", "*by      shop.py:17 in blocks"]
    )


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        ("xdist", ("-n2",)),
        pytest.param("xdist", ("-n2", "--dist=loadfile", "-o", "noblock_scope=session"), marks=pytest.mark.one_python),
        ("pytest_randomly", ("-p", "randomly")),
        ("pytest_timeout", ("--timeout=20",)),
        ("pytest_timeout", ("--timeout=20", "--timeout-method=thread")),
        ("pytest_rerunfailures", ("-p", "rerunfailures", "--reruns=1", "--only-rerun=NothingOfTheKind")),
        ("pytest_cov", ("--cov=shop", "--cov-branch", "--cov-report=")),
        ("pyfakefs", "-p fakefs -p respx -p time_machine".split()),
    ],
    ids="xdist xdist-loadfile randomly timeout timeout-thread rerunfailures cov idle".split(),
)
def test_beside_another_plugin(run, plugin, options):
    pytest.importorskip(plugin)
    check_twins(run(TWINS, *options))


@pytest.mark.every_python
def test_coverage_by_sys_monitoring(run, monkeypatch):
    pytest.importorskip("pytest_cov")
    if sys.version_info < (3, 12):
        pytest.skip("sys.monitoring is from 3.12 on")
    monkeypatch.setenv("COVERAGE_CORE", "sysmon")
    check_twins(run(TWINS, "--cov=shop", "--cov-report="))


@pytest.mark.every_python
def test_coverage_is_the_same_with_us(run, shop):
    """Our counters give the tracer back: no line of the app is lost to the report."""
    pytest.importorskip("pytest_cov")
    shop.makepyfile(test_shop="def test_blocks(noblock): noblock.get('/blocks')")
    result = shop.runpytest_subprocess("--noblock-app=shop:app", "--cov=shop", "--cov-report=term-missing")
    result.assert_outcomes(failed=1)
    (line,) = [line for line in result.outlines if line.startswith("shop.py")]
    missing = line.split("%")[1].replace(",", " ").split()
    assert not {"16", "17", "18"} & set(missing), line


@pytest.mark.parametrize(
    ("module", "frozen"),
    [("freezegun", "freezegun.freeze_time('2020-01-01')"), ("time_machine", "time_machine.travel(0, tick=False)")],
)
def test_in_a_test_whose_clock_stands_still(run, module, frozen):
    pytest.importorskip(module)
    result = run(f"""
        import {module}

        def test_blocks(noblock):
            with {frozen}:
                noblock.get("/blocks", timeout=20)

        def test_awaits(noblock):
            with {frozen}:
                noblock.get("/awaits", timeout=20)
    """)
    check_twins(result)


def test_in_a_test_that_replaces_the_clocks(run):
    result = run("""
        import time

        def test_blocks(noblock, monkeypatch):
            monkeypatch.setattr(time, "time", lambda: 0.0)
            monkeypatch.setattr(time, "monotonic", lambda: 0.0)
            monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
            noblock.get("/blocks", timeout=20)

        def test_awaits(noblock, monkeypatch):
            monkeypatch.setattr(time, "time", lambda: 0.0)
            noblock.get("/awaits", timeout=20)
    """)
    check_twins(result)


def test_a_sleep_that_the_test_replaces_is_the_tests(run):
    """What does not sleep does not block; afterwards the test's own replacement is undone as ever."""
    result = run("""
        import time

        real = time.sleep

        def test_it(noblock, monkeypatch):
            slept = []
            monkeypatch.setattr(time, "sleep", slept.append)
            noblock.get("/blocks")
            assert slept

        def test_after():
            assert time.sleep is real
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.every_python
def test_under_a_tracer_of_the_users_own(run):
    """A debugger keeps its trace function; the line comes from the watchdog."""
    result = run("""
        import sys

        def tracer(*_):
            return tracer

        def test_blocks(noblock):
            before = sys.gettrace()
            sys.settrace(tracer)
            try:
                noblock.get("/blocks")
            finally:
                kept = sys.gettrace()
                sys.settrace(before)
                assert kept is tracer

        def test_awaits(noblock):
            noblock.get("/awaits")
    """)
    check_twins(result)


@pytest.mark.every_python
@pytest.mark.filterwarnings("ignore:'asyncio.*policy:DeprecationWarning")  # from Python 3.14 on
def test_with_uvloop_as_the_policy_of_the_process(run):
    """The app runs on our own loop all the same."""
    pytest.importorskip("uvloop")
    result = run(
        "import asyncio, uvloop, warnings\n" + "with warnings.catch_warnings():\n    "
        "warnings.simplefilter('ignore')\n    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())\n"
        + "\n".join(line[4:] for line in TWINS.splitlines())
    )
    asyncio.set_event_loop_policy(None)
    check_twins(result)


def test_in_asyncios_debug_mode(run, monkeypatch):
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    with closing(asyncio.new_event_loop()) as loop:
        assert loop.get_debug()  # as every loop of this process now
    check_twins(run(TWINS))


def test_with_every_warning_an_error(run):
    result = run(TWINS, "-W", "error", "-W", "ignore:The configuration option")
    check_twins(result)


def test_without_the_plugin_nothing_of_it_is_known(shop):
    shop.makepyfile("def test_it(): pass")
    shop.runpytest("-p", "no:noblock").assert_outcomes(passed=1)
    result = shop.runpytest("-p", "no:noblock", "--noblock-app=shop:app")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.one_python
@pytest.mark.parametrize("option", ["--collect-only", "--setup-only", "--setup-plan", "--fixtures", "--help"])
def test_a_run_that_runs_nothing_starts_nothing(run, option):
    result = run(TWINS, option)
    assert result.ret == 0
    assert "blocked" not in result.stdout.str()


def test_a_doctest_and_a_text_file_pass_by(shop):
    shop.makepyfile(mod='def f():\n    """\n    >>> 1\n    1\n    """\n')
    shop.runpytest("--doctest-modules", "--noblock-app=shop:app").assert_outcomes(passed=1)


def test_where_the_test_replaces_open(run):
    """The kernel's files are read all the same."""
    result = run("""
        from unittest import mock

        @mock.patch("builtins.open", mock.mock_open(read_data=""))
        def test_blocks(noblock):
            noblock.get("/blocks")

        @mock.patch("builtins.open", mock.mock_open(read_data=""))
        def test_awaits(noblock):
            noblock.get("/awaits")
    """)
    check_twins(result)


SLEEPERS = """
import select
import time
from fastapi import FastAPI

app = FastAPI()

@app.get("/{how}")
async def waits(how: str):
    class Kept:
        sleep = time.sleep
        select = select.select

    if how == "sleeps":
        Kept().sleep(0.08)
    elif how == "selects":
        Kept().select([], [], [], 0.08)
    else:
        Kept().sleep(0)
"""
"""Made in a request, when both functions are watched."""


@pytest.mark.parametrize("mark", ["", "@pytest.mark.noblock"], ids=["fixture", "watched"])
def test_a_builtin_that_a_class_keeps_binds_no_instance(pytester, mark):
    pytester.makepyfile(keeping=SLEEPERS)
    get = "TestClient(app).get" if mark else "noblock.get"
    result = pytester.runpytest_subprocess(
        "--noblock-app=keeping:app",
        pytester.makepyfile(f"""
            import pytest
            from fastapi.testclient import TestClient
            from keeping import app

            {mark or "#"}
            @pytest.mark.parametrize("how", ["sleeps", "selects", "rests"])
            def test_it(how{"" if mark else ", noblock"}):
                assert {get}("/" + how).status_code == 200
        """),
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*by      keeping.py:14 in waits", "*by      keeping.py:16 in waits"])

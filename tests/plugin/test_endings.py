"""Whatever the app does, the test ends, and so does pytest; the line that holds the loop is named."""

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks are POSIX's")

SHORT = """
from pytest_noblock.checks import sending
from pytest_noblock.engine.asgi import app_thread, closing, lifespan

sending._GRACE_S = 1
app_thread._HELD_S = app_thread._GRACE_S = closing.CLOSE_S = 1
lifespan.LIMIT_S = 2
"""
"""The limits of a test whose subject is that there is a limit."""

API = """
import asyncio
import os
import time
from contextlib import asynccontextmanager

from fastapi import FastAPI

def made(lifespan=None):
    app = FastAPI(lifespan=lifespan)

    @app.get("/fine")
    async def fine():
        return {}

    @app.get("/holds")
    async def holds():
        time.sleep(600)  # holds

    @app.get("/orphan")
    async def orphan():
        app.state.task = asyncio.create_task(later())
        return {}

    @app.get("/much-later")
    async def much_later():
        app.state.timer = asyncio.get_running_loop().call_later(0.3, much)
        return {}

    @app.get("/stubborn")
    async def stubborn():
        app.state.task = asyncio.create_task(stays())
        return {}

    @app.get("/thread")
    async def thread():
        app.state.task = asyncio.ensure_future(asyncio.to_thread(time.sleep, 600))
        return {}

    @app.get("/resumes")
    async def resumes():
        return sum(i * i for i in range(1_000_000))  # resumes

    @app.get("/forks")
    async def forks():
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        return {}

    return app

app = made()

async def later():
    await asyncio.sleep(0.02)
    time.sleep(600)  # later

def much():
    time.sleep(600)  # much

async def stays():
    while True:
        try:
            await asyncio.sleep(600)  # stays
        except asyncio.CancelledError:
            pass

@asynccontextmanager
async def starting(app):
    time.sleep(600)  # starting
    yield

@asynccontextmanager
async def stopping(app):
    yield
    time.sleep(600)  # stopping

async def never_asks(scope, receive, send):
    await asyncio.sleep(600)  # never_asks

async def says_nothing(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})
"""

TESTS = """
import asyncio
import time

import pytest

import api

def test_detached_work_that_holds_the_loop(noblock):
    noblock.get("/orphan")

def test_a_second_request(noblock):
    noblock.get("/much-later")
    time.sleep(0.5)
    noblock.get("/fine", timeout=1)

def test_the_stop(noblock):
    noblock.get("/much-later")
    time.sleep(0.5)

def test_a_task_that_ignores_its_cancellation(noblock):
    noblock.get("/stubborn")

def test_a_thread_that_does_not_end(noblock):
    noblock.get("/thread")

@pytest.mark.noblock(app=api.made(api.starting))
def test_a_start_that_holds_the_loop(noblock):
    pass

@pytest.mark.noblock(app=api.made(api.stopping))
def test_a_stop_that_holds_the_loop(noblock):
    noblock.get("/fine")

def test_counters_that_would_take_a_minute(noblock):
    check = noblock.check("GET", "/resumes", max_block="20 ms", timeout=20)
    assert check.outcome == "failed", check.reason
    assert [(each.kind, each.line) for each in check.findings] == [("cpu", LINE)]

@pytest.mark.noblock(app=api.never_asks)
def test_a_start_that_asks_for_nothing(noblock):
    pass

@pytest.mark.noblock(app=api.says_nothing)
def test_a_lifespan_that_returns_at_once(noblock):
    assert noblock.get("/").text == "x"

def test_nothing_stays_patched():
    from pytest_noblock.engine import instrument
    from pytest_noblock.engine.steps import handles

    assert not instrument._users
    assert not handles.METERS
    assert asyncio.events.Handle._run.__module__ == "asyncio.events"

def test_a_fork_in_an_endpoint(noblock):
    noblock.check("GET", "/forks")
    noblock.get("/fine")
"""


def line_of(name: str) -> int:
    """The number of the line in `api.py` that ends with this name as a comment."""
    (line,) = (number for number, line in enumerate(API.strip().splitlines(), 1) if line.endswith(f"# {name}"))
    return line


def test_every_wait_for_the_app_has_an_end_and_a_sentence(pytester):
    """In one process of its own: nothing can take the threads away again that are held."""
    pytester.makeconftest(SHORT)
    pytester.makepyfile(api=API, test_it=TESTS.replace("LINE", str(line_of("resumes"))))
    result = pytester.runpytest_subprocess("--noblock-app=api:app", "-o", "noblock_linger=0.1s", timeout=100)
    said = result.stdout.str()
    result.assert_outcomes(passed=8, failed=2, errors=5)
    at = "it sits at api.py:{} in {}"
    held = "took the event loop and did not give it back (timeout={})\n\n  by      api.py:{} in {}\n"
    for text in (
        f"GET /orphan {held.format(30, line_of('later'), 'later')}",
        f"GET /fine {held.format(1, line_of('much'), 'much')}",
        f"the app cannot be stopped: it holds the event loop, {at.format(line_of('much'), 'much')}",
        f"a task of it did not end within 1 s of its cancellation, {at.format(line_of('stays'), 'stays')}",
        f"the app's lifespan startup did not finish within 2 s, {at.format(line_of('starting'), 'starting')}",
        f"the app's lifespan shutdown did not finish within 2 s, {at.format(line_of('stopping'), 'stopping')}",
        f"the app's lifespan startup did not finish within 2 s, {at.format(line_of('never_asks'), 'never_asks')}",
    ):
        assert text in said
    assert "pytest_noblock/" not in said  # no frame of ours


@pytest.fixture
def ends(pytester):
    """Runs a test file, whose app is `api:app`, in a process of its own; raises where it does not end in time.

    What holds the loop does so for 600 s. Beside ten busy processes a run took 31 s.
    """

    def ends(tests: str, *options: str) -> tuple[pytest.RunResult, str]:
        pytester.makeconftest(SHORT)
        pytester.makepyfile(api=API, test_it=tests)
        result = pytester.runpytest_subprocess("--noblock-app=api:app", *options, timeout=100)
        return result, result.stdout.str() + result.stderr.str()

    return ends


HELD = f"the app's event loop was held meanwhile, it sits at api.py:{line_of('holds')} in holds"


@pytest.mark.parametrize("scope", ["function", pytest.param("session", marks=pytest.mark.one_python)])
def test_ctrl_c_ends_the_run_while_a_request_holds_the_loop(ends, scope):
    result, said = ends(
        """
        import os
        import signal
        import threading

        def test_it(noblock):
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            noblock.get("/holds")

        def test_another():
            pass
        """,
        "-o",
        f"noblock_scope={scope}",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert HELD in said
    assert "INTERNALERROR" not in said


def test_a_run_that_was_interrupted_says_what_holds_the_loop_and_ends(ends):
    """The fixture is torn down after the run then: no test can fail any more."""
    result, said = ends(
        """
        import time

        def test_it(noblock):
            noblock.get("/much-later")
            time.sleep(0.5)
            raise KeyboardInterrupt

        def test_another(noblock):
            pass
        """,
        "-o",
        "noblock_linger=0.1s",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert f"noblock: the app cannot be stopped: it holds the event loop, it sits at api.py:{line_of('much')}" in said
    assert "pytest_sessionfinish" not in said  # no traceback of pytest's own


def test_pytest_timeout_ends_the_test_by_its_signal(ends):
    pytest.importorskip("pytest_timeout")
    result, said = ends(
        """
        import pytest

        def test_before(noblock):
            noblock.get("/fine")

        @pytest.mark.timeout(3, method="signal")
        def test_it(noblock):
            noblock.get("/holds")

        def test_after(noblock):
            noblock.get("/fine")
        """,
        "-o",
        "noblock_scope=session",
    )
    result.assert_outcomes(passed=2, failed=1)
    assert "Timeout (>3.0s) from pytest-timeout." in said
    assert HELD in said
    assert "pytest_noblock/" not in said.partition("Captured stdout")[0]  # no frame of ours, but in all the stacks


def test_pytest_timeout_ends_the_run_by_its_thread(ends):
    pytest.importorskip("pytest_timeout")
    result, said = ends(
        """
        import pytest
        import api  # on a busy machine that takes seconds, and the test has three

        @pytest.mark.timeout(3, method="thread")
        def test_it(noblock):
            noblock.get("/holds")
        """
    )
    assert result.ret == 1
    assert "Timeout" in said
    assert f'api.py", line {line_of("holds")}, in holds' in said  # in the stacks that pytest-timeout prints


FORKS = """
    import multiprocessing
    import os

    def ask(noblock, answers):
        check = noblock.check("GET", "/fine")
        answers.put((check.outcome, check.reason))

    def test_a_child_of_multiprocessing(noblock):
        noblock.get("/fine")
        context = multiprocessing.get_context("fork")
        answers = context.Queue()
        child = context.Process(target=ask, args=(noblock, answers))
        child.start()
        assert answers.get(timeout=20) == (
            "inconclusive", "GET /fine cannot be sent: the app runs in the process that forked this one"
        )
        child.join(20)
        assert child.exitcode == 0
        noblock.get("/fine")

    def test_a_child_that_goes_on_with_the_tests(noblock):
        noblock.get("/fine")
        before = open("report.json").read()  # of the first test
        child = os.fork()
        if child:
            assert os.waitpid(child, 0) == (child, 0)
            assert open("report.json").read() == before
            noblock.get("/fine")
"""


def test_a_forked_child_ends_and_writes_no_report(ends, pytester):
    """The child of the second test comes to the end of the run as its parent does."""
    result, said = ends(FORKS, "--noblock-report=report.json", "-W", "ignore::DeprecationWarning")
    assert result.ret == 0, said
    report = (pytester.path / "report.json").read_text(encoding="utf-8")
    assert report.count("GET /fine") >= 4

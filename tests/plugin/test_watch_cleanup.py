"""After a watched test nothing of ours is left.

With `--noblock` the session's one watchdog and its timer are, and one test hands the patches over to the next.
"""

import asyncio
import textwrap
import threading
import time

import pytest

from tests.plugin.test_cleanup import STATE

API = """
    import time

    from fastapi import BackgroundTasks, FastAPI
    from fastapi.testclient import TestClient
    from starlette.background import BackgroundTask, BackgroundTasks as Tasks

    app = FastAPI()

    @app.get("/")
    async def index():
        step = asyncio.events.Handle._run.__module__.rpartition(".")[2]
        return {"step": step, "sleep": hasattr(time.sleep, "__wrapped__")}

    @app.get("/blocks")
    async def blocks():
        time.sleep(0.06)

    @app.get("/raises")
    async def raises():
        raise ValueError

    @app.post("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(print, "late")

    @app.get("/worker")
    def worker():
        return {}

    def everything():
        import httpx
        import starlette.testclient as testclient

        try:
            import httpx2
        except ImportError:
            httpx2 = httpx
        patched = [httpx.ASGITransport, httpx2.ASGITransport, testclient._TestClientTransport, BackgroundTask, Tasks]
        return state() | {
            "transports": [names(each) | {"call": each.__dict__.get("__call__")} for each in patched],
            "import": sys.modules["importlib._bootstrap"]._find_and_load,
        }
"""
TESTS = {
    "passes": "assert TestClient(app).get('/').json() == {'step': 'handles', 'sleep': True}",
    "blocks": "TestClient(app).get('/blocks')",
    "raises": "TestClient(app).get('/raises')",
    "runs a task": "TestClient(app).post('/background')",
    "uses a worker": "TestClient(app).get('/worker')",
    "fails itself": "TestClient(app).get('/'); assert 0",
    "skips": "TestClient(app).get('/'); pytest.skip('enough')",
    "leaves its client open": "open_clients.append(TestClient(app).__enter__()); open_clients[0].get('/')",
}


@pytest.mark.parametrize("options", [(), ("--noblock",)], ids=["marker", "flag"])
def test_nothing_is_left_after_a_test_that(pytester, run_in_turn, options):
    head = textwrap.dedent(STATE).partition("\nbefore = {}")[0]
    kept, first = ("noblock watchdog", "test_before") if options else ("", "test_middle")
    body = """
open_clients = []
before = {}

with TestClient(app) as client:  # what asyncio and anyio keep for good
    client.get("/worker")

def test_before():
    pass

@pytest.mark.noblock
def test_middle():
"""
    after = "" if options else "\n\ndef test_after():\n    pass\n"  # the next one is not watched
    conftest = f"""
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    module = item.module
    if item.name == "{first}":
        module.before.update(module.everything())
    result = yield
    if item.name == "test_middle":
        import gc, time
        gc.collect()
        for _ in range(100):
            now = module.everything()
            changed = {{key: (value, now[key]) for key, value in module.before.items() if now[key] != value}}
            threads = changed.pop("threads", ([], []))
            files = changed.pop("files", ([], []))
            added = sorted(set(threads[1]) - set(threads[0]))
            new_files = len(files[1]) - len(files[0])
            settled = new_files <= {2 * bool(options)} or module.open_clients
            if settled and not changed and added in ([], {[kept] if kept else []}):
                break
            time.sleep(0.01)
        else:
            print("LEFT", changed, added, files)
        print("LOOKED")
    return result
"""
    pytester.makeconftest(conftest)
    for number, test in enumerate(TESTS.values()):
        source = f"{head}{textwrap.dedent(API)}{body}    {test}\n{after}"
        pytester.makepyfile(**{f"test_{number}": source})
    files = [f"test_{number}.py" for number in range(len(TESTS))]
    printed = run_in_turn(files, "-s", "-p", "no:cov", "-p", "no:faulthandler", *options)
    for file, name in zip(files, TESTS, strict=True):
        assert "LOOKED" in printed[file], (name, printed)
        assert "LEFT" not in printed[file], (name, printed[file])


def test_a_session_has_one_watchdog_and_closes_it(pytester):
    pytester.makepyfile(
        test_it=textwrap.dedent(API).replace("asyncio.events", "__import__('asyncio').events")
        + """
import os, threading
import pytest

seen = []

@pytest.mark.parametrize("number", range(5))
def test_it(number):
    TestClient(app).get("/")
    watchdogs = [thread.ident for thread in threading.enumerate() if "noblock watchdog" in thread.name]
    seen.append((watchdogs, len(os.listdir("/proc/self/fd"))))
    assert len(watchdogs) == 1
    assert seen[0][0] == watchdogs
    assert seen[-1][1] <= seen[0][1] + 1
"""
    )

    pytester.runpytest_subprocess("--noblock").assert_outcomes(passed=5)


def test_a_driver_that_a_test_imports_is_watched_at_once_and_in_the_next(pytester):
    """Between siblings nothing is patched anew but what was imported meanwhile."""
    pytester.makepyfile(
        psycopg2="def _connect():\n    pass\n",
        test_it=textwrap.dedent(API).replace("asyncio.events", "__import__('asyncio').events")
        + """
def patched():
    import psycopg2
    return hasattr(psycopg2._connect, "__wrapped__")

def test_the_first():
    assert patched()

def test_the_second():
    TestClient(app).get("/")
    assert patched()

def test_the_third():
    assert patched()
""",
    )
    pytester.runpytest_subprocess("--noblock").assert_outcomes(passed=3)


def test_what_a_fixture_replaces_and_gives_back_is_bare_again(pytester):
    """The fixture finds a wrapper of ours and gives that back, after the test's call."""
    pytester.makepyfile(
        test_it=textwrap.dedent(API).replace("asyncio.events", "__import__('asyncio').events")
        + """
import pytest

bare = time.sleep

@pytest.fixture
def no_sleep(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

@pytest.fixture(scope="class")
def no_sleep_for_a_class():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        yield

@pytest.mark.noblock
def test_mocked(no_sleep):
    TestClient(app).get("/blocks")

def test_after_mocked():
    assert time.sleep is bare

@pytest.mark.noblock
class TestMocked:
    def test_one(self, no_sleep_for_a_class):
        TestClient(app).get("/blocks")

    def test_two(self, no_sleep_for_a_class):
        TestClient(app).get("/blocks")

def test_after_class():
    assert time.sleep is bare
"""
    )
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=5)


def test_a_run_that_stops_early_leaves_nothing_either(pytester):
    """The next test, to which the patches would have been handed over, never comes."""
    pytester.makepyfile(
        test_it=textwrap.dedent(API).replace("asyncio.events", "__import__('asyncio').events")
        + """
def test_last():
    TestClient(app).get("/")

def test_never_comes():
    pass
"""
    )
    pytester.makeconftest(
        """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    result = yield
    item.session.shouldstop = "enough"
    return result
"""
    )
    before = asyncio.events.Handle._run, time.sleep, threading.Thread.start
    pytester.runpytest_inprocess("--noblock", "-p", "no:randomly").assert_outcomes(passed=1)
    assert (asyncio.events.Handle._run, time.sleep, threading.Thread.start) == before


def test_what_a_fixture_of_a_class_replaces_is_its_own_also_between_watched_tests(pytester):
    pytester.makepyfile(
        test_it=textwrap.dedent(API).replace("asyncio.events", "__import__('asyncio').events")
        + """
import pytest

@pytest.fixture(scope="class")
def no_sleep():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        yield

class TestMocked:
    def test_one(self, no_sleep):
        TestClient(app).get("/blocks")

    def test_two(self, no_sleep):
        TestClient(app).get("/blocks")

def test_after():
    TestClient(app).get("/blocks")
"""
    )
    result = pytester.runpytest_subprocess("--noblock", "-p", "no:randomly")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["GET /blocks blocked the event loop *"])


def test_what_a_parametrized_fixture_gives_back_between_two_tests_of_one_module_is_watched_again(pytester):
    """Its first instance ends when the second test has been set up already."""
    pytester.makepyfile(
        test_it=textwrap.dedent(API).replace("asyncio.events", "__import__('asyncio').events")
        + """
import pytest

@pytest.fixture(scope="module", params=["mocked", "real"])
def sleep(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "mocked":
            patch.setattr(time, "sleep", lambda seconds: None)
        yield

def test_it(sleep):
    TestClient(app).get("/blocks")
"""
    )
    result = pytester.runpytest_subprocess("--noblock", "-p", "no:randomly", "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_it[[]mocked] PASSED*", "*test_it[[]real] FAILED*"])
    result.stdout.fnmatch_lines(["GET /blocks blocked the event loop *"])


def test_a_run_that_is_interrupted_in_a_test_leaves_nothing(pytester):
    """Such a test has no teardown."""
    pytester.makepyfile(
        """
        import time

        import pytest

        def test_it():
            assert hasattr(time.sleep, "__wrapped__")
            pytest.exit("enough")
        """
    )
    before = asyncio.events.Handle._run, time.sleep
    result = pytester.runpytest("--noblock", "-p", "no:randomly")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert (asyncio.events.Handle._run, time.sleep) == before

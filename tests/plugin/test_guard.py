"""A fault of ours is never the user's: planted at each entrance, it changes no test and is told once, in the end."""

import importlib
import json
import sys

import pytest

from pytest_noblock.engine import guard

TESTS = """
    import gc
    import re
    import time

    import pytest
    from fastapi import BackgroundTasks, FastAPI
    from fastapi.testclient import TestClient
    from starlette.websockets import WebSocket

    async def plain(scope, receive, send):
        import only_now
        time.sleep(0.001)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"plain"})

    app = FastAPI()

    @app.post("/")
    async def index(tasks: BackgroundTasks):
        gc.collect(0)
        time.sleep(0.001)
        re.compile("[a-z]+ of this test")
        tasks.add_task(done.append, "task")
        return "index"

    @app.get("/worker")
    def worker():
        return "worker"

    @app.get("/raises")
    async def raises():
        time.sleep(0.045)  # long enough for a look of the watchdog
        raise ValueError("the app's own")

    @app.websocket("/ws")
    async def ws(socket: WebSocket):
        await socket.accept()
        await socket.send_text("hello")

    done = []

    def test_answers():
        done.clear()
        assert TestClient(app).post("/").json() == "index"
        assert done == ["task"]
        with TestClient(app) as client:
            assert client.get("/worker").json() == "worker"

    def test_plain_app():
        assert TestClient(plain).get("/").text == "plain"

    def test_websocket():
        with TestClient(app).websocket_connect("/ws") as socket:
            assert socket.receive_text() == "hello"

    def test_raises():
        with pytest.raises(ValueError, match="the app's own"):
            TestClient(app).get("/raises")

    def test_skips():
        TestClient(app).post("/")
        pytest.skip("enough")

    @pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
    def test_xfails():
        TestClient(app).post("/")
        1 / 0
"""
OUTCOMES = {"passed": 4, "skipped": 1, "xfailed": 1}
ENTRANCES = {
    "a request enters": "engine.watch:RequestWatch.request_enters",
    "a transport carries it": "engine.asgi.entry_points:type",
    "a thread starts": "engine.steps.python_threads:note_start",
    "garbage is collected": "engine.steps.collector:_is_asked_for",
    "a loop closes": "engine.open_loops:OpenLoops._note_left",
    "a module is imported": "engine.instrument:any",
    "its import is not charged": "engine.steps.deductions:Deductions.importing",
    "a pattern is compiled": "engine.steps.first_uses:_words",
    "patches go in": "engine.instrument:cover_c_calls",
    "the watchdog looks": "engine.steps.watchdog:Watchdog._take_samples",
    "its call is put into steps": "engine.steps.other_loops:metered_coroutine",
    "a step of it begins": "engine.steps.meter:StepMeter.begin",
    "a step of it ends": "engine.steps.meter:StepMeter.end",
    "it ends": "engine.frameworks.starlette:_remains",
    "it makes a known call": "engine.steps.meter:StepMeter.known_call_ended",
    "it adds a background task": "engine.frameworks.background_tasks:LiveTask",
    "its background task runs": "engine.frameworks.background_tasks:_record_of",
    "a call begins that nobody wraps": "engine.asgi.look:_is_call",
    "a watch starts": "engine.watch:RequestWatch.start",
    "a watch stops": "engine.watch:RequestWatch.stop",
    "nothing is to be said": "report.uneventful:UneventfulTexts.text",
    "a test is judged": "checks.watched:judge_watched",
    "a record is attached": "plugin.watching:attach",
    "the report of a test is kept": "plugin.reporter:Reporter._keep",
    "the run is summed up": "report.summary:summary",
}


class Planted(Exception):
    """The fault."""


def _raising(*_args: object, **_kwargs: object) -> None:
    raise Planted("planted\nhere")


@pytest.fixture
def plant(monkeypatch):
    """A plugin that puts a function that raises in the place of one of ours, once the tests are collected."""

    class Planter:
        def __init__(self, where: str) -> None:
            self._where = where

        def pytest_collection_finish(self) -> None:
            put(self._where)

    def put(where: str) -> None:
        module, _, path = where.partition(":")
        *outer, name = path.split(".")
        owner = importlib.import_module(f"pytest_noblock.{module}")
        for each in outer:
            owner = getattr(owner, each)
        value = property(_raising) if isinstance(vars(owner).get(name), property) else _raising
        monkeypatch.setattr(owner, name, value, raising=False)

    yield Planter
    monkeypatch.undo()
    guard.taken()  # a thread of ours may have met the fault after the inner run had told its own: it is not this run's


def told(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "noblock failed, and did not judge this test" in line]


ON_EACH_PYTHON = ["a request enters", "a module is imported", "patches go in", "a step of it begins", "a watch stops"]


@pytest.mark.parametrize(
    "entrance",
    [pytest.param(each, marks=() if each in ON_EACH_PYTHON else pytest.mark.one_python) for each in ENTRANCES],
)
def test_a_fault_is_told_once_and_changes_no_test(pytester, plant, entrance):
    if entrance == "a call begins that nobody wraps" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring came with 3.12, and without it nobody looks")
    pytester.makepyfile(test_it=TESTS, only_now="")
    result = pytester.runpytest("--noblock", "-ra", "-p", "no:cov", plugins=[plant(ENTRANCES[entrance])])
    result.assert_outcomes(**OUTCOMES)
    lines = told(result)
    assert lines
    assert len(lines) == len(set(lines))
    assert all(": Planted: planted here at pytest_noblock/" in line for line in lines)
    assert all(line.endswith("please report it, with this line") for line in lines)
    assert result.ret != pytest.ExitCode.OK
    text = result.stdout.str() + result.stderr.str()
    assert not [word for word in ("INTERNALERROR", "Traceback", "Warning") if word in text], text


PLANTING = """
    import pytest

    class Planted(Exception):
        pass

    def raising(*_, **__):
        raise Planted("planted")

    def pytest_collection_finish():
        from pytest_noblock.{module} import {owner}

        {owner}.{name} = raising

    def pytest_sessionfinish(session):
        if hasattr(session.config, "workeroutput"):
            from pytest_noblock.engine.guard import guarded

            guarded(raising)
"""
ENTERS = PLANTING.format(module="engine.watch", owner="RequestWatch", name="request_enters")
MARKED = """
    import pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()

    @app.get("/")
    async def index():
        return "index"

    @pytest.mark.noblock{mark}
    def test_marked():
        assert TestClient(app).get("/").json() == "index"
"""


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("mark", "options", "code"),
    [
        ("", ("--noblock",), 1),
        ("", ("--noblock", "--noblock-action=warn"), 0),
        ('(action="warn")', ("--noblock",), 0),
        ('(action="fail")', ("--noblock", "--noblock-action=warn"), 1),
        ("", ("--noblock", "-n2"), 1),
    ],
    ids=["fail", "warn", "warn-by-marker", "fail-by-marker", "xdist"],
)
def test_the_exit_code_is_that_of_the_action(pytester, mark, options, code):
    if "-n2" in options:
        pytest.importorskip("xdist")
    pytester.makeconftest(ENTERS)
    pytester.makepyfile(test_it=MARKED.format(mark=mark))
    result = pytester.runpytest_subprocess("-p", "no:cov", "--noblock-report=report.json", *options)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*noblock failed, and did not judge this test: Planted: planted at *", "      test_it.py::test_marked"]
    )
    if "-n2" in options:
        result.stdout.fnmatch_lines(["      the end of a worker"])
    assert result.ret == code
    (check,) = json.loads(pytester.path.joinpath("report.json").read_text(encoding="utf-8"))["checks"]
    assert check["outcome"] == "inconclusive"
    assert check["notes"][0].startswith("noblock failed, and did not judge this test: Planted: planted at pytest_nob")


FIXTURES = {
    "its app is started": "checks.running_apps:RunningApps.checker",
    "its request is checked": "checks.checker:Checker._measured",
}


@pytest.mark.parametrize("entrance", FIXTURES)
def test_a_test_that_cannot_have_its_fixture_fails_with_one_sentence(shop, plant, refused, entrance):
    shop.makepyfile(test_shop="def test_it(noblock):\n    noblock.get('/health')\n")
    result = shop.runpytest("--noblock-app=shop:app", "-p", "no:cov", plugins=[plant(FIXTURES[entrance])])
    assert result.parseoutcomes() in ({"failed": 1}, {"error": 1}, {"errors": 1})
    text = result.stdout.str()
    assert "Planted: planted here at pytest_noblock/" in text
    assert "Traceback" not in text
    assert "tests/plugin/test_guard.py" not in text

"""The hooks of a conftest.py, and apps that cannot be swept: each has its own sentence, and the run is not green."""

import gc
import re
import textwrap

import pytest

APP = """
import asyncio, os, signal, sys, threading, time
from contextlib import asynccontextmanager
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse

def allowed():
    raise HTTPException(403)

app = FastAPI()

@app.get("/one")
async def one(q: int):
    await asyncio.sleep(0)
    return q

@app.get("/two", dependencies=[Depends(allowed)])
async def two():
    await asyncio.sleep(0)

@app.get("/three")
async def three():
    await asyncio.sleep(0)

@app.get("/four/{thing}")
async def four(thing: str):
    await asyncio.sleep(0)
    if thing != "gold":
        raise HTTPException(404)

empty = FastAPI()

@asynccontextmanager
async def fails(app):
    raise ConnectionError("no database")
    yield

dead = FastAPI(lifespan=fails)
dead.get("/one")(one)
dead.get("/three")(three)

harsh = FastAPI()
harsh.get("/three")(three)

@harsh.get("/exits")
async def exits():
    async def die():
        sys.exit(3)
    task = asyncio.ensure_future(die())
    await asyncio.sleep(0.1)

@harsh.get("/spins")
async def spins():
    while True:
        pass

@harsh.get("/never")
async def never():
    await asyncio.Event().wait()

@harsh.get("/streams")
async def streams():
    async def pieces():
        while True:
            yield b"x"
            await asyncio.sleep(0.05)
    return StreamingResponse(pieces())

@harsh.get("/blocks")
async def blocks():
    time.sleep(0.08)

late = FastAPI()

@late.get("/quick")
async def quick():
    await asyncio.sleep(0)

@late.get("/held")
async def held():
    time.sleep(0.08)

@late.get("/slow")
async def slow():
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    await asyncio.sleep(8)
"""


@pytest.fixture
def swept(pytester: pytest.Pytester):
    pytester.makepyfile(app=APP)

    def swept(app: str, *options: str, conftest: str = "", process: bool = False) -> pytest.RunResult:
        pytester.makeconftest(conftest)
        run = pytester.runpytest_subprocess if process else pytester.runpytest
        return run(f"--noblock-sweep={app}", "-p", "no:randomly", *options)

    return swept


HOOKS = """
import app as module

def pytest_noblock_app(app):
    app.dependency_overrides[module.allowed] = lambda: None

def pytest_noblock_request(route, request):
    if route.path == "/one":
        request.params["q"] = "5"
    if route.path == "/three":
        return "needs the moon"
    if "{thing}" in route.path:
        assert route.name == "GET /four/{thing}"
        assert route.endpoint is module.four
        request.url = "/four/gold"
"""


@pytest.mark.one_python
def test_the_hooks_prepare_the_app_and_each_request(swept):
    result = swept("app:app", "-rs", conftest=HOOKS)
    result.assert_outcomes(passed=3, skipped=1)
    assert "excluded: needs the moon: it was left out by an option, or by the hook" in result.stdout.str()


@pytest.mark.one_python
def test_another_app_may_be_returned(swept):
    conftest = "import app as module\n\ndef pytest_noblock_app(app):\n    return module.late\n"
    text = swept("app:app", "--co", "-q", conftest=conftest).stdout.str()
    assert "noblock::GET /quick" in text
    assert "GET /one" not in text


@pytest.mark.one_python
def test_a_hook_that_raises_is_named_by_its_line_and_the_others_are_measured(swept, refused):
    conftest = "def pytest_noblock_request(route, request):\n    if route.path == '/one':\n        1 / 0\n"
    result = swept("app:app", conftest=conftest)
    result.assert_outcomes(failed=1, passed=1, skipped=2)
    refused(result, "the hook pytest_noblock_request raised ZeroDivisionError('division by zero') at conftest.py:3")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        ("nowhere:app", "'nowhere:app' cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("app:none", "'app:none' cannot be found: module 'app' has no attribute 'none'"),
        ("app", "'app' is not of the form pkg.mod:app"),
        ("app:empty", "'app:empty' has no routes that the sweep can see"),
    ],
)
def test_an_app_that_cannot_be_swept_has_its_sentence(swept, refused, app, sentence):
    result = swept(app)
    refused(result, sentence)
    assert result.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.one_python
def test_a_hook_of_the_app_that_raises_has_its_sentence(swept, refused):
    result = swept("app:app", conftest="def pytest_noblock_app(app):\n    raise RuntimeError('no seed')\n")
    refused(result, "the hook pytest_noblock_app raised RuntimeError('no seed') at conftest.py:2 in pytest_noblock_app")
    assert result.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.one_python
def test_an_app_that_does_not_start_is_told_once(swept, refused):
    result = swept("app:dead", "-rs")
    result.assert_outcomes(failed=1, skipped=1)
    refused(
        result,
        "the app's lifespan startup failed: ConnectionError('no database') at app.py:",
        "failed: the app did not start, see noblock::GET /one",
    )


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--noblock-methods=GETT", "--noblock-methods: GETT is not a list of methods, as GET,HEAD,POST"),
        ("--noblock-require=much", "--noblock-require: 'much' is not a share of the routes, as 80%"),
        ("--noblock-require=120%", "--noblock-require: '120%' is not a share of the routes, as 80%"),
        ("--noblock-param=x", "--noblock-param=x is not of the form NAME=VALUE"),
        ("--noblock-header=X: $NOBLOCK_NO_SUCH", "the environment has no variable NOBLOCK_NO_SUCH"),
        ("--noblock-openapi=no.json", "cannot be read"),
    ],
)
def test_a_wrong_option_has_its_sentence(swept, refused, option, sentence):
    result = swept("app:app", option)
    refused(result, sentence)
    assert result.ret != pytest.ExitCode.OK


@pytest.mark.one_python
def test_routes_that_end_the_loop_take_it_or_never_end_are_named_and_the_others_measured(swept):
    """In a process of its own: the thread that spins ends with it."""
    conftest = """
        from pytest_noblock.engine.many.flights import Patience
        from pytest_noblock.sweep import flights
        flights._HELD_S = 1.0
        flights.PATIENCE = Patience(1.5, 0.5)
    """
    result = swept("app:harsh", conftest=textwrap.dedent(conftest), process=True)
    text = result.stdout.str()
    result.assert_outcomes(failed=4, passed=1, skipped=1)
    assert "GET /exits ended the event loop with SystemExit(3)" in text
    assert "GET /spins took the event loop and did not give it back" in text
    assert "in spins" in text
    assert "GET /never did not answer within" in text
    assert "in never" in text
    assert "GET /blocks blocked the event loop" in text
    assert "endless: GET /streams" in text
    assert "2 of 6 routes measured" in text


@pytest.mark.one_python
def test_ctrl_c_tells_what_was_measured(swept):
    result = swept("app:late", process=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    text = result.stdout.str()
    assert "1 of 3 routes measured" in text
    assert "GET /held   inconclusive" in text
    assert "GET /quick  passed" in text
    assert "Traceback" not in text


BARE = """
import asyncio, json, time

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "bare", "version": "1"},
    "paths": {"/good": {"get": {"responses": {}}, "post": {"responses": {}}}, "/bad": {"get": {"responses": {}}}},
}

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await asyncio.sleep(0.01)
    if scope["path"] == "/bad":
        time.sleep(0.08)
    body = json.dumps(DOCUMENT if scope["path"] == "/openapi.json" else {}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.mark.one_python
def test_any_asgi_app_is_swept_by_its_openapi_document_a_file_or_a_path_of_its_own(pytester, refused):
    pytester.makepyfile(bare=BARE)
    pytester.makefile(".json", document='{"openapi": "3.1.0", "info": {}, "paths": {"/good": {"get": {}}}}')
    result = pytester.runpytest("--noblock-sweep=bare:app", "--noblock-openapi=/openapi.json", "-rs")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    text = result.stdout.str()
    assert "GET /bad blocked the event loop" in text
    assert "2 of 3 routes measured" in text
    assert re.search(r"SKIPPED \[1\] \S+: unsafe-method", text)  # no line of the endpoint is known, and none is told
    pytester.runpytest("--noblock-sweep=bare:app", "--noblock-openapi=document.json").assert_outcomes(passed=1)
    result = pytester.runpytest("--noblock-sweep=bare:app", "--noblock-openapi=/good")
    refused(result, "--noblock-openapi=/good: the answer of the app")
    assert result.ret == pytest.ExitCode.INTERRUPTED


TWICE = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/one")
async def one():
    return 1

@app.get("/one")
async def other():
    return 2
"""


@pytest.mark.one_python
def test_what_the_sweep_cannot_see_is_said(pytester):
    pytester.makepyfile(twice=TWICE)
    text = pytester.runpytest("--noblock-sweep=twice:app").stdout.str()
    assert text.count("GET /one is declared twice") == 1
    assert "The pages of the framework itself are left out" not in text
    assert (
        "The pages of the framework itself are left out"
        in pytester.runpytest("--noblock-sweep=twice:app", "-v").stdout.str()
    )


def test_full_collections_are_put_off_while_routes_run_and_for_no_other_test(pytester):
    pytester.makepyfile(
        app="""
            import gc
            from fastapi import FastAPI
            app, seen = FastAPI(), []

            @app.get("/seen")
            def see():
                seen.append(gc.get_threshold())
        """,
        conftest="""
            import pytest

            @pytest.hookimpl(trylast=True)
            def pytest_collection_modifyitems(items):
                items.sort(key=lambda item: not item.nodeid.startswith("noblock::"))
        """,
        test_after="""
            import gc
            import app

            BEFORE = gc.get_threshold()

            def test_after_the_routes():
                assert app.seen and all(seldom > BEFORE[2] for _young, _middle, seldom in app.seen)
                assert gc.get_threshold() == BEFORE
        """,
    )
    before = gc.get_threshold()
    result = pytester.runpytest("--noblock-sweep=app:app", "test_after.py", "-p", "no:randomly")
    result.assert_outcomes(passed=2)
    assert gc.get_threshold() == before


def test_a_sleep_that_the_thread_of_another_route_hides_by_keeping_the_gil_is_found_without_it(pytester):
    pytester.makepyfile(
        app="""
            import asyncio, re, subprocess, sys, threading
            from fastapi import FastAPI
            app, sleeps_now = FastAPI(), threading.Event()

            @app.get("/keeps")
            def keeps():
                sleeps_now.clear()
                sleeps_now.wait(0.5)
                re.match(r"(a+)+$", "a" * 22 + "b")

            @app.get("/hidden")
            async def hidden():
                await asyncio.sleep(0.1)
                sleeps_now.set()
                subprocess.run(["sleep", "0.1"])  # BAD

            @app.get("/good")
            async def good():
                await asyncio.sleep(0.1)
        """
    )
    lines = pytester.path.joinpath("app.py").read_text().splitlines()
    bad = next(number for number, line in enumerate(lines, 1) if "# BAD" in line)
    text = pytester.runpytest_subprocess("--noblock-sweep=app:app", "-p", "no:randomly").stdout.str()
    assert "GET /hidden blocked the event loop" in text
    assert f"app.py:{bad} in hidden" in text
    assert "GET /good    passed" in text

"""Only requests are judged, each for itself, and the app cannot hide anything."""

import json

import pytest

HEAD = """
import asyncio
import time

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

def http(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
"""


@pytest.fixture
def suite(pytester):
    def suite(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_suite=HEAD + tests)
        return pytester.runpytest("--noblock", *options)

    return suite


INNOCENT = """
def work():
    time.sleep(0.1)
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass

@pytest.fixture
def app():
    work()
    app = FastAPI()

    @app.get("/")
    async def index():
        await asyncio.sleep(0.01)

    return app

def test_an_app_that_is_built_in_the_body():
    app = FastAPI()
    work()

    @app.get("/")
    async def index():
        return {}

    with TestClient(app) as client:
        work()
        client.get("/")
        work()

def test_a_slow_fixture(app):
    TestClient(app).get("/")

@pytest.mark.asyncio
async def test_code_around_the_await_in_the_same_step(app):
    async with http(app) as client:
        work()
        await client.get("/")
        work()
        await asyncio.sleep(0)
        work()

@pytest.mark.asyncio
async def test_the_tests_own_tasks_beside_the_request(app):
    async def beside():
        await asyncio.sleep(0.005)
        work()

    async with http(app) as client:
        await asyncio.gather(client.get("/"), beside())

@pytest.mark.asyncio
async def test_what_the_client_does_in_send_and_receive(app):
    async def receive():
        work()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        work()

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    await app(scope, receive, send)

@pytest.mark.asyncio
async def test_a_body_that_the_test_makes_slowly(app):
    async def parts():
        work()
        yield b"a"

    @app.post("/")
    async def take(request: Request):
        await request.body()

    async with http(app) as client:
        await client.post("/", content=parts())
"""


def test_nothing_but_requests_is_judged(suite):
    result = suite(INNOCENT)
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["*requests watched in 6 tests"])
    result.stdout.no_fnmatch_line("*sync-io*")


def test_a_thread_that_the_machine_starts_late_is_not_the_requests_doing(suite):
    result = suite("""
import threading

app = FastAPI()

@app.get("/")
async def index():
    await asyncio.to_thread(int)

def test_it(monkeypatch):
    start = threading.Thread._bootstrap_inner

    def late(thread):
        if "asyncio" in thread.name:
            time.sleep(0.1)
        start(thread)

    monkeypatch.setattr(threading.Thread, "_bootstrap_inner", late)
    TestClient(app).get("/")
""")
    result.assert_outcomes(passed=1)


def test_an_import_in_the_endpoint_is_a_note(suite, pytester):
    pytester.makepyfile(
        heavy="import time\ntime.sleep(0.1)\nend = time.thread_time() + 0.1\nwhile time.thread_time() < end: pass"
    )
    result = suite(
        """
app = FastAPI()

@app.get("/")
async def index():
    import heavy

def test_it():
    TestClient(app).get("/")
""",
        "--noblock-report=report.json",
    )
    result.assert_outcomes(passed=1)
    assert "cold: imports, " in (pytester.path / "report.json").read_text()


def test_overlapping_requests_keep_their_own_findings(suite, pytester):
    result = suite(
        """
app = FastAPI()

@app.get("/sleeps/{number}")
async def sleeps(number: int):
    await asyncio.sleep(0.01 * number)
    time.sleep(0.06 + 0.02 * number)

@app.get("/quiet/{number}")
async def quiet(number: int):
    for _ in range(20):
        await asyncio.sleep(0.005)

@pytest.mark.asyncio
async def test_it():
    async with http(app) as client:
        paths = [f"/{which}/{number}" for number in range(3) for which in ("sleeps", "quiet")]
        await asyncio.gather(*map(client.get, paths))
""",
        "--noblock-report=report.json",
    )
    result.assert_outcomes(failed=1)
    checks = json.loads((pytester.path / "report.json").read_text())["checks"]
    found = {check["request"]: [each["ms"] for each in check["findings"]] for check in checks}
    assert {request for request, ms in found.items() if ms} == {f"GET /sleeps/{number}" for number in range(3)}
    for number in range(3):
        (ms,) = found[f"GET /sleeps/{number}"]
        assert ms == pytest.approx(60 + 20 * number, abs=15)
    assert {(check["route"], check["endpoint"]) for check in checks} == {
        ("/sleeps/{number}", "test_suite.sleeps"),
        ("/quiet/{number}", "test_suite.quiet"),
    }


def test_what_the_app_catches_is_found_all_the_same(suite):
    result = suite("""
app = FastAPI()

@app.exception_handler(Exception)
async def hide(request, error):
    return None

@app.get("/")
async def index():
    try:
        time.sleep(0.08)
    except BaseException:
        return {"caught": True}
    return {"caught": False}

def test_it():
    assert TestClient(app).get("/").json() == {"caught": False}
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GET / blocked the event loop * ms (limit 50 ms)"])


def test_a_request_that_ends_in_an_error_is_judged(suite):
    result = suite("""
app = FastAPI()

@app.get("/")
async def index():
    time.sleep(0.08)
    raise ValueError

def test_raises():
    with pytest.raises(ValueError):
        TestClient(app).get("/")

def test_500():
    assert TestClient(app, raise_server_exceptions=False).get("/").status_code == 500
""")
    result.assert_outcomes(failed=2)

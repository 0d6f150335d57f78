"""Known blocking calls that a mock answers: noted, or red at their line; awaited, or in a thread, they are neither."""

import json
import textwrap

import pytest

SHOP = """
import asyncio
import sqlite3
import time
import unittest.mock
import urllib.request

import boto3
import celery
import httpx
import redis
import requests
import sqlalchemy
from fastapi import FastAPI

URL = "http://rates.test/"
app = FastAPI()
tasks = celery.Celery(broker_url="memory://")
orders = unittest.mock.MagicMock()

@tasks.task
def report():
    pass

tasks.finalize()

def sync_get():
    with httpx.Client() as client:
        return client.get(URL).json()

@app.get("/requests")
async def by_requests():
    return requests.get(URL).json()  # requests

@app.get("/requests/def")
def requests_in_def():
    return requests.get(URL).json()

@app.get("/requests/thread")
async def requests_in_thread():
    return (await asyncio.to_thread(requests.get, URL)).json()

@app.get("/httpx")
async def by_httpx():
    return sync_get()

@app.get("/httpx/async")
async def by_async_httpx():
    async with httpx.AsyncClient() as client:
        return (await client.get(URL)).json()

def in_memory(request):
    return httpx.Response(200, json={})

@app.get("/transport")
async def by_transport():
    with httpx.Client(transport=httpx.MockTransport(in_memory)) as client:
        return client.get(URL).json()  # transport

@app.get("/transport/async")
async def by_async_transport():
    async with httpx.AsyncClient(transport=httpx.MockTransport(in_memory)) as client:
        return (await client.get(URL)).json()

@app.get("/urllib")
async def by_urllib():
    return urllib.request.urlopen(URL).status  # urllib

@app.get("/urllib/file")
async def urllib_of_a_file():
    urllib.request.urlopen("file://" + __file__).close()

@app.get("/boto3")
async def by_boto3():
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="shop")  # boto3

@app.get("/boto3/def")
def boto3_in_def():
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="shop")

@app.get("/redis")
async def by_redis():
    redis.Redis().get("key")  # redis

@app.get("/celery")
async def by_celery():
    report.delay()  # celery

@app.get("/sleep")
async def by_sleep():
    time.sleep(1)  # sleep

@app.get("/sleep/async")
async def by_async_sleep():
    await asyncio.sleep(0)

@app.get("/repository")
async def by_repository():
    orders.get("tea").json()
    orders.save("tea")

def read_settings():
    with open(__file__) as file:
        return file.read()

engine = sqlalchemy.create_engine("sqlite://", creator=unittest.mock.Mock(side_effect=lambda: sqlite3.connect("")))

@app.get("/mock-inside")
async def by_a_mock_inside():
    engine.connect().close()
    engine.dispose()

@app.get("/settings")
async def settings():
    read_settings()
"""

TESTS = """
import unittest.mock
import urllib.request

import fakeconnection
import httpx
import moto
import pytest
import requests
import responses
import respx
from fastapi.testclient import TestClient

import shop

@responses.activate
def _by_responses(get, path):
    responses.get(shop.URL, json={})
    get(path)

@respx.mock
def _by_respx(get, path):
    respx.get(shop.URL).respond(json={})
    get(path)

@moto.mock_aws
def _by_moto(get, path):
    get(path)

def _by_itself(get, path):
    get(path)

def _by_transport(get, path):
    answer = requests.Response()
    answer.status_code, answer._content = 200, b"{}"
    with unittest.mock.patch("requests.adapters.HTTPAdapter.send", return_value=answer):
        get(path)

def _by_opener(get, path):
    answer = unittest.mock.MagicMock(status=200, code=200)
    with unittest.mock.patch.object(urllib.request.OpenerDirector, "_open", return_value=answer):
        get(path)

def _by_mock(get, path):
    with unittest.mock.patch("shop.requests.get") as get_rates, unittest.mock.patch("time.sleep"):
        get_rates.return_value.json.return_value = {}
        get(path)

def _by_autospec(get, path):
    with unittest.mock.patch("requests.get", autospec=True) as get_rates:
        get_rates.return_value.json.return_value = {}
        get(path)

def _by_open(get, path):
    with unittest.mock.patch("shop.open", unittest.mock.mock_open(read_data=""), create=True):
        get(path)

def _by_connection(get, path):
    with unittest.mock.patch("redis.connection.ConnectionPool.get_connection", fakeconnection.get):
        get(path)

CASES = %s

@pytest.mark.parametrize(("how", "path"), CASES)
def test_watched(how, path):
    globals()[how](TestClient(shop.app).get, path)

@pytest.mark.parametrize(("how", "path"), CASES)
def test_asked(how, path, noblock):
    globals()[how](noblock.get, path)
"""

CONNECTION = """
import redis.connection

class Connection:
    retry = redis.connection.Retry(redis.connection.NoBackoff(), 0)
    def send_command(self, *_, **__): pass
    def read_response(self, *_, **__): return b"1"
    def should_reconnect(self): return False
    def disconnect(self, *_, **__): pass
    def __getattr__(self, name): return lambda *_, **__: None

def get(pool, *_, **__):
    return Connection()
"""

BLOCKING = {
    ("_by_responses", "/requests"): ("requests.get", "sync-network", "return requests.get(URL).json()  # requests"),
    ("_by_transport", "/requests"): ("requests.get", "sync-network", "return requests.get(URL).json()  # requests"),
    ("_by_mock", "/requests"): ("requests.get", "sync-network", "return requests.get(URL).json()  # requests"),
    ("_by_autospec", "/requests"): ("requests.get", "sync-network", "return requests.get(URL).json()  # requests"),
    ("_by_respx", "/httpx"): ("httpx.Client.get", "sync-network", "return client.get(URL).json()"),
    ("_by_itself", "/transport"): ("httpx.Client.get", "sync-network", "return client.get(URL).json()  # transport"),
    ("_by_opener", "/urllib"): (
        "urllib.request.urlopen",
        "sync-network",
        "return urllib.request.urlopen(URL).status  # urllib",
    ),
    ("_by_moto", "/boto3"): (
        "botocore.client.S3.create_bucket",
        "sync-network",
        's3.create_bucket(Bucket="shop")  # boto3',
    ),
    ("_by_connection", "/redis"): ("redis.Redis.get", "sync-network", 'redis.Redis().get("key")  # redis'),
    ("_by_itself", "/celery"): ("celery.Task.delay", "sync-network", "report.delay()  # celery"),
    ("_by_mock", "/sleep"): ("time.sleep", "sync-io", "time.sleep(1)  # sleep"),
}
FREE = [
    ("_by_responses", "/requests/def"),
    ("_by_responses", "/requests/thread"),
    ("_by_mock", "/requests/def"),
    ("_by_mock", "/requests/thread"),
    ("_by_respx", "/httpx/async"),
    ("_by_itself", "/transport/async"),
    ("_by_itself", "/urllib/file"),
    ("_by_moto", "/boto3/def"),
    ("_by_mock", "/sleep/async"),
    ("_by_itself", "/repository"),
    ("_by_itself", "/mock-inside"),
    ("_by_open", "/settings"),
]


@pytest.fixture
def told(pytester):
    """The checks of these cases, by test, path and means; and the outcomes of the run."""
    pytester.makepyfile(shop=SHOP, fakeconnection=CONNECTION)

    def told(cases, ini: str = ""):
        pytester.makepyfile(textwrap.dedent(TESTS) % repr(cases))
        pytester.makeini(f"[pytest]\nnoblock_app = shop:app\n{ini}")
        options = ("--noblock", "--noblock-max-block=10s", "--noblock-report=report.json", "-p", "no:randomly")
        result = pytester.runpytest_subprocess(*options)
        checks = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]
        return result, {check["id"].partition("::")[2]: check for check in checks}

    return told


@pytest.mark.one_python
def test_a_mocked_call_is_a_note(told):
    result, checks = told(list(BLOCKING))

    result.assert_outcomes(passed=2 * len(BLOCKING))
    for (how, path), (call, kind, code) in BLOCKING.items():
        line = 1 + SHOP.strip().splitlines().index(f"        {code}" if "client.get" in code else f"    {code}")
        for test in ("watched", "asked"):
            notes = checks[f"test_{test}[{how}-{path}]"]["notes"]
            assert f"{kind}, {call} at shop.py:{line}: known blocking call, answered by a mock" in notes


@pytest.mark.one_python
def test_a_mocked_call_fails_where_it_must(told):
    result, checks = told(list(BLOCKING), "noblock_known_calls = fail")

    result.assert_outcomes(failed=2 * len(BLOCKING))
    for (how, path), (call, kind, code) in BLOCKING.items():
        for test in ("watched", "asked"):
            check = checks[f"test_{test}[{how}-{path}]"]
            assert [(each["call"], each["kind"], each["code"]) for each in check["findings"]] == [(call, kind, code)]
    result.stdout.fnmatch_lines(
        [
            "GET /requests calls requests.get on the event loop (a mock answers it here)",
            "",
            "  by      shop.py:* in by_requests",
            "              return requests.get(URL).json()  # requests",
            "  why     known blocking call, answered by a mock",
            "  harm    in production every other request of this worker waits meanwhile",
            "  instead httpx.AsyncClient().get, or await asyncio.to_thread(requests.get, ...), or make *",
            '  accept  @pytest.mark.noblock_allow("reason", call="requests.get")',
            "",
        ],
        consecutive=True,
    )


def test_what_is_awaited_or_runs_in_a_thread_is_neither(told):
    result, checks = told(FREE, "noblock_known_calls = fail")

    result.assert_outcomes(passed=2 * len(FREE))
    assert not [note for check in checks.values() for note in check["notes"] if "mock" in note]


LIVE = """
import threading
import unittest.mock
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import requests
import responses
from fastapi import FastAPI
from fastapi.testclient import TestClient

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_): pass

@pytest.fixture(scope="module", autouse=True)
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        app.url = f"http://127.0.0.1:{server.server_port}/"
        yield
        for session in (clients, sessions):
            session.close()
        server.shutdown()

app = FastAPI()
app.rates = b""
clients, sessions = httpx.Client(trust_env=False), requests.Session()

@app.get("/real")
async def real():
    requests.get(app.url)
    clients.get(app.url)
    sessions.get(app.url)

@app.get("/both")
async def both():
    sessions.get(app.url)
    requests.get("http://rates.test/")

@app.get("/once")
async def once():
    if not app.rates:
        app.rates = requests.get(app.url).content

@app.get("/nothing")
async def nothing():
    pass

@pytest.fixture
def noblock_app():
    return app

def test_real():
    client = TestClient(app)
    client.get("/real")
    client.get("/real")

def test_real_asked(noblock):
    noblock.get("/real")

def test_once(noblock):
    noblock.get("/once", warmup=False)

@responses.activate
def test_both():
    responses.add_passthru(app.url)
    responses.get("http://rates.test/")
    TestClient(app).get("/both")

@pytest.mark.asyncio
async def test_the_test_itself():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with unittest.mock.patch("requests.Session.send"):
            requests.get("http://rates.test/")
            await client.get("/nothing")
            requests.get("http://rates.test/")
"""


@pytest.mark.parametrize("meter", ["auto", pytest.param("portable", marks=pytest.mark.one_python)])
def test_a_call_that_went_out_is_told_once(pytester, meter):
    pytester.makepyfile(LIVE)
    pytester.makeini(f"[pytest]\nnoblock_known_calls = fail\nnoblock_meter = {meter}")
    result = pytester.runpytest_subprocess("--noblock", "--noblock-report=report.json", "-p", "no:randomly")

    result.assert_outcomes(failed=3, passed=2)
    records = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]
    found = [(check["request"], sorted(each["call"] for each in check["findings"])) for check in records]
    assert sorted(found) == [
        ("GET /both", ["requests.Session.get", "requests.get"]),
        ("GET /nothing", []),
        ("GET /once", []),
        *[("GET /real", ["httpx.Client.get", "requests.Session.get", "requests.get"])] * 3,
    ]
    mocked = [line for line in result.outlines if "a mock answers it" in line]
    assert mocked == ["GET /both calls requests.get on the event loop (a mock answers it here)"]


@pytest.mark.one_python
def test_a_call_may_be_accepted(told, pytester):
    pytester.makepyfile(shop=SHOP)
    pytester.makepyfile("""
        import pytest
        from fastapi.testclient import TestClient
        from shop import app

        @pytest.mark.noblock
        @pytest.mark.noblock_allow("only at night", call="httpx.Client")
        def test_it():
            TestClient(app).get("/transport")
    """)
    pytester.makeini("[pytest]\nnoblock_known_calls = fail")

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.one_python
def test_what_the_test_puts_in_the_place_of_a_client_stays_until_its_end(pytester):
    pytester.makepyfile("""
        import pytest
        import requests
        from fastapi import FastAPI
        from fastapi.testclient import TestClient

        app = FastAPI()
        real = requests.Session.send

        @app.get("/")
        async def index():
            return requests.get("http://rates.test/").status_code

        @pytest.fixture
        def rates(monkeypatch):
            answer = requests.Response()
            answer.status_code = 203
            monkeypatch.setattr(requests.Session, "send", lambda *_, **__: answer)
            yield
            assert requests.get("http://rates.test/").status_code == 203

        @pytest.mark.parametrize("number", range(3))
        def test_it(rates, number):
            assert TestClient(app).get("/").json() == 203

        @pytest.mark.noblock
        def test_after():
            TestClient(app).get("/absent")
            assert requests.Session.send.__wrapped__ is real

        def test_last():
            assert requests.Session.send is real
    """)
    for option in ("--noblock", "-q"):
        result = pytester.runpytest_subprocess(option, "-p", "no:randomly")
        result.assert_outcomes(passed=4 if option == "--noblock" else 5, failed=option == "--noblock")

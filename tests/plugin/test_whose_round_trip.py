"""Which thread made a round trip: red at the loop's line, green where a worker or a coroutine made it.

Each request is sent beside a thread that computes 20 us every 0.3 ms, and without it.
"""

import json
import os
import sys

import pytest

from example_app import services
from example_app.servers.programs import Unavailable

pytestmark = pytest.mark.one_python

SHOP = """
import asyncio
import os
import sys
import time

import asyncpg
import psycopg
import psycopg2
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

URL = os.environ["EXAMPLE_POSTGRESQL"]
QUERY = text("select 1")
app = FastAPI()
engines = {each: create_engine(URL.replace("postgresql:", f"postgresql+{each}:")) for each in ("psycopg", "psycopg2")}
awaited = create_async_engine(URL.partition("?")[0].replace("postgresql:", "postgresql+asyncpg:"))
raw = psycopg2.connect(URL)
raw.autocommit = True

def by_psycopg():
    with Session(engines["psycopg"]) as db:
        yield db

def by_psycopg2():
    with Session(engines["psycopg2"]) as db:
        yield db

class Row:
    def __init__(self, db):
        self.db = db

    @property
    def number(self):
        return self.db.execute(QUERY).scalar()  # lazy

class Out(BaseModel, from_attributes=True):
    number: int

def compute(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        pass

def ask(db=None, times=20):
    for _ in range(times):
        with raw.cursor() as cursor:
            cursor.execute("select 1")

@app.get("/psycopg")
async def psycopg_on_loop(db=Depends(by_psycopg)):
    db.execute(QUERY)  # psycopg

@app.get("/psycopg2")
async def psycopg2_on_loop(db=Depends(by_psycopg2)):
    db.execute(QUERY)  # psycopg2

@app.get("/raw")
async def raw_on_loop():
    with raw.cursor() as cursor:
        cursor.execute("select 1")  # raw

@app.get("/lazy", response_model=Out)
async def lazy(db=Depends(by_psycopg2)):
    return Row(db)

@app.get("/free/def")
def in_worker(db=Depends(by_psycopg2)):
    db.execute(QUERY)

@app.get("/free/dependency")
async def in_dependency(answer=Depends(ask)):
    pass

@app.get("/free/beside")
async def beside():
    task = asyncio.create_task(asyncio.to_thread(ask))
    await asyncio.sleep(0)
    compute(20)
    await task

@app.get("/free/asyncpg")
async def by_asyncpg():
    async with awaited.connect() as connection:
        await connection.execute(QUERY)
    await awaited.dispose()

@app.get("/free/awaits")
async def by_async_psycopg():
    async with await psycopg.AsyncConnection.connect(URL) as connection:
        await connection.execute("select 1")

@app.get("/free/sqlite")
async def by_sqlite():
    with create_engine("sqlite://").connect() as connection:
        connection.execute(QUERY)
"""
TESTS = """
import threading
import time

import httpx
import pytest
from fastapi.testclient import TestClient
from shop import app, engines, raw

PATHS = %r
paths = pytest.mark.parametrize("path", PATHS)

@pytest.fixture(scope="module", params=["quiet", "poller"], autouse=True)
def poller(request):
    stop = threading.Event()
    def poll():
        while not stop.is_set():
            sum(range(500))
            time.sleep(0.0003)
    thread = threading.Thread(target=poll)
    if request.param == "poller":
        thread.start()
    yield
    stop.set()
    if request.param == "poller":
        thread.join()

@pytest.fixture(scope="session", autouse=True)
def closed():
    yield
    raw.close()
    for engine in engines.values():
        engine.dispose()

@pytest.fixture
def noblock_app():
    return app

@paths
def test_fixture(noblock, path):
    noblock.get(path)

@paths
def test_client(path):
    assert TestClient(app).get(path).status_code == 200

@paths
@pytest.mark.asyncio
async def test_async(path):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get(path)).status_code == 200
"""
BLOCKING = (
    "psycopg",
    "psycopg2",
    "lazy",
    *(["raw"] if sys.version_info >= (3, 12) else []),
)  # see `engine.network.c_calls`
FREE = ("def", "dependency", "beside", "asyncpg", "awaits", "sqlite")


@pytest.fixture
def checks(pytester, monkeypatch):
    """Runs all ways to send these requests: the checks of the report."""

    def checks(paths, tests=TESTS):
        try:
            monkeypatch.setenv("EXAMPLE_POSTGRESQL", services.postgresql())
        except Unavailable as reason:
            (pytest.fail if os.environ.get("EXAMPLE_SERVICES") == "required" else pytest.skip)(str(reason))
        pytester.makepyfile(shop=SHOP, test_shop=tests % (paths,))
        options = ("--noblock", "--noblock-report=report.json", "-p", "no:randomly")
        result = pytester.runpytest_subprocess(*options)
        return result, json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]

    return checks


def test_a_query_on_the_loop_is_red_at_its_line_whatever_else_the_process_does(checks):
    _result, told = checks([f"/{each}" for each in BLOCKING])

    lines = {name: 1 + SHOP.strip().splitlines().index(found) for name in BLOCKING for found in _marked(name)}
    assert len(told) == 2 * 3 * len(BLOCKING)
    for check in told:
        name = check["request"].removeprefix("GET /")
        assert [(each["kind"], each["line"]) for each in check["findings"]] == [("sync-network", lines[name])], check


def _marked(name: str) -> list[str]:
    return [line for line in SHOP.splitlines() if line.endswith(f"  # {name}")]


def test_a_query_of_a_worker_or_a_coroutine_is_green_whatever_else_the_process_does(checks):
    result, told = checks([f"/free/{each}" for each in FREE])

    result.assert_outcomes(passed=2 * 3 * len(FREE))
    assert {check["outcome"] for check in told} == {"passed"}


FIRST = """
import pytest
from fastapi.testclient import TestClient

@pytest.fixture
def app():
    import shop
    yield shop.app
    shop.raw.close()
    for engine in shop.engines.values():
        engine.dispose()

def test_first(app):
    client = TestClient(app)
    for path in %r:
        client.get(path)
"""


def test_a_driver_that_a_fixture_is_the_first_to_import(checks):
    """As in a suite whose first fixture makes the app."""
    paths = [f"/{each}" for each in BLOCKING]
    _result, told = checks(paths, FIRST)

    assert {check["request"]: [each["kind"] for each in check["findings"]] for check in told} == {
        f"GET {path}": ["sync-network"] for path in paths
    }

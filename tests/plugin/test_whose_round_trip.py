"""Which thread made a round trip: red at the loop's line, green where a worker or a coroutine made it.

Each request is sent beside a thread that computes 20 us every 0.3 ms, and without it.
"""

import os
import sys

import pytest

from example_app import services
from example_app.servers.programs import Unavailable
from tests.plugin import three_clients

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
POLLER = """
import threading
import time

import pytest

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
    import shop
    shop.raw.close()
    for engine in shop.engines.values():
        engine.dispose()
"""
BLOCKING = (
    "psycopg",
    "psycopg2",
    "lazy",
    *(["raw"] if sys.version_info >= (3, 12) else []),
)  # see `engine.network.c_calls`
FREE = ("def", "dependency", "beside", "asyncpg", "awaits", "sqlite")


@pytest.fixture
def shop(pytester, monkeypatch):
    """A project with `shop.py` in it, and its database."""
    try:
        monkeypatch.setenv("EXAMPLE_POSTGRESQL", services.postgresql())
    except Unavailable as reason:
        (pytest.fail if os.environ.get("EXAMPLE_SERVICES") == "required" else pytest.skip)(str(reason))
    pytester.makepyfile(shop=SHOP)
    return pytester


def test_a_query_on_the_loop_is_red_at_its_line_whatever_else_the_process_does(shop):
    _result, checks = three_clients.ask(shop, [f"/{each}" for each in BLOCKING], fixtures=POLLER)

    assert len(checks) == 2 * 3 * len(BLOCKING)
    for check in checks:
        (line,) = three_clients.lines(SHOP, check["request"].removeprefix("GET /"))
        assert [(each["kind"], each["line"]) for each in check["findings"]] == [("sync-network", line)], check


def test_a_query_of_a_worker_or_a_coroutine_is_green_whatever_else_the_process_does(shop):
    result, checks = three_clients.ask(shop, [f"/free/{each}" for each in FREE], fixtures=POLLER)

    result.assert_outcomes(passed=2 * 3 * len(FREE))
    assert {check["outcome"] for check in checks} == {"passed"}


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


def test_a_driver_that_a_fixture_is_the_first_to_import(shop):
    """As in a suite whose first fixture makes the app."""
    paths = [f"/{each}" for each in BLOCKING]
    shop.makepyfile(FIRST % (paths,))
    _result, checks = three_clients.watch(shop)

    assert {check["request"]: [each["kind"] for each in check["findings"]] for check in checks} == {
        f"GET {path}": ["sync-network"] for path in paths
    }

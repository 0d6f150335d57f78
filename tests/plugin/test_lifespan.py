"""How an app starts and stops: noted, and judged with `noblock_lifespan = fail`; in the fixture and watched tests."""

import pytest

API = """
import time
from contextlib import asynccontextmanager

from fastapi import FastAPI

def blocks():
    time.sleep(0.08)

@asynccontextmanager
async def starts(app):
    blocks()  # starts
    yield

@asynccontextmanager
async def stops(app):
    yield
    blocks()  # stops

@asynccontextmanager
async def good(app):
    yield

def made(lifespan):
    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def home():
        return {}

    return app
"""
FIXTURE = """
import pytest

import api

@pytest.mark.noblock(app=api.made(api.good))
def test_good(noblock):
    noblock.get("/")

@pytest.mark.noblock(app=api.made(api.starts))
def test_starts(noblock):
    noblock.get("/")

@pytest.mark.noblock(app=api.made(api.stops))
def test_stops(noblock):
    noblock.get("/")

@pytest.mark.noblock(app=api.made(api.stops))
@pytest.mark.noblock_allow("it is slow to stop")
def test_allowed(noblock):
    noblock.get("/")
"""
CLIENTS = """
import pytest
from fastapi.testclient import TestClient

import api

@pytest.fixture
def good():
    with TestClient(api.made(api.good)) as client:
        yield client

@pytest.fixture
def stops():
    with TestClient(api.made(api.stops)) as client:
        yield client

@pytest.fixture(scope="module")
def shared():
    with TestClient(api.made(api.stops)) as client:
        yield client

def test_good(good):
    good.get("/")

def test_stops(stops):
    stops.get("/")

def test_shared(shared):
    shared.get("/")

def test_last(shared):
    shared.get("/")
"""
AT = "api.py:7  sync-io"
"""In the summary: where it blocks, and how."""


def told(result: pytest.RunResult) -> str:
    return result.stdout.str()


@pytest.fixture
def api(pytester):
    pytester.makepyfile(api=API)
    return pytester


def test_the_fixtures_app_is_judged_where_that_is_asked_for(api):
    api.makepyfile(test_it=FIXTURE)
    result = api.runpytest("-v", "-o", "noblock_lifespan=fail")
    result.assert_outcomes(passed=3, errors=2)
    said = told(result)
    assert "ERROR at setup of test_starts" in said
    assert "ERROR at teardown of test_stops" in said
    assert said.count("(limit 50 ms)\n\n  by      api.py:7 in blocks") == 2
    assert AT in said


@pytest.mark.one_python
def test_the_fixtures_app_is_noted_otherwise(api):
    api.makepyfile(test_it=FIXTURE)
    result = api.runpytest()
    result.assert_outcomes(passed=4)
    assert " at api.py:7 in the app's lifespan: noblock_lifespan = fail would make it red" in told(result)
    assert "test_it.py::test_good" not in told(result)


def test_a_watched_client_that_a_fixture_closes_is_judged_in_the_teardown(api):
    """The module's client was opened for another test than the one whose teardown closes it."""
    api.makepyfile(test_it=CLIENTS)
    result = api.runpytest("--noblock", "-v", "-o", "noblock_lifespan=fail")
    result.assert_outcomes(passed=4, errors=2)
    said = told(result)
    for test in ("test_stops", "test_last"):
        assert f"ERROR at teardown of {test}" in said
    assert said.count("by      api.py:7 in blocks") == 2
    result = api.runpytest("--noblock")
    result.assert_outcomes(passed=4)
    assert " at api.py:7 in the app's lifespan: noblock_lifespan = fail would make it red" in told(result)


@pytest.mark.one_python
def test_where_only_some_tests_are_watched_a_stop_is_judged_as_well(api):
    api.makepyfile(test_it=CLIENTS.replace("def test_stops(", "@pytest.mark.noblock\ndef test_stops("))
    result = api.runpytest("-o", "noblock_lifespan=fail")
    result.assert_outcomes(passed=4, errors=1)
    assert "ERROR at teardown of test_stops" in told(result)

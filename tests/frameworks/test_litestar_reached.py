"""Litestar tells late who answered: the endpoint, something in front of it, or what is left to do after it."""

import importlib.util
import json

import pytest

pytestmark = pytest.mark.skipif(  # not imported here: then its patches would be in for all tests of the process
    importlib.util.find_spec("litestar") is None, reason='pip install -e ".[dev,frameworks]"'
)

API = """
from collections.abc import AsyncGenerator

from litestar import Litestar, Request, get
from litestar.exceptions import ClientException
from litestar.params import FromQuery


async def committed() -> AsyncGenerator[int, None]:
    yield 1
    raise ClientException(status_code=409)


def refusing() -> int:
    raise ClientException(status_code=409)


async def looks(request: Request) -> None:
    assert request.scope["route_handler"].fn.__name__ == "number"


async def answers(request: Request) -> str:
    return "in its place"


@get("/commit", dependencies={"one": committed})
async def commit(one: int) -> int:
    return one


@get("/refused", dependencies={"one": refusing})
async def refused(one: int) -> int:
    return one


@get("/cannot-be-sent")
async def cannot_be_sent() -> object:
    return object()


@get("/number", before_request=looks)
async def number(n: FromQuery[int]) -> int:
    return n


@get("/in-its-place", before_request=answers)
async def in_its_place() -> str:
    return "never"


@get("/own-404")
async def own() -> int:
    raise ClientException(status_code=404)


@get("/worker", sync_to_thread=True)
def worker() -> int:
    raise ClientException(status_code=409)


app = Litestar([commit, refused, cannot_be_sent, number, in_its_place, own, worker], openapi_config=None)
"""
REACHED = {"/commit": 409, "/cannot-be-sent": 500, "/number?n=1": 200, "/own-404": 404, "/worker": 409}
NOT_REACHED = {"/refused": 409, "/number?n=x": 400, "/in-its-place": 200}

FIXTURE = """
import pytest


@pytest.mark.parametrize(("path", "status"), WANTED)
def test_it(noblock, path, status):
    check = noblock.check("GET", path, warmup=False)
    assert check.exchange.status == status
    assert check.outcome == ("inconclusive" if path in NOT_REACHED else "passed"), check.reason
    assert ("its endpoint was called" in (check.reason or "")) == (path in NOT_REACHED)
"""
WATCHED = """
import pytest
from litestar.testing import TestClient

from api import app


@pytest.mark.parametrize(("path", "status"), WANTED)
def test_it(path, status):
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get(path).status_code == status
"""


def told(pytester, tests, *options):
    """The notes of each path, in the tests' report."""
    wanted = [*REACHED.items(), *NOT_REACHED.items()]
    pytester.makepyfile(api=API, test_it=f"WANTED = {wanted!r}\nNOT_REACHED = {NOT_REACHED!r}\n{tests}")
    result = pytester.runpytest_subprocess("--noblock-report=report.json", *options)
    result.assert_outcomes(passed=len(wanted))
    return json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]


def test_the_fixture_is_red_where_the_endpoint_was_not_called(pytester):
    told(pytester, FIXTURE, "--noblock-app=api:app")


def test_a_watched_test_notes_where_the_endpoint_was_not_called(pytester):
    checks = told(pytester, WATCHED, "--noblock")
    noted = {each["id"].partition("[")[2].rpartition("-")[0] for each in checks if "not reached" in str(each["notes"])}
    assert noted == set(NOT_REACHED)

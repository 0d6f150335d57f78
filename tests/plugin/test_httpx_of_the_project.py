"""`noblock.get` returns the response of the client that the project has: httpx2's where Starlette uses that."""

import pytest

pytestmark = pytest.mark.one_python

TESTS = """
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
import api, {library}, {other}

def test_one_kind_of_response(noblock):
    response = noblock.get("/cookie")
    assert isinstance(response, {library}.Response)
    assert type(response) is type(TestClient(api.app).get("/cookie"))
    assert type(noblock.client) is {library}.AsyncClient

@pytest.mark.parametrize("package", [{library}, {other}])
def test_objects_of_either_package_are_taken(noblock, package):
    class Signed(package.Auth):
        def auth_flow(self, request):
            request.headers["signed"] = "yes"
            yield request

    given = dict(auth=Signed(), timeout=package.Timeout(5))
    given |= dict(headers=package.Headers({{"extra": "1"}}), params=package.QueryParams({{"q": "2"}}))
    said = noblock.get(package.URL("/echo"), **given).json()
    assert said == {{"signed": "yes", "extra": "1", "q": "2"}}

def test_a_timeout_of_either_is_the_requests(noblock):
    noblock.get("/slow", timeout={other}.Timeout(5, read=0.2))
"""
API = """
import asyncio
from fastapi import FastAPI, Request, Response

app = FastAPI()

@app.get("/cookie")
async def cookie(response: Response):
    response.set_cookie("taste", "bitter")

@app.get("/echo")
async def echo(request: Request, q: str):
    headers = request.headers
    return {"signed": headers["signed"], "extra": headers["extra"], "q": q}

@app.get("/slow")
async def slow():
    await asyncio.sleep(60)
"""
WITHOUT = """
import httpx

def test_it(noblock):
    assert type(noblock.get("/cookie")) is httpx.Response
    assert type(noblock.client) is httpx.AsyncClient
"""
OPTIONS = ("--noblock-app=api:app", "-W", "error", "-p", "no:randomly", "-p", "no:asyncio")
"""pytest-asyncio warns of itself."""


def test_it_is_httpx2_where_starlette_prefers_that(pytester):
    pytest.importorskip("httpx2")
    pytester.makepyfile(api=API, test_it=TESTS.format(library="httpx2", other="httpx"))
    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["GET /slow did not answer within 0.2 s (timeout=0.2)*"])


def test_it_is_httpx_where_httpx2_cannot_be_imported_and_our_import_warns_of_nothing(pytester):
    pytester.makepyfile(api=API, test_it=WITHOUT, blocks="import sys\nsys.modules['httpx2'] = None")
    result = pytester.runpytest_subprocess("-p", "blocks", *OPTIONS)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*warning*")

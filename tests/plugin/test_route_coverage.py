"""How many of an app's routes a run measured, and what happens where these are too few."""

import json

import pytest

pytest.importorskip("fastapi")
pytestmark = pytest.mark.one_python

APP = """
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

app = FastAPI()
router = APIRouter(prefix="/users")

@router.get("/{user_id}")
async def user(user_id: int):
    return {}

@router.post("/")
async def new_user():
    return {}

@app.get("/health")
async def health():
    return {}

@app.get("/missing")
async def missing():
    raise HTTPException(404)

def nobody():
    raise HTTPException(401)

@app.get("/mine", dependencies=[Depends(nobody)])
async def mine():
    return {}

async def part(request):
    return PlainTextResponse("")

app.include_router(router)
app.mount("/parts", Starlette(routes=[Route("/{name}", part)]))
built = []

def make_app():
    inner = FastAPI()
    inner.get("/made")(health)
    return inner
"""
TESTS = """
import pytest
from fastapi.testclient import TestClient
import routed

client = TestClient(routed.app)

def test_user():
    client.get("/users/7")

def test_refused():
    client.get("/missing")
    client.get("/mine")
    client.get("/users/x")
    client.get("/nowhere")

def test_mounted():
    client.get("/parts/wheel")

def test_fixture(noblock):
    noblock.get("/health")

@pytest.mark.parametrize("time", [1, 2])
def test_made(time):
    TestClient(routed.make_app()).get("/made")
"""


@pytest.fixture
def run(pytester):
    pytester.makepyfile(routed=APP, test_routed=TESTS)

    def run(*options):
        return pytester.runpytest("--noblock", "--noblock-app=routed:app", "-p", "no:randomly", *options)

    return run


def test_the_summary_says_how_many_of_each_apps_routes_were_measured(run, pytester):
    result = run("--noblock-report=all.json")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(
        ["3 of 6 routes of routed:app were measured", "1 of 1 routes of an app of routed were measured"],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*not measured:*")
    routes = json.loads(pytester.path.joinpath("all.json").read_text(encoding="utf-8"))["routes"]
    assert [(each["method"], each["path"], each["requests"], each["outcome"], each["reason"]) for each in routes] == [
        ("GET", "/health", 1, "passed", None),
        ("GET", "/made", 2, "passed", None),
        ("GET", "/mine", 0, "not-exercised", "needs-auth"),
        ("GET", "/missing", 0, "not-exercised", "not-found"),
        ("GET", "/parts/{name}", 1, "passed", None),
        ("POST", "/users/", 0, "not-exercised", None),
        ("GET", "/users/{user_id}", 1, "passed", None),
    ]

    listed = run("-v")
    listed.stdout.fnmatch_lines(
        [
            "3 of 6 routes of routed:app were measured",
            "      not measured: GET /missing",
            "      not measured: GET /mine",
            "      not measured: POST /users/",
        ]
    )


def test_too_few_routes_are_an_error(run, pytester):
    few = run("--noblock-require=60%", "-n1")
    few.assert_outcomes(passed=6)
    assert few.ret == pytest.ExitCode.TESTS_FAILED
    few.stdout.fnmatch_lines(
        [
            "3 of 6 routes of routed:app were measured",
            "--noblock-require=60% is not met: 3 of 6 routes of routed:app were measured",
        ]
    )
    assert run("--noblock-require=50%").ret == pytest.ExitCode.OK
    both = run("--noblock-require=80%", "--noblock-sweep=routed:app", "test_routed.py")
    both.stdout.fnmatch_lines(["--noblock-require=80% is not met: 3 of 6 routes measured*"])
    posts = "\ndef test_post():\n    client.post('/users/')\n"
    pytester.makepyfile(test_routed=TESTS + posts)
    together = run("--noblock-require=60%", "--noblock-sweep=routed:app", "test_routed.py")
    assert together.ret == pytest.ExitCode.OK

    pytester.makeini("[pytest]\nnoblock_require = 90%\n")
    assert run().ret == pytest.ExitCode.TESTS_FAILED
    assert run("-k", "user").ret == pytest.ExitCode.OK  # the ini file's share is of all tests
    assert run("-k", "user", "--noblock-require=90%").ret == pytest.ExitCode.TESTS_FAILED
    pytester.makepyfile(test_routed="def test_nothing():\n    pass\n")
    assert pytester.runpytest("-p", "no:randomly").ret == pytest.ExitCode.OK
    wrong = run("--noblock-require=some")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(["ERROR: --noblock-require: 'some' is not a share of the routes, as 80%"])


def test_an_app_that_shows_no_routes_is_not_counted(pytester):
    pytester.makepyfile(
        """
        import asyncio, httpx

        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        async def ask():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
                await client.get("/")

        def test_it():
            asyncio.run(ask())
        """
    )
    result = pytester.runpytest("--noblock")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*were measured*")
    red = pytester.runpytest("--noblock", "--noblock-require=10%")
    assert red.ret == pytest.ExitCode.TESTS_FAILED
    red.stdout.fnmatch_lines(["--noblock-require=10% is not met: no app that was entered shows its routes"])


NESTED = """
import time
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Host, Mount, Route, Router

async def blocks(n: int = 1):
    time.sleep(0.06)

async def of_starlette(request):
    time.sleep(0.06)
    return JSONResponse(1)

mounted, of_host, app = FastAPI(), FastAPI(), FastAPI()
outer, inner = APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
inner.get("/{n:int}")(blocks)
outer.include_router(inner)
mounted.get("/reports/{n}")(blocks)
of_host.get("/hosted")(blocks)
app.include_router(outer, prefix="/v1")
app.mount("/t/{tenant}", mounted)
app.mount("/s", Starlette(routes=[Mount("/in", Router(routes=[Route("/{k:int}", of_starlette)]))]))
app.router.routes.append(Host("api.example.org", of_host))
"""
NESTED_TESTS = """
import pytest
from fastapi.testclient import TestClient
from api import app

@pytest.mark.parametrize("path", ["/v1/outer/inner/1", "/t/acme/reports/1", "/s/in/1"])
def test_watched(path):
    TestClient(app).get(path)

@pytest.mark.noblock(app=app)
@pytest.mark.parametrize("path", ["/v1/outer/inner/1", "/t/acme/reports/1", "/s/in/1"])
def test_fixture(path, noblock):
    noblock.get(path)

def test_host():
    TestClient(app, base_url="http://api.example.org").get("/hosted")
"""


def test_a_route_has_one_name_in_watched_tests_the_fixture_and_the_sweep(pytester):
    """Else a baseline has two entries of one finding, and a mounted route that a sweep measured is not measured."""
    pytester.makepyfile(api=NESTED, test_it=NESTED_TESTS)
    given = [f"--noblock-param={each}" for each in ("n=1", "k=1", "tenant=acme")]
    result = pytester.runpytest(
        "--noblock", "--noblock-sweep=api:app", *given, "--noblock-baseline=b.jsonl", "--noblock-update-baseline"
    )
    entries = (pytester.path / "b.jsonl").read_text().splitlines()[1:]
    assert sorted(json.loads(each)["route"] for each in entries) == [
        "GET /s/in/{k}",
        "GET /t/{tenant}/reports/{n}",
        "GET /v1/outer/inner/{n}",
        "GET api.example.org/hosted",
    ]
    result.stdout.fnmatch_lines(["4 of 4 routes of api:app were measured", "4 of 4 routes measured"])


MOUNTS = """
import time
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount

async def files(scope, receive, send):
    time.sleep(0.06)
    await PlainTextResponse("")(scope, receive, send)

inner = Starlette(routes=[Mount("/{of}/files", files)])
app = Starlette(routes=[Mount("/files", files), Mount("/in", inner), Host("files.example.org", files)])
"""
MOUNTS_TESTS = """
from starlette.testclient import TestClient
from api import app

def test_mounts():
    client = TestClient(app)
    client.get("/files/a/b")
    client.get("/in/x/files/a")

def test_nobody_answers():
    TestClient(app).get("/in/none")

def test_host():
    TestClient(app, base_url="http://files.example.org").get("/a")
"""


def test_a_mounted_app_without_routes_is_named_by_its_mount_alone(pytester):
    """Starlette leaves the mount itself in the scope, as the route: its path is told once."""
    pytester.makepyfile(api=MOUNTS, test_it=MOUNTS_TESTS)
    pytester.runpytest("--noblock", "--noblock-report=watched.json")
    checks = json.loads((pytester.path / "watched.json").read_text())["checks"]
    assert {each["request"]: each["route"] for each in checks} == {
        "GET /files/a/b": "/files/{path}",
        "GET /in/x/files/a": "/in/{of}/files/{path}",
        "GET /in/none": "/in/{path}",
        "GET /a": "files.example.org/{path}",
    }

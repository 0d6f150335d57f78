"""What a sweep tells to do is what works: the line that accepts, the reason of what answered in front of a route."""

import json
import re

import pytest

pytest.importorskip("fastapi")

APP = """
import asyncio, time
from fastapi import FastAPI
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router

app = FastAPI()

@app.get("/slow")
async def slow():
    time.sleep(0.08)
    await asyncio.sleep(0)

@app.get("/stream")
async def stream():
    async def parts():
        yield b"x"
        await asyncio.sleep(0)
    return StreamingResponse(parts())

@app.get("/idle")
async def idle():
    return 1

async def page(request):
    await asyncio.sleep(0)
    return PlainTextResponse("")

async def guard(request, call_next):
    if request.url.path.endswith("/open"):
        return await call_next(request)
    return RedirectResponse("/login", 303)

inner = Starlette(routes=[Route("/{key}", page), Mount("/deep", Starlette(routes=[Route("/page", page)]))],
                  middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)])
app.mount("/admin", inner)
app.mount("/first", Starlette(routes=[]))
for name in ("one", "two"):
    app.router.routes.append(Host(f"{name}.example.org", Router(routes=[Route("/page", page)])))

@app.get("/first/page")
async def never():
    await asyncio.sleep(0)
"""


@pytest.mark.one_python
def test_a_login_within_a_mounted_app_is_no_other_route_and_what_streams_is_no_plain_def(pytester):
    pytester.makepyfile(app=APP)
    result = pytester.runpytest("--noblock-sweep=app:app", "-rs", "--noblock-report=sweep.json")
    result.assert_outcomes(passed=4, failed=1, skipped=3)
    routes = json.loads((pytester.path / "sweep.json").read_text())["routes"]
    reasons = {each["path"]: each["reason"] for each in routes}
    assert reasons["one.example.org/page"] is reasons["two.example.org/page"] is None
    assert reasons["/admin/{key}"] == reasons["/admin/deep/page"] == "needs-auth"
    assert reasons["/first/page"] == "not-found"
    text = result.stdout.str()
    assert "answered 303 before its endpoint was called by guard (app.py:" in text
    assert "(it sends to /login)" in text
    assert (
        "another route (starlette.applications.Starlette) takes its requests: declare the route before that one" in text
    )
    assert "async def, and awaits nothing (a plain def would leave the loop to others): GET /idle\n" in text


STARLETTE = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Host, Mount, Route

async def page(request):
    return PlainTextResponse("")

async def guard(request, call_next):
    return RedirectResponse("/login", 303)

guarded = Starlette(routes=[Route("/{key}", page)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)])
app = Starlette(routes=[
    Route("/login", page),
    Mount("/admin", guarded),
    Mount("/a/{b}", routes=[Mount("/c", guarded)]),
    Host("admin.example.org", guarded),
    Mount("/first", Starlette()),
    Route("/first/page", page),
])
"""


@pytest.mark.one_python
def test_a_login_within_an_app_mounted_in_one_of_starlettes_is_no_other_route(pytester):
    """Starlette leaves the mount in the scope, as the route that answered."""
    pytester.makepyfile(app=STARLETTE)
    result = pytester.runpytest("--noblock-sweep=app:app", "--noblock-report=sweep.json")
    result.assert_outcomes(passed=1, skipped=4)
    routes = json.loads((pytester.path / "sweep.json").read_text())["routes"]
    reasons = {each["path"]: each["reason"] for each in routes}
    assert reasons["/admin/{key}"] == reasons["/a/{b}/c/{key}"] == reasons["admin.example.org/{key}"] == "needs-auth"
    assert reasons["/first/page"] == "not-found"
    text = result.stdout.str()
    assert "3 answered 303 before its endpoint was called by guard (app.py:" in text
    taken = "/first/{path} (starlette.applications.Starlette) takes its requests: declare the route before that one"
    assert f"1 {taken}" in text


QUERY = """
import time
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def detail(request):
    if request.query_params.get("pk") != "7" or request.path_params["key"] != "post":
        return PlainTextResponse("", 404)
    time.sleep(0.08)  # BAD
    return PlainTextResponse("")

app = Starlette(routes=[Route("/{key}/detail", detail)])
"""


@pytest.mark.one_python
def test_a_query_that_no_document_describes_is_given_by_param(pytester):
    pytester.makepyfile(app=QUERY)
    key = "--noblock-param=key=post"
    pytester.runpytest("--noblock-sweep=app:app", key).assert_outcomes(skipped=1)
    result = pytester.runpytest("--noblock-sweep=app:app", key, "--noblock-param=pk=7")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*GET /{key}/detail  failed * app.py:9"])


LINKED = """
import asyncio, time
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

async def listed(request):
    await asyncio.sleep(0)
    return HTMLResponse('<a href="detail?pk=7">seven</a> <a href="edit?pk=7">edit</a>')

async def detail(request):
    if request.query_params.get("pk") != "7":
        return HTMLResponse("", 404)
    time.sleep(0.08)  # BAD
    return HTMLResponse("")

async def edit(request):
    await asyncio.sleep(0.08)
    return HTMLResponse(request.query_params["pk"])

async def gone(request):
    return HTMLResponse("", 404)

app = Starlette(routes=[Route(f"/{{key}}/{each.__name__}", each) for each in (detail, edit, gone, listed)])
"""


@pytest.mark.one_python
def test_what_a_page_of_the_same_round_links_to_is_asked_again(pytester):
    """`listed` and `detail` are as deep as each other: the link is known only once both were sent."""
    pytester.makepyfile(app=LINKED)
    result = pytester.runpytest("--noblock-sweep=app:app", "--noblock-report=sweep.json")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["3 of 4 routes measured", "*GET /{key}/detail  failed * app.py:13"])
    routes = json.loads((pytester.path / "sweep.json").read_text())["routes"]
    assert {each["path"]: each["reason"] for each in routes}["/{key}/gone"] == "not-found"


@pytest.mark.one_python
def test_the_line_that_accepts_a_finding_of_a_route_works(pytester):
    pytester.makepyfile(app=APP)
    text = pytester.runpytest("--noblock-sweep=app:app", "-k", "slow").stdout.str()
    accept = r"^  accept  (if item\.nodeid == .*\)), in conftest\.py's pytest_collection_modifyitems$"
    told = re.search(accept, text, re.MULTILINE)
    assert told is not None
    pytester.makeconftest(f"""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                {told[1]}
    """)
    for more in ((), ("-n1",)):
        result = pytester.runpytest("--noblock-sweep=app:app", "-k", "slow", *more)
        result.assert_outcomes(passed=1)
        assert "GET /slow  accepted" in result.stdout.str()


MANY = """
import asyncio, time
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

KEPT = []

async def good(request):
    await asyncio.sleep(0)
    return PlainTextResponse("")

async def warm(request):
    if KEPT:
        time.sleep(0.08)
    KEPT.append(1)
    return await good(request)

app = Starlette(routes=[Route("/warm", warm), *(Route(f"/{number}", good) for number in range(200))])
"""


@pytest.mark.one_python
def test_of_many_routes_too_one_is_red_that_blocks_only_once_it_is_warm(pytester):
    pytester.makepyfile(app=MANY)
    result = pytester.runpytest("--noblock-sweep=app:app")
    result.assert_outcomes(passed=200, failed=1)
    assert "GET /warm blocked the event loop" in result.stdout.str()


ASLEEP = """
import asyncio, ctypes
from fastapi import FastAPI

app = FastAPI()

@app.get("/with-it")
async def sleeps_with_it():
    await asyncio.to_thread(ctypes.PyDLL(None).usleep, 200_000)

@app.get("/without-it")
async def sleeps_without_it():
    await asyncio.to_thread(ctypes.CDLL(None).usleep, 200_000)
"""


@pytest.mark.one_python
def test_a_thread_that_sleeps_with_the_gil_is_said(pytester):
    """As an extension in C may: nobody computes, and no step sleeps."""
    pytester.makepyfile(app=ASLEEP)
    text = pytester.runpytest("--noblock-sweep=app:app", "-k", "with-it").stdout.str()
    assert re.search(r"unsettled  GET /with-it: the event loop waited \d+ ms for the GIL, and no thread computed", text)
    assert "another run did not show it again" not in text
    text = pytester.runpytest("--noblock-sweep=app:app", "-k", "without-it").stdout.str()
    assert "1 passed" in text
    assert "unsettled" not in text

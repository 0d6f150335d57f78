"""Something in front of the endpoint answers: red, with its name. The endpoint answers, whatever it says: green."""

import json
import sys

import pytest

API = """
import functools
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, Route

class Raw:
    # hands on a copy of the scope, and a wrapper of send
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        async def send_more(message):
            await send(message)
        if scope["type"] == "http" and scope["path"].startswith("/raw-"):
            await send_more({"type": "http.response.start", "status": int(scope["path"][5:]), "headers": []})
            return await send_more({"type": "http.response.body"})
        await self.app(dict(scope), receive, send_more)

class Gate(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        if request.url.path.startswith("/gate-"):
            return PlainTextResponse("no", int(request.url.path[6:]))
        return await call_next(request)

class Hidden:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/hidden":
            return await PlainTextResponse("no", 429)(scope, receive, send)
        await self.app(scope, receive, send)

def cached(function):
    kept = {}
    @functools.wraps(function)
    async def from_cache(*args, **kwargs):
        if "it" not in kept:
            kept["it"] = await function(*args, **kwargs)
        return kept["it"]
    return from_cache

def limited(function):
    @functools.wraps(function)
    async def over(*args, **kwargs):
        raise HTTPException(429)
    return over

def mapped(function):
    @functools.wraps(function)
    async def as_404(*args, **kwargs):
        try:
            return await function(*args, **kwargs)
        except KeyError:
            raise HTTPException(404) from None
    return as_404

app = FastAPI()
def token(): raise HTTPException(401)
@app.get("/token", dependencies=[Depends(token)])
async def needs_token(): return 1
@app.get("/bearer", dependencies=[Depends(HTTPBearer())])
async def needs_bearer(): return 1
@app.get("/number/{n}")
async def number(n: int): return 1
@app.get("/own-404")
async def own_404(): raise HTTPException(404)
@app.get("/own-405")
async def own_405(): return JSONResponse({}, 405)
@app.get("/own-405-def")
def own_405_def(): raise HTTPException(405)
@app.get("/cached")
@cached
async def kept(): return 1
@app.get("/cached-cold")
@cached
async def kept_too(): return 1
@app.get("/limited")
@limited
async def often(): return 1
@app.get("/mapped")
@mapped
async def missing(): raise KeyError(1)
@app.get("/lines")
async def lines():
    yield {"a": 1}
@app.get("/bytes", response_class=StreamingResponse)
def pieces():
    yield b"a"
router = APIRouter(prefix="/v1")
@router.get("/included")
async def included(): raise HTTPException(401)
app.include_router(router)
shop = FastAPI()
@shop.get("/thing")
async def thing(): return 1
app.mount("/shop", shop)
async def plain_asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 404 if "no" in scope["path"] else 200, "headers": []})
    await send({"type": "http.response.body"})
app.mount("/plain", plain_asgi)
app.add_middleware(Hidden)
app.add_middleware(GZipMiddleware)
app.add_middleware(Gate)
app.add_middleware(CORSMiddleware, allow_origins=["*"])
app.add_middleware(Raw)

class Page(HTTPEndpoint):
    async def get(self, request): return PlainTextResponse("a", 404)
@requires("admin")
async def admin(request): return PlainTextResponse("a")
async def small(request): return PlainTextResponse("a", 404)
async def small_raises(request): raise HTTPException(403)
def small_def(request): return PlainTextResponse("a", 405)
class Login:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        await self.app(scope | {"auth": AuthCredentials([]), "user": None}, receive, send)
small_app = Starlette(routes=[
    Route("/page", Page), Route("/admin", admin), Route("/small", small), Route("/raises", small_raises),
    Route("/def", small_def), Mount("/below", routes=[Route("/small", small)]),
])
small_app.add_middleware(Login)
wrapped = TrustedHostMiddleware(small_app, allowed_hosts=["testserver"])
"""

TESTS = """
import json
import pytest

@pytest.mark.parametrize("app_name", ["app", "wrapped"])
class TestAll:
    @pytest.fixture
    def noblock_app(self, app_name):
        import api
        return getattr(api, app_name)

    def test_it(self, noblock, app_name):
        for call in CALLS[app_name]:
            method, _, path = call.rpartition(" ")
            headers = {"origin": "http://a", "access-control-request-method": "GET"} if method == "OPTIONS" else {}
            if "evil" in path:
                headers, path = {"host": "evil"}, "/small"
            warmup = False if "cold" in path else None
            check = noblock.check(method or "GET", path, headers=headers, warmup=warmup)
            other = noblock.check(method or "GET", path, headers=headers, warmup=False, expect="any")
            print("SEEN", json.dumps([call, check.outcome, check.reason, other.outcome, other.notes]))
"""


def at(code):
    """The place of the first line of the API that has this code in it."""
    return f"api.py:{next(n for n, line in enumerate(API.strip().splitlines(), 1) if code in line)}"


BEFORE = "{} answered {} before its endpoint was called: {}the endpoint was not reached ("
NOT_REACHED = {
    "app": {
        "/raw-418": BEFORE.format("GET /raw-418", 418, f"Raw ({at('int(scope[')}) answered, and "),
        "/raw-200": BEFORE.format("GET /raw-200", 200, f"Raw ({at('int(scope[')}) answered, and "),
        "/gate-403": BEFORE.format("GET /gate-403", 403, f"Gate ({at('async def dispatch')}) answered, and "),
        "/gate-302": BEFORE.format("GET /gate-302", 302, f"Gate ({at('async def dispatch')}) answered, and "),
        "/gate-404": BEFORE.format("GET /gate-404", 404, f"Gate ({at('async def dispatch')}) answered, and "),
        "/hidden": BEFORE.format("GET /hidden", 429, ""),
        "/token": BEFORE.format("GET /token", 401, f"token ({at('def token')}) answered, and "),
        "/bearer": BEFORE.format("GET /bearer", 401, "HTTPBearer answered, and "),
        "/number/x": BEFORE.format("GET /number/x", 422, "the validation of path.n answered, and "),
        "/limited": BEFORE.format("GET /limited", 429, f"over ({at('raise HTTPException(429)')}) answered, and "),
        "/v1/nothing": "GET /v1/nothing matched no route of the app (status 404)",
        "/shop/thin": "GET /shop/thin matched no route of the app (status 404), did you mean /shop/thing (",
        "/plain/no": "GET /plain/no answered 404, and nobody can know whether its endpoint was reached (",
        "POST /token": "POST /token matched no route of the app (status 405): its route does not take POST (",
        "OPTIONS /token": BEFORE.format("OPTIONS /token", 200, "CORSMiddleware answered, and "),
    },
    "wrapped": {
        "/evil": BEFORE.format("GET /small", 400, "TrustedHostMiddleware answered, and "),
        "/admin": BEFORE.format("GET /admin", 403, "requires answered, and "),
        "POST /page": "POST /page matched no route of the app (status 405): its route does not take POST (",
        "/below/smal": "GET /below/smal matched no route of the app (status 404), did you mean /below/small (",
    },
}
REACHED = {
    "app": (
        "/number/1 /own-404 /own-405 /own-405-def /cached-cold /mapped /lines /bytes /v1/included /shop/thing /plain/a"
    ).split(),
    "wrapped": "/page /small /raises /def /below/small".split(),
}
if sys.version_info >= (3, 12):  # 3.11 does not tell when the function inside a decorator begins
    NOT_REACHED["app"]["/cached"] = BEFORE.format(
        "GET /cached", 200, f"from_cache ({at('def from_cache')}) answered, and "
    )


@pytest.fixture
def seen(pytester):
    """What the fixture says of each call, in one run for all of them."""
    calls = {app: [*NOT_REACHED[app], *REACHED[app]] for app in NOT_REACHED}
    pytester.makepyfile(api=API, test_it=f"CALLS = {calls!r}\n" + TESTS)
    result = pytester.runpytest("-s", "-p", "no:randomly")
    result.assert_outcomes(passed=2)
    lines = [line.partition("SEEN ")[2] for line in result.outlines if "SEEN " in line]
    return {call: rest for call, *rest in map(json.loads, lines)}


def test_what_answers_in_front_of_the_endpoint_is_named_and_the_endpoints_own_answer_counts(seen):
    for call, sentence in {**NOT_REACHED["app"], **NOT_REACHED["wrapped"]}.items():
        outcome, reason, with_any, notes = seen.pop(call)
        assert (call, outcome, with_any) == (call, "inconclusive", "passed")
        assert reason.startswith(sentence)
        assert 'say expect="any" if wanted)' in reason
        assert "; the test takes any answer, and the endpoint was not measured" in " ".join(notes)
    assert {call: (outcome, reason) for call, (outcome, reason, _any, _notes) in seen.items()} == dict.fromkeys(
        [*REACHED["app"], *REACHED["wrapped"]], ("passed", None)
    )


@pytest.mark.one_python
def test_every_verb_takes_any_answer_and_refuses_another_word(run):
    result = run(
        """
        import pytest
        VERBS = ["get", "post", "put", "patch", "delete", "head", "options"]

        @pytest.mark.parametrize("verb", VERBS)
        def test_any(noblock, verb):
            assert getattr(noblock, verb)("/nowhere", expect="any").status_code == 404
            assert noblock.request(verb, "/nowhere", expect="any").status_code == 404

        def test_other(noblock):
            with pytest.raises(ValueError, match='^expect=.401. is not "any": leave it out, and the endpoint itself'):
                noblock.get("/nowhere", expect="401")
            assert noblock.check("GET", "/blocks", expect="any").outcome == "failed"

        def test_red(noblock):
            noblock.get("/nowhere", expect=None)
        """
    )
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(
        ["GET /nowhere matched no route of the app (status 404): the app has no such path (say expect=*"]
    )


@pytest.mark.one_python
def test_some_copies_that_are_refused_are_told_and_a_redirect_that_is_followed_is_not(pytester):
    pytester.makepyfile(
        api="""
from fastapi import FastAPI
from fastapi.responses import JSONResponse
app = FastAPI(redirect_slashes=True)
count = 0
@app.middleware("http")
async def limit(request, call_next):
    global count
    count += "limited" in request.url.path
    return JSONResponse({}, 429) if count % 2 else await call_next(request)
@app.post("/limited")
async def limited(): return 1
@app.get("/there/")
async def there(): return 1
""",
        test_it="""
def test_copies(noblock): noblock.post("/limited", concurrency=6)
def test_redirect(noblock): noblock.get("/there", follow_redirects=True)
""",
    )
    result = pytester.runpytest("--noblock-app=api:app")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*limit (api.py:6) answered,*; so did 3 of 6 copies: nothing was measured"])


def test_a_stuck_request_keeps_its_tasks_and_a_task_that_raised_was_measured_up_to_there(pytester):
    pytester.makepyfile(
        api="""
import asyncio
from fastapi import BackgroundTasks, FastAPI
app = FastAPI()
async def write_log(): await asyncio.sleep(20)
async def broken(): raise OSError("full")
@app.get("/stuck")
async def stuck(tasks: BackgroundTasks): tasks.add_task(write_log)
@app.get("/raises")
async def raises(tasks: BackgroundTasks): tasks.add_task(broken)
""",
        test_it="""
import pytest
@pytest.mark.noblock_background("write_log")
def test_stuck(noblock):
    check = noblock.check("GET", "/stuck", timeout=0.3, warmup=False)
    assert [each.path for each in check.exchanges] == ["/stuck"]
def test_raises(noblock): noblock.get("/raises")
""",
    )
    result = pytester.runpytest("--noblock-app=api:app")
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    assert "it began, and had not ended when the test did" in text
    assert "no request of this test added a task" not in text
    raised = "its background task broken raised OSError('full') at api.py:5 in broken"
    assert f"{raised}: what ran until then did not hold the event loop" in text


def test_a_watched_test_says_itself_what_it_wants_and_the_record_says_that_no_route_was_measured(pytester):
    pytester.makepyfile(
        api="""
import time
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from starlette.responses import JSONResponse
app = FastAPI()
def token(): raise HTTPException(401)
@app.middleware("http")
async def gate(request, call_next):
    if "slow" in request.url.path:
        time.sleep(0.08)
    return JSONResponse({}, 403) if "gate" in request.url.path else await call_next(request)
@app.get("/token", dependencies=[Depends(token)])
async def needs_token(): return 1
@app.get("/own")
async def own(): raise HTTPException(404)
@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.close()
""",
        test_it="""
from fastapi.testclient import TestClient
from api import app
def test_it():
    with TestClient(app) as client:
        for path, status in {"/gate": 403, "/token": 401, "/own": 404, "/nowhere": 404}.items():
            assert client.get(path).status_code == status
        with client.websocket_connect("/ws"):
            pass
def test_slow():
    assert TestClient(app).get("/slow-gate").status_code == 403
""",
    )
    result = pytester.runpytest("--noblock", "--noblock-report=out.json")
    result.assert_outcomes(passed=1, failed=1)
    checks = json.loads(pytester.path.joinpath("out.json").read_text())["checks"]
    silent = "something in front of the endpoint answered: the endpoint was not reached, and not measured"
    notes = {check["request"]: check["notes"][-1:] for check in checks}
    assert {request: said for request, said in notes.items() if request != "GET /slow-gate"} == {
        "LIFESPAN": [],
        "GET /gate": [silent],
        "GET /token": [silent],
        "GET /own": [],
        "GET /nowhere": [silent],
        "WEBSOCKET /ws": [],
    }
    assert notes["GET /slow-gate"][0].endswith(
        "before its endpoint was called: the endpoint was not reached, and not measured"
    )

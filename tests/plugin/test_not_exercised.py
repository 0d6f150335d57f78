"""A request that never reached its endpoint measured nothing: that is no pass, and says so."""

import pytest

API = """
import time
from fastapi import Depends, FastAPI, Header, HTTPException, WebSocket
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import Response

app = FastAPI()

def token(authorization: str | None = Header(None)):
    if authorization != "Bearer t":
        raise HTTPException(401)

@app.get("/mine", dependencies=[Depends(token)])
async def mine():
    return {}

@app.get("/numbers/{number}")
async def numbers(number: int):
    if number == 0:
        raise HTTPException(404)
    if number == 7:
        1 / 0
    return {}

@app.get("/things/")
async def things():
    return {}

@app.post("/orders")
async def orders(item: str):
    return {}

@app.websocket("/rooms/{room}/ws")
async def talk(socket: WebSocket, room: int):
    await socket.accept()
    time.sleep(0.08)
    await socket.close()

@app.get("/broken")
async def broken():
    raise ValueError("no such table")

@app.get("/told")
async def told():
    raise HTTPException(503)
"""


@pytest.fixture
def ask(pytester, refused):
    """Make the request; the outcomes of the test."""

    def ask(call: str, *sentences: str, api: str = API) -> dict[str, int]:
        pytester.makepyfile(api=api, test_it=f"def test_it(noblock):\n    noblock.{call}")
        result = pytester.runpytest("--noblock-app=api:app")
        refused(result, *sentences)
        return result.parseoutcomes()

    return ask


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("call", "sentences"),
    [
        ("get('/thing')", ["GET /thing matched no route of the app (status 404), did you mean /things/"]),
        ("get('/nonsense-altogether')", ["GET /nonsense-altogether matched no route of the app (status 404)"]),
        ("get('/things')", ["GET /things matched no route of the app (status 307): the app redirects to /things/"]),
        ("post('/mine')", ["POST /mine", "405"]),
        ("get('/mine')", ["GET /mine answered 401 before its endpoint was called", "noblock.client"]),
        ("get('/numbers/x')", ["GET /numbers/x answered 422 before its endpoint was called"]),
        ("post('/orders')", ["POST /orders answered 422 before its endpoint was called"]),
    ],
)
def test_a_request_that_is_not_answered_by_an_endpoint_is_red(ask, call, sentences):
    assert ask(call, *sentences) == {"failed": 1}


@pytest.mark.one_python
def test_what_is_said_of_a_websocket_measures_it(ask, pytester):
    told = 'TestClient(app).websocket_connect("/rooms/7/ws") in a test with @pytest.mark.noblock'
    assert ask("get('/rooms/7/ws')", "GET /rooms/7/ws: the app has a websocket there", told) == {"failed": 1}
    call, _, marker = told.partition(" in a test with ")
    imports = "import pytest\nfrom fastapi.testclient import TestClient\nfrom api import app\n"
    pytester.makepyfile(test_it=f"{imports}{marker}\ndef test_it():\n    with {call}: pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["WEBSOCKET /rooms/7/ws blocked the event loop * ms (limit 50 ms)"])


@pytest.mark.one_python
@pytest.mark.parametrize(
    "call",
    [
        "get('/mine', headers={'Authorization': 'Bearer t'})",
        "get('/numbers/1')",
        "get('/things', follow_redirects=True)",
        "post('/orders?item=tea')",
        "get('/numbers/0')",  # the endpoint's own 404 is its answer
        "get('/told')",
    ],
)
def test_a_request_that_an_endpoint_answers_is_green(ask, call):
    assert ask(call) == {"passed": 1}


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("/broken", "ValueError('no such table')", '    raise ValueError("no such table")'),
        ("/numbers/7", "ZeroDivisionError('division by zero')", "        1 / 0"),
    ],
)
def test_an_endpoint_that_raises_is_told_with_the_error_and_its_line(ask, path, error, code):
    line = API.strip().splitlines().index(code) + 1
    assert ask(f"get({path!r})", f"GET {path} raised {error} at api.py:{line} in ") == {"failed": 1}


@pytest.mark.one_python
def test_only_one_sentence_is_said_and_it_is_the_first_line_of_the_summary(ask, pytester):
    ask("get('/nonsense')")
    result = pytester.runpytest("--noblock-app=api:app", "-q")
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_it - Failed: GET /nonsense matched no route of*"])


BARE = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await asyncio.sleep(0)
"""


@pytest.mark.parametrize(
    "body",
    [
        "return",
        "await send(start)",
        "await send(start); await send({'type': 'http.response.body', 'body': b'a', 'more_body': True})",
        "await send({'type': 'http.response.body', 'body': b'without a start'})",
        "await send(start); await send({'type': 'http.response.body', 'body': 'text'})",
        "await send({'no': 'type'})",
        "await send(start); await send(start)",
        "raise SystemExit(3)",
        "asyncio.current_task().cancel(); await asyncio.sleep(1)",
        "await asyncio.create_task(leave())",
    ],
    ids="silent bodyless unended startless text typeless twice exit cancelled exit-in-a-child".split(),
)
def test_an_app_that_breaks_the_protocol_is_never_green(ask, body):
    api = BARE + f"    {body}\n\nasync def leave():\n    raise SystemExit(3)\n"
    assert ask("get('/', timeout=1)", "GET / ", api=api) == {"failed": 1}


@pytest.mark.one_python
@pytest.mark.parametrize("body", ["return", "await send(start)"])
def test_a_check_without_a_whole_response_is_not_passed(pytester, body):
    pytester.makepyfile(
        api=BARE + f"    {body}", test_it="def test_it(noblock):\n    print(noblock.check('GET', '/').outcome)"
    )
    result = pytester.runpytest("--noblock-app=api:app", "-s")
    assert "inconclusive" in result.stdout.str()


@pytest.mark.one_python
@pytest.mark.parametrize("url", ["http://", "/\\x00", "http://[", "nothing here:/", "//"])
def test_a_url_that_is_none_is_told_with_the_request(ask, url):
    outcomes = ask(f"get('{url}')", "GET ")
    assert outcomes == {"failed": 1}


def test_a_redirect_without_end_is_told_with_the_request(ask):
    api = BARE + (
        "    start |= {'status': 302, 'headers': [(b'location', b'/')]}\n"
        "    await send(start)\n    await send({'type': 'http.response.body'})\n"
    )
    assert ask("get('/', follow_redirects=True)", "GET /", "redirects", api=api) == {"failed": 1}

"""CPU that the loop burns outside of the user's lines is red in every way that sends the request, at its place."""

import json
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("jinja2")

pytestmark = pytest.mark.every_python

SIZED_ITEMS = Path(__file__).with_name("sized_items.py").read_text(encoding="utf-8")
SHOP = '''
import asyncio
import json
import pickle
import time

from fastapi import BackgroundTasks, FastAPI, Request, Response, WebSocket
from fastapi.encoders import jsonable_encoder
from fastapi.templating import Jinja2Templates
from jinja2 import Environment
from sized_items import ADAPTER, Item, rows, size
from starlette.middleware.base import BaseHTTPMiddleware

MS = 36
MODEL = rows(size(lambda n: ADAPTER.validate_python(rows(n)), 2 * MS))
ENCODED = rows(size(lambda n: jsonable_encoder(rows(n)), MS))
BODY = json.dumps(MODEL).encode()
PICKLED = pickle.dumps(rows(size(lambda n: pickle.loads(pickle.dumps(rows(n))), 4 * MS)))
def looped(n):
    x = 0
    for i in range(n):
        x += i

LOOPS = size(looped, 2 * MS)
SMALL = rows(10)
PAGE = "<ul>\\n{% for i in numbers %}\\n\\n<li>{{ i * 3 }}</li>\\n{% endfor %}\\n</ul>\\n"
TEMPLATES = Jinja2Templates("templates")
NUMBERS = range(size(lambda n: Environment().from_string(PAGE).render(numbers=range(n)), MS))

app = FastAPI()


@app.get("/model", response_model=list[Item])
async def model():
    return MODEL


@app.get("/encoder", response_model=None)
async def encoder():
    x = [1 for _ in range(1000)]
    return ENCODED


@app.post("/body")
async def body(items: list[Item]):
    return len(items)


@app.get("/pickle")
async def unpickled():
    found = pickle.loads(PICKLED)
    return len(found)


@app.get("/loop")
async def loop():
    x = 0
    for i in range(LOOPS):
        x += i
    return x


@app.get("/page")
async def page(request: Request):
    return TEMPLATES.TemplateResponse(request, "page.html", {"numbers": NUMBERS})


@app.get("/task")
async def task(tasks: BackgroundTasks):
    tasks.add_task(later)
    return {}


async def later():
    found = pickle.loads(PICKLED)
    await asyncio.sleep(0)


@app.get("/small", response_model=list[Item])
async def small():
    return SMALL


@app.get("/small-page")
async def small_page(request: Request):
    return TEMPLATES.TemplateResponse(request, "page.html", {"numbers": range(10)})


@app.get("/ready")
async def ready():
    return Response(READY, media_type="application/json")


READY = ADAPTER.dump_json(ADAPTER.validate_python(MODEL))

mounted = FastAPI()


@mounted.get("/model", response_model=list[Item])
async def of_mounted():
    return MODEL


app.mount("/mounted", mounted)


class Outer:
    """It only hands the request on: what the app burns is not its own."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class Hog(Outer):
    async def __call__(self, scope, receive, send):
        found = pickle.loads(PICKLED)
        await self.app(scope, receive, send)


class Dispatching(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        found = pickle.loads(PICKLED)
        return response


def power(ms):
    """An exponent: to raise to it is one instruction, in which no other thread gets the GIL."""
    n = 100_000
    while True:
        began = time.thread_time()
        7 ** n
        if (time.thread_time() - began) * 1000 >= ms:
            return n
        n = n * 5 // 4


POWER = power(2 * MS)


async def raw(scope, receive, send):
    found = 7 ** POWER
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


outer = Outer(app)
hog = Hog(app)
dispatching = Dispatching(app)
'''
PAGE = "<ul>\n{% for i in numbers %}\n\n<li>{{ i * 3 }}</li>\n{% endfor %}\n</ul>\n"
SUITE = """
import httpx
import pytest
import shop
from fastapi.testclient import TestClient

RED = ["app/model", "app/encoder", "app/body", "app/pickle", "app/loop", "app/page", "app/task", "app/mounted/model",
       "outer/model", "outer/body", "hog/small", "dispatching/small", "raw/"]
GREEN = ["app/small", "app/small-page", "app/ready", "outer/small"]


def sent(name):
    app, _, path = name.partition("/")
    more = {"content": shop.BODY, "headers": {"content-type": "application/json"}} if path == "body" else {}
    return getattr(shop, app), ("POST" if path == "body" else "GET", f"/{path}"), more


each = pytest.mark.parametrize("name", RED + GREEN)


@pytest.fixture
def noblock_app(name):
    return sent(name)[0]


@each
def test_fixture(noblock, name):
    _app, request, more = sent(name)
    noblock.request(*request, **more, confirm=True)


@each
def test_client(name):
    app, request, more = sent(name)
    assert TestClient(app).request(*request, **more).status_code == 200


@each
@pytest.mark.asyncio
async def test_async(name):
    app, request, more = sent(name)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.request(*request, **more)).status_code == 200
"""
RENDERS = {"app/page": 'return TEMPLATES.TemplateResponse(request, "page.html", {"numbers": NUMBERS})'}
"""A look of a watched test may meet the page as it is joined, after its lines; the looks become rarer meanwhile."""
WAYS = ["test_fixture", "test_client", "test_async"]
ENCODER = "fastapi.encoders.jsonable_encoder"
VALIDATES = ("pydantic.TypeAdapter.", "fastapi.routing.serialize_response")
READS = ("fastapi.dependencies.utils.request_body_to_args", "starlette.requests.Request.", "pydantic.")
LOADS = ("pickle.loads",)
PLACES = {
    "app/model": ("async def model():", VALIDATES),
    "app/encoder": ("async def encoder():", (ENCODER, "starlette.responses.")),
    "app/body": ("async def body(items: list[Item]):", READS),
    "app/pickle": ("found = pickle.loads(PICKLED)", LOADS),
    "app/page": ("<li>{{ i * 3 }}</li>", ("jinja2.Template.render",)),
    "app/task": ("found = pickle.loads(PICKLED)", LOADS),
    "app/mounted/model": ("async def of_mounted():", VALIDATES),
    "outer/model": ("async def model():", VALIDATES),
    "outer/body": ("async def body(items: list[Item]):", READS),
    "hog/small": ("found = pickle.loads(PICKLED)", LOADS),
    "dispatching/small": ("found = pickle.loads(PICKLED)", LOADS),
}
HEADS = {"app/page": "{% for i in numbers %}"}
"""The head of a loop burns as its body does: looks may show it more often."""
GREEN = ["app/small", "app/small-page", "app/ready", "outer/small"]


@pytest.fixture
def checks(pytester):
    """One run of all of them: the checks by way and name, and what the run printed."""
    pytester.mkdir("templates").joinpath("page.html").write_text(PAGE, encoding="utf-8")
    pytester.makepyfile(sized_items=SIZED_ITEMS, shop=SHOP, test_shop=SUITE)
    result = pytester.runpytest_subprocess(
        "--noblock", "--noblock-max-block=20ms", "--noblock-report=out.json", "-v", "-p", "no:randomly"
    )
    report = json.loads(pytester.path.joinpath("out.json").read_text(encoding="utf-8"))
    by_test = {}
    for check in report["checks"]:
        by_test.setdefault(tuple(check["id"].partition("::")[2].rstrip("]").split("[")), []).append(check)
    return by_test, result.stdout.str()


def test_cpu_is_red_wherever_it_is_burned_and_named_by_weight(checks):
    by_test, text = checks
    for way in WAYS:
        for name, (code, calls) in PLACES.items():
            found = [finding for check in by_test[way, name] for finding in check["findings"]]
            assert found, (way, name, text)
            longest = max(found, key=lambda finding: finding["ms"])
            assert longest["kind"] == "cpu", (way, name, found)
            if longest["code"] in (code, HEADS.get(name)):
                call = longest["call"]  # in a watched test, which has one run, the few looks may miss it
                assert call.startswith(calls) if call else way != "test_fixture", (way, name, call, longest["line"])
            else:  # on a busy machine another thread may have got the GIL, and no look came: then it is the `def`
                assert way != "test_fixture", (way, name, longest["code"], longest["call"])
                if longest["code"] != RENDERS.get(name):
                    assert f"def {longest['function']}(" in longest["code"], (way, name, found)
        for name in ("app/loop", "raw/"):
            (longest, *_) = [finding for check in by_test[way, name] for finding in check["findings"]]
            assert (longest["kind"], longest["function"]) == ("cpu", name.strip("/").rpartition("/")[2]), (way, name)
        for name in GREEN:
            assert [check["outcome"] for check in by_test[way, name]] == ["passed"], (way, name, by_test[way, name])
    assert "by      shop.py:" in text
    assert 'accept  @pytest.mark.noblock_allow("reason", call="fastapi.encoders.jsonable_encoder")' in text
    assert "instead fewer items in one answer (a page), or a StreamingResponse of a sync" in text
    assert "seen    once, by the counters of the step; most of it lay outside of the user's lines" in text

"""What is done once is a note in a watched test; what is done in every request is red there, and in the fixture."""

import json
import sys

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("jinja2")

SHOP = '''
import re

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment
from pydantic import create_model

PIECE = "".join("{% if x > " + str(n) + " %}<b>{{ x|upper }}</b>{% endif %}" for n in range(60))
PARTS = {f"part{n}.html": PIECE for n in range(12)}
PAGE = "".join("{% include '" + name + "' %}" for name in PARTS)
WHOLE = PIECE * 12
PATTERN = "|".join(f"(?:a{n}b*c{n})" for n in range(2000))


def make_app():
    """As most suites do: each test has an app of its own."""
    app = FastAPI()
    templates = Environment(loader=DictLoader({"page.html": PAGE, **PARTS}))
    for n in range(40):
        app.post(f"/items/{n}")(handler(create_model(f"Item{n}", **{f"f{i}": (dict[str, int], {}) for i in range(12)})))

    @app.get("/page")
    async def page():
        return HTMLResponse(templates.get_template("page.html").render(x=1))

    app.post("/page")(page)

    @app.get("/compiles")
    async def compiles():
        return HTMLResponse(Environment().from_string(WHOLE).render(x=1))

    @app.get("/pattern")
    async def pattern():
        return bool(re.compile(PATTERN).match("x"))

    @app.get("/imports")
    async def imports():
        import heavy
        return heavy.NUMBER

    return app


def handler(model):
    async def item(body: model):
        return body
    return item
'''
SUITE = """
import re
import sys

import pytest
from fastapi.testclient import TestClient
from shop import make_app

ONCE = ["/page", "/pattern", "/imports", "/openapi.json"]


@pytest.fixture
def noblock_app():
    return make_app()


@pytest.mark.parametrize("test", range(2))
@pytest.mark.parametrize("path", ONCE)
def test_once(path, test):
    re.purge()
    sys.modules.pop("heavy", None)
    client = TestClient(make_app())
    client.get(path)
    client.get(path)


def test_compiles():
    TestClient(make_app()).get("/compiles")


def test_pattern():
    client = TestClient(make_app())
    for _ in range(2):
        re.purge()
        client.get("/pattern")


def test_fixture_page(noblock):
    noblock.get("/page")


def test_fixture_post(noblock):
    noblock.post("/page", warmup=False)


def test_fixture_compiles(noblock):
    noblock.get("/compiles")
"""
HEAVY = """
import time
end = time.thread_time() + 0.06
while time.thread_time() < end:
    pass
NUMBER = 1
"""


def test_first_use_is_a_note_and_work_of_every_request_is_red(pytester):
    pytester.makepyfile(shop=SHOP, heavy=HEAVY, test_shop=SUITE)
    result = pytester.runpytest_subprocess(
        "--noblock", "--noblock-max-block=16ms", "--noblock-report=out.json", "-p", "no:randomly"
    )
    checks = json.loads(pytester.path.joinpath("out.json").read_text(encoding="utf-8"))["checks"]
    found = {(check["id"].partition("::")[2], check["outcome"]): check for check in checks}
    red = {name for name, outcome in found if outcome != "passed"}
    assert red == {"test_compiles", "test_pattern", "test_fixture_compiles"}, result.stdout.str()
    notes = " | ".join(note for check in checks for note in check["notes"])
    for what in ("the template pa", "the pattern ", "imports, ", "the OpenAPI document"):
        assert f"cold: {what}" in notes, notes
    (pattern,) = found["test_pattern", "failed"]["findings"]
    assert pattern["function"] == "pattern"
    # on a busy machine no look may come while it compiles: then the finding is at the `def`
    assert pattern["call"] == "re.compile" or "def pattern(" in pattern["code"], pattern
    assert "from_string(WHOLE)" in found["test_compiles", "failed"]["findings"][0]["code"]


SINCE_3_15 = pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy is new in 3.15")
LAZY = """
import shop
from fastapi import FastAPI

{outside}
app = FastAPI()

@app.get("/")
async def endpoint():
    {inside}
    return prices.RATE
"""


@pytest.mark.every_python
@pytest.mark.parametrize(
    ("outside", "inside"),
    [
        ("", "from shop import prices"),
        pytest.param("lazy import shop.prices as prices", "", marks=SINCE_3_15),
        pytest.param("lazy from shop import prices", "", marks=SINCE_3_15),
        pytest.param("lazy from shop.prices import RATE", "prices = type('', (), {'RATE': RATE})", marks=SINCE_3_15),
    ],
    ids=["in the endpoint", "lazily", "lazily out of its package", "lazily by what is in it"],
)
def test_a_module_that_the_first_request_imports_is_named(pytester, outside, inside):
    """A lazy import has no statement in the endpoint: the module's name is what finds it."""
    test = "from fastapi.testclient import TestClient\nfrom lazily import app\n"
    test += "def test_it():\n    TestClient(app).get('/')\n"
    pytester.makepyfile(lazily=LAZY.format(outside=outside, inside=inside), test_it=test)
    pytester.mkpydir("shop").joinpath("prices.py").write_text("import time\ntime.sleep(0.08)\nRATE = 1", "utf-8")
    result = pytester.runpytest_subprocess("--noblock", "-v", "-p", "no:randomly")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*cold: imports, * ms (shop.prices), the first time only"])


ANEW = """
import importlib
import sys
from fastapi import FastAPI

app = FastAPI()

@app.get("/bad")
async def each_time():
    sys.modules.pop("heavy", None)
    return importlib.import_module("heavy").NUMBER

@app.get("/good")
async def once():
    import heavy_once
    return heavy_once.NUMBER
"""
ASKED_ANEW = """
import pytest
from anew import app
from fastapi.testclient import TestClient

@pytest.mark.parametrize("test", range(2))
@pytest.mark.parametrize("path", ["/bad", "/good"])
def test_client(path, test):
    TestClient(app).get(path)
"""


@pytest.mark.every_python
def test_a_module_that_each_request_imports_anew_is_not_told_as_the_first_time(pytester):
    pytester.makepyfile(anew=ANEW, heavy=HEAVY, heavy_once=HEAVY, test_anew=ASKED_ANEW)
    pytester.runpytest_subprocess("--noblock", "--noblock-report=out.json", "-p", "no:randomly")
    checks = json.loads(pytester.path.joinpath("out.json").read_text(encoding="utf-8"))["checks"]
    imports = [(check["route"], note) for check in checks for note in check["notes"] if "imports, " in note]
    first, again, once = imports
    assert (first[0], again[0], once[0]) == ("/bad", "/bad", "/good")
    assert first[1].startswith("cold: ")
    assert again[1].startswith("unsettled: ")
    assert again[1].endswith("as in a request of an earlier test; imports are not counted")
    assert once[1].startswith("cold: ")
    assert once[1].endswith("the first time only")

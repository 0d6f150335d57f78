"""A sweep of an app whose routes are in each other's way, or in no document: nothing is green that did not run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("python_multipart")

APP = """
import asyncio, time, uuid
from fastapi import FastAPI, Form, HTTPException, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

app = FastAPI()
THINGS = {uuid.uuid4(): "gold"}

@app.get("/things")
async def things():
    return {"items": [{"id": str(key), "name": name} for key, name in THINGS.items()]}

@app.get("/things/{thing_id}")
async def thing(thing_id: str):
    await asyncio.sleep(0)
    return thing_id

@app.get("/pages")
async def pages():
    await asyncio.sleep(0)
    return HTMLResponse('<a href="/pages/gold/edit">edit</a>')

@app.get("/pages/{page}/edit")
async def edit(page: str):
    await asyncio.sleep(0)
    if page != "gold":
        raise HTTPException(404)

@app.get("/things/mine")
async def mine():
    time.sleep(0.08)

@app.get("/hidden/{thing_id}", include_in_schema=False)
async def hidden(thing_id: uuid.UUID):
    time.sleep(0.08)  # BAD

class Thing(BaseModel):
    name: str = Field(pattern="^[A-Z]{3}-[0-9]+$")
    parts: list["Thing"]

@app.post("/things")
async def make(thing: Thing):
    time.sleep(0.08)  # BAD

async def legacy(scope, receive, send): ...

app.mount("/legacy", legacy)

@app.post("/upload")
async def upload(file: UploadFile, title: str = Form(min_length=5)):
    await file.read()
"""


LEGACY = "What is mounted at /legacy shows no routes, so that only those in an OpenAPI document are swept"
PAGES = "The pages of the framework itself are left out: /openapi.json, /docs"


@pytest.mark.one_python
def test_a_route_whose_requests_another_takes_is_not_measured(pytester: pytest.Pytester) -> None:
    """Its own endpoint blocks, and nobody would know."""
    pytester.makepyfile(app=APP)
    result = pytester.runpytest("--noblock-sweep=app:app", "--noblock-methods=GET,POST", "-rs", "-v")
    result.assert_outcomes(passed=5, failed=2, skipped=1)
    text = result.stdout.str()
    assert "noblock::GET /things/mine SKIPPED" in text
    assert "not-found: /things/{thing_id} (app.thing) takes its requests: declare the route before that one" in text
    bad = [number for number, line in enumerate(APP.strip().splitlines(), 1) if line.endswith("# BAD")]
    assert all(f"app.py:{line} in " in text for line in bad)
    assert "noblock::GET /hidden/{thing_id} FAILED" in text
    assert "noblock::POST /things FAILED" in text
    assert "7 of 8 routes measured" in text
    assert text.count(LEGACY) == 1
    assert PAGES in text


@pytest.mark.one_python
def test_what_is_only_collected_says_it_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(app=APP)
    text = pytester.runpytest("--noblock-sweep=app:app", "--co").stdout.str()
    assert text.count(LEGACY) == 1
    assert PAGES not in text


@pytest.mark.one_python
def test_each_worker_knows_what_is_not_swept_and_it_is_said_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(app=APP)
    result = pytester.runpytest("--noblock-sweep=app:app", "-n2", "-k", "hidden or things")
    text = result.stdout.str()
    assert text.count(LEGACY) == 1
    assert PAGES not in text  # with -v only: every app of FastAPI's has them


SERVED = """
import re, time
from fastapi import FastAPI
app = FastAPI()
PATTERN = re.compile(r"^(a+)+$")

@app.get("/sleeps")
def sleeps():
    time.sleep(0.3)

@app.get("/quick")
def quick():
    return {}
"""
KEEPS = (
    SERVED
    + """
@app.get("/keeps")
def keeps():
    PATTERN.match("a" * 23 + "b")
"""
)


def _served(pytester: pytest.Pytester, *options: str) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """By route, what the table says that one worker serves in a second; and the routes of the report."""
    text = pytester.runpytest("--noblock-sweep=app:app", "--noblock-report=r.json", *options).stdout.str()
    found = re.findall(r"^  GET (\S+) .* ms +([\d,.]+)(?:  app\.py:\d+)?$", text, re.MULTILINE)
    return {path: float(rate.replace(",", "")) for path, rate in found}, json.loads(Path("r.json").read_text())[
        "routes"
    ]


@pytest.mark.one_python
def test_what_one_worker_serves_counts_threads_and_the_gil(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(app=SERVED)
    rates, routes = _served(pytester, "-n2")
    assert rates["/sleeps"] <= 1000  # true: 133; by its loop 2,000; late looks of a busy machine count less
    told = {each["path"]: each.get("per_second") or 1000 / each["loop_ms"] for each in routes}
    assert told == pytest.approx(rates, rel=0.06)
    pytester.makepyfile(app=KEEPS)
    rates, routes = _served(pytester, "-k", "keeps")
    [keeps] = [each for each in routes if each["path"] == "/keeps"]
    assert rates["/keeps"] == pytest.approx(1000 / (keeps["worst_ms"] + keeps["loop_ms"]), rel=0.06)

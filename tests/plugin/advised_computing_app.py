"""An app that computes, or copies, on the loop: each line that ends with `# name` holds it on the route `/name`.

Each takes some 60 ms on the machine of 2026 where it was written, 20 ms of which are red.
"""

import asyncio
import copy
import importlib
import json
import re
from pathlib import Path

import aiofiles  # noqa: F401  # a repaired twin of this app needs it
import anyio.to_process
import jinja2
import pydantic_core  # noqa: F401
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse  # noqa: F401
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine  # noqa: F401

ITEMS = importlib.import_module("advised_items").ITEMS  # once for all repaired twins
TEXT = importlib.import_module("advised_items").TEXT
BIG = Path("big.bin")
ENGINE = create_engine("sqlite:///shop.db")
COUNTED = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) SELECT sum(x) FROM c"
PAGE = jinja2.Template("{% for row in rows %}<p>{{ row }}</p>{% endfor %}")
NUMBERS = range(300_000)
PATTERN = re.compile(r"(a+)+$")
app = FastAPI()


@app.get("/read")
async def read():
    with BIG.open("rb") as file:
        content = file.read()  # read
    return len(content)


@app.get("/sql")
async def sql():
    with ENGINE.connect() as connection:
        return connection.execute(text(COUNTED.format(400_000))).scalar()  # sql


@app.get("/dumps")
async def dumps():
    return Response(json.dumps(ITEMS))  # dumps


@app.get("/loads")
async def loads():
    return len(json.loads(TEXT))  # loads


@app.get("/copied")
async def copied():
    copy.deepcopy(ITEMS[:12_000])  # copied


@app.get("/answer")
async def answer():  # answer
    return ITEMS[:10_000]


class Item(BaseModel):
    id: int
    name: str
    tags: list[str]
    price: float


@app.get("/modelled")
async def modelled() -> list[Item]:  # modelled
    return ITEMS


@app.get("/rendered")
async def rendered():
    return JSONResponse(ITEMS)  # rendered


@app.get("/drawn")
async def drawn():
    return PlainTextResponse(PAGE.render(rows=NUMBERS))  # drawn


def match(times):
    return PATTERN.match("a" * times + "b") is None  # matched


@app.get("/matched")
async def matched():
    return match(21)


@app.get("/in-thread")
async def in_thread():
    await asyncio.to_thread(json.dumps, ITEMS)  # in-thread


@app.get("/matched-in-thread")
async def matched_in_thread():
    await asyncio.to_thread(re.match, r"(a+)+$", "a" * 21 + "b")  # matched-in-thread


@app.get("/in-process")
async def in_process():
    await anyio.to_process.run_sync(json.dumps, ITEMS)  # in-process

"""What is advised in the place of a call, typed in as it stands, makes the test green."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

pytest.importorskip("fastapi")

SIZED_ITEMS = Path(__file__).with_name("sized_items.py").read_text(encoding="utf-8")
API = """
import asyncio
import inspect
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from sized_items import ADAPTER, Item, rows, size
from starlette.middleware.gzip import GZipMiddleware

MODEL = rows(size(lambda n: ADAPTER.validate_python(rows(n)), 80))
READY = ADAPTER.dump_json(ADAPTER.validate_python(MODEL))
PIECES = [READY[start : start + 16384] for start in range(0, len(READY), 16384)]
LONG = os.urandom(8_000_000)  # takes 25 ns a byte to compress, at best
POOL = ThreadPoolExecutor()
QUEUE = multiprocessing.get_context("spawn").Queue()

app = FastAPI()


@app.get("/future/bad")
async def waits_for_future():
    POOL.submit(time.sleep, 0.08).result()


@app.get("/future/good")
async def awaits_future():
    await asyncio.wrap_future(POOL.submit(time.sleep, 0.08))


def fed_later():
    threading.Timer(0.1, QUEUE.put, ["token"]).start()


@app.get("/queue/bad")
async def gets():
    fed_later()
    return QUEUE.get(timeout=5)


@app.get("/queue/good")
async def gets_in_thread():
    fed_later()
    return await asyncio.to_thread(QUEUE.get, timeout=5)


@app.get("/model/bad", response_model=list[Item])
async def validated():
    return MODEL


@app.get("/model/good", response_model=None)
async def ready():
    return Response(READY, media_type="application/json")


@app.get("/model/good-pieces", response_model=None)
async def in_pieces():
    def items():
        yield from PIECES

    return StreamingResponse(items(), media_type="application/json")


small = FastAPI()
takes = inspect.signature(GZipMiddleware).parameters
on_loop = {"thread_minimum_size": 1 << 40} if "thread_minimum_size" in takes else {}  # else in a thread
small.add_middleware(GZipMiddleware, minimum_size=100, **on_loop)


@small.get("/bad")
async def whole():
    return Response(LONG)


@small.get("/good")
async def streamed():
    def pieces():
        for start in range(0, len(LONG), 65536):
            yield LONG[start : start + 65536]

    return StreamingResponse(pieces())


app.mount("/gzip", small)
"""
SUITE = """
    import pytest
    from fastapi.testclient import TestClient
    from api import app

    both = pytest.mark.parametrize(
        "path",
        ["future/bad", "queue/bad", "model/bad", "gzip/bad"]
        + ["future/good", "queue/good", "model/good", "model/good-pieces", "gzip/good"],
    )

    @both
    def test_fixture(noblock, path):
        noblock.get("/" + path)

    @both
    def test_client(path):
        TestClient(app).get("/" + path, headers={"accept-encoding": "gzip"})
"""
ADVICE = {
    "future/bad": ("concurrent.futures.Future.result", "await asyncio.wrap_future(...)"),
    "queue/bad": ("multiprocessing.Queue.get", "await asyncio.to_thread(QUEUE.get, ...)"),
    "model/bad": (
        "pydantic.TypeAdapter.validate_python",
        "fewer items in one answer (a page), or a StreamingResponse of a sync generator",
    ),
    "gzip/bad": (None, "compression in the proxy, or a StreamingResponse of a sync generator"),
}


def test_the_advice_for_a_call_makes_the_test_green(pytester):
    pytester.makepyfile(sized_items=SIZED_ITEMS, api=API, test_api=SUITE)
    result = pytester.runpytest_subprocess(
        "--noblock", "--noblock-app=api:app", "--noblock-report=out.json", "-p", "no:randomly"
    )
    result.assert_outcomes(failed=8, passed=10)
    checks = json.loads(pytester.path.joinpath("out.json").read_text(encoding="utf-8"))["checks"]
    for check in checks:
        path = check["request"].partition("/")[2]
        assert (check["outcome"] == "failed") == path.endswith("/bad"), check
        if check["outcome"] == "failed" and "test_fixture" in check["id"]:  # a watched test has few looks at a stack
            call, instead = ADVICE[path]
            found = max(check["findings"], key=lambda finding: finding["ms"])
            assert call is None or call.endswith(found["call"].rpartition(".")[2])
            assert found["replacement"].startswith(instead), found
            assert "anyio.to_process" not in found["replacement"]

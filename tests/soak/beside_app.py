"""Requests that stop others while the loop is free, each line marked with what it does."""

import asyncio
import hashlib
import json
import os
import re
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
from fastapi import BackgroundTasks, Depends, FastAPI, UploadFile
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, StreamingResponse

SLEEP_S = 0.3
WAYS = ("endpoint", "dependency", "background", "generator", "threadpool")
EXECUTOR_WAYS = ("to-thread", "executor")
RANDOM = np.random.default_rng(1)
MATRIX = RANDOM.random((1200, 1200))
NUMBERS = RANDOM.random(2_000_000)
OBJECTS = np.array(RANDOM.integers(1 << 62, size=300_000), dtype=object)
BIG = {str(number): [number] * 20 for number in range(120_000)}
there = {}


async def _serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(SLEEP_S if b"/slow" in head else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@asynccontextmanager
async def _lifespan(app):
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    there["url"] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for n in (1, 10):
        there["client", n] = httpx.AsyncClient(limits=httpx.Limits(max_connections=n), timeout=60, trust_env=False)
        there["engine", n] = create_async_engine(
            "sqlite+aiosqlite://", poolclass=AsyncAdaptedQueuePool, pool_size=n, max_overflow=0
        )
        there["lock", n] = asyncio.Lock() if n == 1 else asyncio.Semaphore(n)
        there["semaphore", n] = asyncio.Semaphore(n)
    yield
    for n in (1, 10):
        await there["client", n].aclose()
        await there["engine", n].dispose()
    server.close()


app = FastAPI(lifespan=_lifespan)


@app.get("/endpoint")
def endpoint():
    time.sleep(SLEEP_S)  # endpoint


def _slowly():
    time.sleep(SLEEP_S)  # dependency


@app.get("/dependency", dependencies=[Depends(_slowly)])
async def dependency():
    return {}


def _write():
    time.sleep(SLEEP_S)  # background


@app.get("/background")
async def background(tasks: BackgroundTasks):
    tasks.add_task(_write)


def _lines():
    time.sleep(SLEEP_S)  # generator
    yield "line"


@app.get("/generator")
async def generator():
    return StreamingResponse(_lines())


@app.get("/threadpool")
async def threadpool():
    await run_in_threadpool(time.sleep, SLEEP_S)  # threadpool


def _slow_disk():
    """It has nothing for anybody until nobody has come for a while: on a busy machine forty begin slowly."""
    reading, writing = os.pipe()
    there.setdefault("pipes", []).append(writing)
    if "answer" in there:
        there["answer"].cancel()
    there["answer"] = asyncio.get_running_loop().call_later(SLEEP_S, _answer)
    return reading


def _answer():
    while there["pipes"]:
        os.close(there["pipes"].pop())


async def _close(reading):
    os.close(reading)


@app.get("/file")
async def file():  # file
    reading = _slow_disk()
    closing = BackgroundTask(_close, reading)
    return FileResponse(f"/proc/self/fd/{reading}", stat_result=Path(__file__).stat(), background=closing)


@app.post("/upload")
async def upload(file: UploadFile):
    file.file.close()
    file.file = os.fdopen(_slow_disk(), "rb")
    await file.read()  # upload


@app.get("/to-thread")
async def to_thread():
    await asyncio.to_thread(time.sleep, 0.05)  # to-thread


def _work():
    time.sleep(0.05)  # executor


@app.get("/executor")
async def executor():
    await asyncio.get_running_loop().run_in_executor(None, _work)


@app.get("/quick")
def quick():
    return {}


@app.get("/gil/regex")
def regex():
    re.match(r"(a+)+$", "a" * 23 + "b")  # regex


@app.get("/gil/json")
def dumps():
    json.dumps(BIG)  # json


@app.get("/gil/to-thread")
async def dumps_in_thread():
    await asyncio.to_thread(json.dumps, BIG)  # to-thread


def _own():
    re.match(r"(a+)+$", "a" * 23 + "b")  # thread


@app.get("/gil/thread")
async def thread():
    own = threading.Thread(target=_own)
    own.start()
    while own.is_alive():
        await asyncio.sleep(0.001)


@app.get("/gil/pbkdf2")
def pbkdf2():
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 300_000)


@app.get("/gil/numpy-product")
def numpy_product():
    return float((MATRIX @ MATRIX)[0, 0])


@app.get("/gil/numpy-sort")
def numpy_sort():
    return float(np.sort(NUMBERS)[0])


@app.get("/gil/numpy-objects")
def numpy_objects():
    return int((OBJECTS**5)[0])  # numpy-objects


@app.get("/gil/sleep")
def sleep():
    time.sleep(0.1)


@app.get("/gil/python")
def python():
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass


HELD = ("lock", "semaphore", "httpx", "sqlalchemy")


@app.get("/held/lock/{n}/{how}")
async def lock(n: int, how: str):
    async with there["lock", n]:  # waits lock
        if how == "slow":
            await asyncio.sleep(SLEEP_S)  # holds lock


@app.get("/held/semaphore/{n}/{how}")
async def semaphore(n: int, how: str):
    async with there["semaphore", n]:  # waits semaphore
        if how == "slow":
            await asyncio.sleep(SLEEP_S)  # holds semaphore


@app.get("/held/httpx/{n}/{how}")
async def client(n: int, how: str):
    if how == "slow":
        await there["client", n].get(there["url"] + "/slow")  # holds httpx
    else:
        await there["client", n].get(there["url"] + "/fast")  # waits httpx


@app.get("/held/sqlalchemy/{n}/{how}")
async def sqlalchemy(n: int, how: str):
    async with there["engine", n].connect() as connection:  # waits sqlalchemy
        await connection.execute(text("select 1"))
        if how == "slow":
            await asyncio.sleep(SLEEP_S)  # holds sqlalchemy

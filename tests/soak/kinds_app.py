"""Twenty kinds of blocking, 60 ms each, and their repaired twins; each blocking line ends with `# blocks <kind>`.

Every endpoint takes `how`: `blocks` or `awaits`. NOBLOCK_KINDS_HTTP and _POSTGRES name
the ports of an HTTP server that answers after 60 ms, and of a PostgreSQL.
"""

import asyncio
import ctypes
import hashlib
import json
import os
import re
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psycopg
import psycopg2
import requests
from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette

SECONDS = 0.06
CERTIFICATES = ssl.create_default_context()  # 20 ms of CPU, three times that beside busy processes: once


def _sized(work, size: int) -> int:
    """So that `work(size)` takes 1.6 times SECONDS of CPU here, at this machine's best."""
    best = min(_cpu(work, size) for _ in range(5))
    return round(size * 1.6 * SECONDS / best)


def _cpu(work, size: int) -> float:
    began = time.thread_time()
    work(size)
    return time.thread_time() - began


def squares(count: int) -> int:
    total = 0
    for number in range(count):
        total += number * number
    return total


def dump(count: int) -> str:
    return json.dumps([{"a": 1.5, "b": "text", "c": None}] * count)


def derive(rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", rounds)


COUNT = _sized(squares, 100_000)
ROUNDS = _sized(derive, 10_000)
SIZE = _sized(dump, 5_000)
LETTERS = next(n for n in range(12, 40) if _cpu(lambda n: re.search(r"(a|a)+$", "a" * n + "b"), n) > 1.4 * SECONDS)
HOLDING = ctypes.PyDLL(None)
"""Calls through it keep the GIL, as many C extensions do."""


def url() -> str:
    return f"http://127.0.0.1:{os.environ['NOBLOCK_KINDS_HTTP']}/"


def dsn() -> str:
    return f"host=127.0.0.1 port={os.environ['NOBLOCK_KINDS_POSTGRES']} user=postgres dbname=postgres"


def after_a_while(call, *args) -> Future:
    """Call it from another thread.

    Three times SECONDS: beside busy processes the caller begins to wait late, and the
    time goes on while it waits for a processor.
    """
    begun, pool = threading.Event(), ThreadPoolExecutor(1)

    def later() -> None:
        begun.wait()
        time.sleep(3 * SECONDS)
        call(*args)

    future = pool.submit(later)
    pool.shutdown(wait=False)
    begun.set()
    return future


@asynccontextmanager
async def lifespan(app):
    time.sleep(SECONDS)  # blocks lifespan
    yield


@asynccontextmanager
async def repaired_lifespan(app):
    await asyncio.sleep(SECONDS)
    yield


app = FastAPI()
starts = {"blocks": Starlette(lifespan=lifespan), "awaits": Starlette(lifespan=repaired_lifespan)}


@app.get("/sleep/{how}")
async def sleep(how: str):
    if how == "awaits":
        await asyncio.sleep(SECONDS)
    else:
        time.sleep(SECONDS)  # blocks sleep


@app.get("/requests/{how}")
async def requests_get(how: str):
    if how == "awaits":
        async with httpx.AsyncClient(verify=CERTIFICATES) as client:
            return (await client.get(url())).json()
    return requests.get(url()).json()  # blocks requests


@app.get("/urllib/{how}")
async def urllib_urlopen(how: str):
    if how == "awaits":
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url()).status)
    return urllib.request.urlopen(url()).status  # blocks urllib


@app.get("/psycopg2/{how}")
async def psycopg2_query(how: str):
    if how == "awaits":
        async with await psycopg.AsyncConnection.connect(dsn()) as connection:
            await connection.execute(f"SELECT pg_sleep({SECONDS})")
        return
    connection = await asyncio.to_thread(psycopg2.connect, dsn())
    cursor = connection.cursor()
    cursor.execute(f"SELECT pg_sleep({SECONDS})")  # blocks psycopg2
    await asyncio.to_thread(connection.close)


def write(path: str) -> None:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")  # blocks sqlite
    connection.execute("COMMIT")
    connection.close()


@app.get("/sqlite/{how}")
async def sqlite_lock(how: str):
    """Another writer has the database locked."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/db"
        other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        other.execute("PRAGMA synchronous = OFF")
        other.execute("CREATE TABLE t (a)")
        other.execute("BEGIN IMMEDIATE")
        release = after_a_while(other.execute, "COMMIT")
        if how == "awaits":
            await asyncio.to_thread(write, path)
        else:
            write(path)
        await asyncio.wrap_future(release)
        other.close()


@app.get("/subprocess/{how}")
async def subprocess_run(how: str):
    if how == "awaits":
        return await (await asyncio.create_subprocess_exec("sleep", str(SECONDS))).wait()
    command = ["sleep", str(2 * SECONDS)]  # beside busy processes it is under way before its parent begins to wait
    return subprocess.run(command, check=False).returncode  # blocks subprocess


@app.get("/lock/{how}")
async def lock(how: str):
    lock = threading.Lock()
    lock.acquire()
    release = after_a_while(lock.release)
    if how == "awaits":
        await asyncio.to_thread(lock.acquire)
    else:
        lock.acquire()  # blocks lock
    await asyncio.wrap_future(release)


@app.get("/future/{how}")
async def future_result(how: str):
    future = after_a_while(int)
    if how == "awaits":
        await asyncio.wrap_future(future)
    else:
        future.result()  # blocks future


@app.get("/file/{how}")
async def file(how: str):
    """A FIFO: a slow disk at will."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fifo")
        os.mkfifo(path)
        writer = after_a_while(path.write_text, "a")
        if how == "awaits":
            await asyncio.to_thread(path.read_text)
        else:
            path.read_text()  # blocks file
        await asyncio.wrap_future(writer)


@app.get("/python/{how}")
async def python(how: str):
    total = 0
    count = COUNT if how == "blocks" else 1000
    for number in range(count):  # blocks python
        total += number * number  # blocks python
    await asyncio.sleep(SECONDS)
    return total


@app.get("/regex/{how}")
async def regex(how: str):
    await asyncio.sleep(0.001)
    re.search(r"(a|a)+$", "a" * (LETTERS if how == "blocks" else 3) + "b")  # blocks regex
    await asyncio.sleep(SECONDS)


@app.get("/json/{how}")
async def json_dumps(how: str):
    rows = [{"a": 1.5, "b": "text", "c": None}] * (SIZE if how == "blocks" else 10)
    await asyncio.sleep(0.001)
    text = json.dumps(rows)  # blocks json
    await asyncio.sleep(SECONDS)
    return len(text)


@app.get("/pbkdf2/{how}")
async def pbkdf2(how: str):
    if how == "awaits":
        return len(await asyncio.to_thread(derive, ROUNDS))
    return len(hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", ROUNDS))  # blocks pbkdf2


@app.get("/gil/{how}")
async def gil(how: str):
    if how == "awaits":
        await asyncio.sleep(SECONDS)
    else:
        HOLDING.usleep(round(1e6 * SECONDS))  # blocks gil


async def settings_of(how: str) -> None:
    if how == "blocks":
        time.sleep(SECONDS)  # blocks dependency
    else:
        await asyncio.sleep(SECONDS)


@app.get("/dependency/{how}", dependencies=[Depends(settings_of)])
async def dependency(how: str):
    return how


@app.middleware("http")
async def middleware(request: Request, call_next):
    if request.url.path == "/middleware/blocks":
        time.sleep(SECONDS)  # blocks middleware
    return await call_next(request)


@app.get("/middleware/{how}")
async def middleware_endpoint(how: str):
    await asyncio.sleep(SECONDS)


async def write_log(how: str) -> None:
    await asyncio.sleep(0.001)
    if how == "blocks":
        time.sleep(SECONDS)  # blocks background
    await asyncio.sleep(SECONDS)


@app.get("/background/{how}")
async def background(how: str, tasks: BackgroundTasks):
    tasks.add_task(write_log, how)


@app.get("/stream/{how}")
async def stream(how: str):
    async def parts():
        yield b"a"
        if how == "blocks":
            time.sleep(SECONDS)  # blocks stream
        await asyncio.sleep(SECONDS)
        yield b"b"

    return StreamingResponse(parts())


@app.websocket("/websocket/{how}")
async def websocket(socket: WebSocket, how: str):
    await socket.accept()
    await socket.receive_text()
    if how == "blocks":
        time.sleep(SECONDS)  # blocks websocket
    await asyncio.sleep(SECONDS)
    await socket.send_text("done")
    await socket.close()

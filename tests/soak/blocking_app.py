"""Labelled endpoints: each blocking line ends with `# blocks`, each repaired twin lies under /ok/.

`services` must be set before the app starts.
"""

import asyncio
import contextlib
import hashlib
import http.client
import multiprocessing
import socket
import time
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import httpx
import psycopg
import psycopg2
import redis
import redis.asyncio
import requests
from fastapi import FastAPI

services = None
"""A `servers.Services`."""
kept = SimpleNamespace()
"""Connections that live as long as the app."""

SLEEP_S = 0.02


def _best(work, size: int) -> float:
    """CPU seconds of `work(size)` at this machine's best."""
    times = []
    for _ in range(7):
        began = time.thread_time()
        work(size)
        times.append(time.thread_time() - began)
    return min(times)


def squares(count: int) -> int:
    total = 0
    for number in range(count):
        total += number * number
    return total


def derive(rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", rounds)


COUNT = round(100_000 * SLEEP_S / _best(squares, 100_000))
ROUNDS = round(10_000 * SLEEP_S / _best(derive, 10_000))


def http_url() -> str:
    return f"http://127.0.0.1:{services.http}/rates"


def dsn() -> str:
    return f"host=127.0.0.1 port={services.postgres} user=postgres dbname=postgres"


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    context = multiprocessing.get_context("spawn")
    kept.processes = ProcessPoolExecutor(1, mp_context=context)
    kept.processes.submit(squares, 1).result()
    kept.session = requests.Session()
    kept.psycopg = psycopg.connect(dsn(), autocommit=True)
    kept.psycopg_async = await psycopg.AsyncConnection.connect(dsn(), autocommit=True)
    kept.psycopg2 = psycopg2.connect(dsn())
    kept.psycopg2.autocommit = True
    kept.redis = redis.Redis(port=services.redis)
    kept.redis_async = redis.asyncio.Redis(port=services.redis)
    kept.socket = socket.create_connection(("127.0.0.1", services.echo))
    kept.streams = await asyncio.open_connection("127.0.0.1", services.echo)
    kept.httpx = httpx.AsyncClient()
    try:
        yield
    finally:
        await kept.httpx.aclose()
        kept.streams[1].close()
        await kept.streams[1].wait_closed()
        kept.socket.close()
        await kept.redis_async.aclose()
        kept.redis.close()
        kept.psycopg2.close()
        await kept.psycopg_async.close()
        kept.psycopg.close()
        kept.session.close()
        kept.processes.shutdown()


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def index():
    return {}


# --- blocking


@app.get("/sleep")
async def sleep():
    time.sleep(SLEEP_S)  # blocks
    return {}


@app.get("/pbkdf2")
async def pbkdf2():
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", ROUNDS)  # blocks
    return {}


@app.get("/loop")
async def loop():
    total = 0
    for number in range(COUNT):  # blocks
        total += number * number  # blocks
    return {"total": total}


@app.get("/loop-until")
async def loop_until():
    total, end = 0, time.thread_time() + SLEEP_S
    while time.thread_time() < end:  # blocks
        total += 1  # blocks
    return {"total": total}


@app.get("/requests-get")
async def requests_get():
    return requests.get(http_url()).json()  # blocks


@app.get("/requests-session")
async def requests_session():
    return kept.session.get(http_url()).json()  # blocks


@app.get("/urllib")
async def urllib_urlopen():
    with urllib.request.urlopen(http_url()) as response:  # blocks
        return {"length": len(response.read())}


@app.get("/http-client")
async def http_client():
    connection = http.client.HTTPConnection("127.0.0.1", services.http)
    connection.request("GET", "/rates")  # blocks
    length = len(connection.getresponse().read())  # blocks
    connection.close()
    return {"length": length}


@app.get("/httpx-get")
async def httpx_get():
    return httpx.get(http_url(), verify=False).json()  # blocks


@app.get("/psycopg-kept")
async def psycopg_kept():
    row = kept.psycopg.execute("select 1").fetchone()  # blocks
    return {"row": row}


@app.get("/psycopg-connect")
async def psycopg_connect():
    connection = psycopg.connect(dsn(), autocommit=True)  # blocks
    row = connection.execute("select 1").fetchone()  # blocks
    connection.close()
    return {"row": row}


@app.get("/psycopg2-kept")
async def psycopg2_kept():
    cursor = kept.psycopg2.cursor()
    cursor.execute("select 1")  # blocks
    return {"row": cursor.fetchone()}


@app.get("/psycopg2-connect")
async def psycopg2_connect():
    connection = psycopg2.connect(dsn())  # blocks
    cursor = connection.cursor()
    cursor.execute("select 1")  # blocks
    row = cursor.fetchone()
    connection.close()
    return {"row": row}


@app.get("/redis-get")
async def redis_get():
    return {"value": kept.redis.get("key")}  # blocks


@app.get("/redis-connect")
async def redis_connect():
    client = redis.Redis(port=services.redis)
    value = client.get("key")  # blocks
    client.close()
    return {"value": value}


@app.get("/socket-kept")
async def socket_kept():
    kept.socket.sendall(b"ping\n")
    return {"answer": kept.socket.recv(5).decode()}  # blocks


@app.get("/socket-connect")
async def socket_connect():
    with socket.create_connection(("127.0.0.1", services.echo)) as connection:  # blocks
        connection.sendall(b"ping\n")
        return {"answer": connection.recv(5).decode()}  # blocks


# --- repaired


@app.get("/ok/sleep")
async def ok_sleep():
    await asyncio.sleep(SLEEP_S)
    return {}


@app.get("/ok/sleep-def")
def ok_sleep_def():
    time.sleep(SLEEP_S)
    return {}


@app.get("/ok/pbkdf2-thread")
async def ok_pbkdf2_thread():
    await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", b"secret", b"salt", ROUNDS)
    return {}


@app.get("/ok/pbkdf2-def")
def ok_pbkdf2_def():
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", ROUNDS)
    return {}


@app.get("/ok/loop-process")
async def ok_loop_process():
    return {"total": await asyncio.get_running_loop().run_in_executor(kept.processes, squares, COUNT)}


@app.get("/ok/loop-chunks")
async def ok_loop_chunks():
    for _ in range(10):
        squares(COUNT // 10)
        await asyncio.sleep(0)
    return {}


@app.get("/ok/httpx")
async def ok_httpx():
    return (await kept.httpx.get(http_url())).json()


@app.get("/ok/requests-thread")
async def ok_requests_thread():
    return (await asyncio.to_thread(requests.get, http_url())).json()


@app.get("/ok/requests-def")
def ok_requests_def():
    return requests.get(http_url()).json()


@app.get("/ok/psycopg-async")
async def ok_psycopg_async():
    cursor = await kept.psycopg_async.execute("select 1")
    return {"row": await cursor.fetchone()}


@app.get("/ok/psycopg-async-connect")
async def ok_psycopg_async_connect():
    async with await psycopg.AsyncConnection.connect(dsn()) as connection:
        cursor = await connection.execute("select 1")
        return {"row": await cursor.fetchone()}


@app.get("/ok/psycopg-def")
def ok_psycopg_def():
    return {"row": kept.psycopg.execute("select 1").fetchone()}


@app.get("/ok/psycopg-thread")
async def ok_psycopg_thread():
    cursor = await asyncio.to_thread(kept.psycopg.execute, "select 1")
    return {"row": cursor.fetchone()}


@app.get("/ok/psycopg2-def")
def ok_psycopg2_def():
    with psycopg2.connect(dsn()) as connection, connection.cursor() as cursor:
        cursor.execute("select 1")
        row = cursor.fetchone()
    connection.close()
    return {"row": row}


@app.get("/ok/redis-async")
async def ok_redis_async():
    return {"value": await kept.redis_async.get("key")}


@app.get("/ok/redis-def")
def ok_redis_def():
    return {"value": kept.redis.get("key")}


@app.get("/ok/socket-kept")
async def ok_socket_kept():
    reader, writer = kept.streams
    writer.write(b"ping\n")
    return {"answer": (await reader.readline()).decode()}


@app.get("/ok/socket-connect")
async def ok_socket_connect():
    reader, writer = await asyncio.open_connection("127.0.0.1", services.echo)
    writer.write(b"ping\n")
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return {"answer": answer.decode()}


# --- for the benchmark


@app.get("/slow")
async def slow():
    await asyncio.sleep(0.3)
    return {}

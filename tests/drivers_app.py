"""Connection pools of one and of ten: `/asyncpg/1/slow` holds what `/asyncpg/1/fast` waits for.

Where the servers are say EXAMPLE_POSTGRESQL, EXAMPLE_MYSQL and EXAMPLE_REDIS; what has none is missing.
HOLD_S says for how many seconds it is held.
"""

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import aiomysql
import asyncpg
import httpx
import psycopg_pool
import redis.asyncio
from fastapi import FastAPI
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.ext.asyncio import create_async_engine

HOLD_S = float(os.environ.get("HOLD_S", "0.25"))
SIZES = (1, 10)
there = {}


@asynccontextmanager
async def lifespan(app):
    async with AsyncExitStack() as stack:
        there["url"] = await web_server(stack)
        for n in SIZES:
            await open_pools(n, stack)
        yield


async def web_server(stack):
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stack.callback(server.close)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(HOLD_S if b"/slow" in head else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def open_pools(n, stack):
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=n), timeout=60, trust_env=False)
    there["httpx", n] = await stack.enter_async_context(client)
    there["aiosqlite", n] = create_async_engine(
        "sqlite+aiosqlite://", poolclass=AsyncAdaptedQueuePool, pool_size=n, max_overflow=0
    )
    stack.push_async_callback(there["aiosqlite", n].dispose)
    if url := os.environ.get("EXAMPLE_POSTGRESQL"):
        there["asyncpg", n] = await stack.enter_async_context(asyncpg.create_pool(url, min_size=n, max_size=n))
        psycopg = psycopg_pool.AsyncConnectionPool(url, min_size=n, max_size=n, open=False)
        there["psycopg", n] = await stack.enter_async_context(psycopg)
        growing = psycopg_pool.AsyncConnectionPool(url, min_size=1, max_size=n, open=False)
        there["psycopg-grows", n] = await stack.enter_async_context(growing)
        asyncpg_url = url.partition("?")[0].replace("postgresql:", "postgresql+asyncpg:")
        there["sqlalchemy", n] = create_async_engine(asyncpg_url, pool_size=n, max_overflow=0)
        stack.push_async_callback(there["sqlalchemy", n].dispose)
    if url := os.environ.get("EXAMPLE_MYSQL"):
        there["aiomysql", n] = await stack.enter_async_context(mysql_pool(urlsplit(url), n))
    if url := os.environ.get("EXAMPLE_REDIS"):
        patient = {"timeout": 60, "socket_timeout": 60, "socket_connect_timeout": 60}
        pool = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=n, **patient)
        there["redis", n] = await stack.enter_async_context(redis.asyncio.Redis.from_pool(pool))


def mysql_pool(url, n):
    account = {"user": url.username, "password": url.password or ""}
    return aiomysql.create_pool(host=url.hostname, port=url.port, **account, minsize=n, maxsize=n)


app = FastAPI(lifespan=lifespan)


@app.get("/asyncpg/{n}/{how}")
async def with_asyncpg(n: int, how: str):
    async with there["asyncpg", n].acquire() as connection:  # waits asyncpg
        if how == "slow":
            await connection.execute(f"select pg_sleep({HOLD_S})")  # holds asyncpg


@app.get("/asyncpg-timeout/{n}/{how}")
async def with_asyncpg_and_timeout(n: int, how: str):
    async with there["asyncpg", n].acquire(timeout=60) as connection:  # waits asyncpg-timeout
        if how == "slow":
            await connection.execute(f"select pg_sleep({HOLD_S})")  # holds asyncpg-timeout


@app.get("/asyncpg-fetch/{n}/{how}")
async def with_the_pool_of_asyncpg(n: int, how: str):
    await there["asyncpg", n].fetch("select pg_sleep($1)", HOLD_S if how == "slow" else 0)  # both asyncpg-fetch


@app.get("/asyncpg-gather/{n}/{how}")
async def with_several_of_asyncpg(n: int, how: str):
    query = "select pg_sleep($1)"
    await asyncio.gather(there["asyncpg", n].fetch(query, HOLD_S if how == "slow" else 0))  # both asyncpg-gather


@app.get("/psycopg/{n}/{how}")
async def with_psycopg(n: int, how: str):
    async with there["psycopg", n].connection() as connection:  # waits psycopg
        if how == "slow":
            await connection.execute(f"select pg_sleep({HOLD_S})")  # holds psycopg


@app.get("/psycopg-grows/{n}/{how}")
async def with_psycopg_that_grows(n: int, how: str):
    async with there["psycopg-grows", n].connection() as connection:  # waits psycopg-grows
        if how == "slow":
            await connection.execute(f"select pg_sleep({HOLD_S})")  # holds psycopg-grows


@app.get("/sqlalchemy/{n}/{how}")
async def with_sqlalchemy(n: int, how: str):
    async with there["sqlalchemy", n].connect() as connection:  # waits sqlalchemy
        if how == "slow":
            await connection.execute(text(f"select pg_sleep({HOLD_S})"))  # holds sqlalchemy


@app.get("/aiosqlite/{n}/{how}")
async def with_aiosqlite(n: int, how: str):
    async with there["aiosqlite", n].connect() as connection:  # waits aiosqlite
        await connection.execute(text("select 1"))
        if how == "slow":
            await asyncio.sleep(HOLD_S)  # holds aiosqlite


@app.get("/aiomysql/{n}/{how}")
async def with_aiomysql(n: int, how: str):
    async with there["aiomysql", n].acquire() as connection:  # waits aiomysql
        await connection.ping()
        if how == "slow":
            await asyncio.sleep(HOLD_S)  # holds aiomysql


@app.get("/redis/{n}/{how}")
async def with_redis(n: int, how: str):
    if how == "slow":
        await there["redis", n].blpop("nothing", timeout=HOLD_S)  # holds redis
    await there["redis", n].get("key")  # waits redis


@app.get("/httpx/{n}/{how}")
async def with_httpx(n: int, how: str):
    await there["httpx", n].get(f"{there['url']}/{how}")  # both httpx

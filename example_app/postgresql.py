"""PostgreSQL: on this machine it answers in less than a millisecond, elsewhere it is a network away."""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Annotated

import asyncpg
import psycopg
import psycopg2
from fastapi import APIRouter, Depends
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from example_app import services

QUERY = "SELECT 'anvil' AS product, 3 AS pieces"
Stock = dict[str, int]


def server() -> str:
    return services.postgresql()


Server = Annotated[str, Depends(server)]
router = APIRouter(prefix="/postgresql", tags=["PostgreSQL"])


@router.get("/psycopg")
async def stock_by_psycopg(url: Server) -> Stock:
    """Blocks: `psycopg` waits for the database on the event loop."""
    with psycopg.connect(url) as connection:  # blocks
        rows = connection.execute(QUERY)  # blocks
        return dict(rows.fetchall())


@router.get("/psycopg-async")
async def stock_by_async_psycopg(url: Server) -> Stock:
    """Repaired: the other half of `psycopg`, which awaits."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await connection.execute(QUERY)
        return dict(await rows.fetchall())


@router.get("/psycopg2")
async def stock_by_psycopg2(url: Server) -> Stock:
    """Blocks: `psycopg2` can do nothing else."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:  # blocks
        cursor.execute(QUERY)  # blocks
        return dict(cursor.fetchall())


@router.get("/asyncpg")
async def stock_by_asyncpg(url: Server) -> Stock:
    """Repaired: a driver that awaits the database."""
    connection = await asyncpg.connect(url)
    try:
        return dict(await connection.fetch(QUERY))
    finally:
        await connection.close()


@router.get("/def")
def stock_in_def(url: Server) -> Stock:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(QUERY)
        return dict(rows.fetchall())


@cache
def engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def open_session(url: Server) -> Iterator[Session]:
    with Session(engine(url)) as session:
        yield session


@router.get("/sqlalchemy")
async def stock_by_session(session: Annotated[Session, Depends(open_session)]) -> Stock:
    """Blocks: the session comes from a thread, and is used on the event loop."""
    rows = session.execute(text(QUERY))  # blocks
    return {product: pieces for product, pieces in rows}  # noqa: C416  # a row is no tuple for mypy


@cache
def async_engine(url: str) -> AsyncEngine:
    # Without a pool: a connection belongs to its event loop, and the tests have many.
    return create_async_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)


async def open_async_session(url: Server) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(async_engine(url)) as session:
        yield session


@router.get("/sqlalchemy-async")
async def stock_by_async_session(session: Annotated[AsyncSession, Depends(open_async_session)]) -> Stock:
    """Repaired: the session's async twin."""
    rows = await session.execute(text(QUERY))
    return {product: pieces for product, pieces in rows}  # noqa: C416


@router.get("/sqlalchemy-def")
def stock_by_session_in_def(session: Annotated[Session, Depends(open_session)]) -> Stock:
    """Repaired: without `async`, the endpoint is in a thread like its session."""
    rows = session.execute(text(QUERY))
    return {product: pieces for product, pieces in rows}  # noqa: C416

"""A database that somebody else has locked for 150 ms."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import aiosqlite
from fastapi import APIRouter, Depends

from example_app.lateness import Late

SCHEMA = "CREATE TABLE stock (product, pieces); INSERT INTO stock VALUES ('anvil', 3), ('rope', 4)"
QUERY = "SELECT product, pieces FROM stock"
Stock = dict[str, int]


def locked() -> Iterator[tuple[Path, Late]]:
    """Its writer holds the lock when the endpoint begins."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "stock.db")
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer:
            writer.executescript(f"{SCHEMA}; BEGIN EXCLUSIVE")
            release = Late(writer.rollback)
            yield path, release
            release.begin()  # for a request that did not come so far
            release.join()


async def locked_database(slow: Annotated[tuple[Path, Late], Depends(locked)]) -> Path:
    path, release = slow
    release.begin()
    return path


LockedDatabase = Annotated[Path, Depends(locked_database)]
router = APIRouter(prefix="/db", tags=["A database"])


@router.get("/sqlite3")
async def stock_by_sqlite3(path: LockedDatabase) -> Stock:
    """Blocks: `sqlite3` waits for the lock on the event loop."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(QUERY)  # blocks
        return dict(rows)


@router.get("/aiosqlite")
async def stock_by_aiosqlite(path: LockedDatabase) -> Stock:
    """Repaired: a driver that awaits the database."""
    async with aiosqlite.connect(path) as connection:
        rows = await connection.execute_fetchall(QUERY)
        return dict(map(tuple, rows))


@router.get("/def")
def stock_in_def(path: LockedDatabase) -> Stock:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(QUERY)
        return dict(rows)

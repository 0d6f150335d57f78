"""MySQL or MariaDB."""

from contextlib import closing
from typing import Annotated, Any
from urllib.parse import urlsplit

import aiomysql
import asyncmy
import pymysql
from fastapi import APIRouter, Depends

from example_app import services
from example_app.servers.programs import Unavailable

try:
    import MySQLdb
except ImportError:
    MySQLdb = None

QUERY = "SELECT 'anvil' AS product, 3 AS pieces"
Stock = dict[str, int]


def server() -> dict[str, Any]:
    parts = urlsplit(services.mysql())
    account = {"user": parts.username, "password": parts.password or ""}
    return {"host": parts.hostname, "port": parts.port or 3306, **account}


def mysqlclient() -> None:
    if MySQLdb is None:
        raise Unavailable("mysqlclient: apt-get install default-libmysqlclient-dev pkg-config gcc, then pip")


Server = Annotated[dict[str, Any], Depends(server)]
router = APIRouter(prefix="/mysql", tags=["MySQL"])


@router.get("/mysqlclient", dependencies=[Depends(mysqlclient)])
async def stock_by_mysqlclient(server: Server) -> Stock:
    """Blocks: `mysqlclient` waits for the database on the event loop."""
    with closing(MySQLdb.connect(**server)) as connection, connection.cursor() as cursor:  # blocks
        cursor.execute(QUERY)  # blocks
        return dict(cursor.fetchall())


@router.get("/pymysql")
async def stock_by_pymysql(server: Server) -> Stock:
    """Blocks: so does `PyMySQL`, though it is written in Python."""
    with pymysql.connect(**server) as connection, connection.cursor() as cursor:  # blocks
        cursor.execute(QUERY)  # blocks
        return dict(cursor.fetchall())


@router.get("/asyncmy")
async def stock_by_asyncmy(server: Server) -> Stock:
    """Repaired: a driver that awaits the database."""
    async with asyncmy.connect(**server) as connection, connection.cursor() as cursor:
        await cursor.execute(QUERY)
        return dict(await cursor.fetchall())


@router.get("/aiomysql")
async def stock_by_aiomysql(server: Server) -> Stock:
    """Repaired: another one."""
    async with aiomysql.connect(**server) as connection, connection.cursor() as cursor:
        await cursor.execute(QUERY)
        return dict(await cursor.fetchall())


@router.get("/def")
def stock_in_def(server: Server) -> Stock:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    with pymysql.connect(**server) as connection, connection.cursor() as cursor:
        cursor.execute(QUERY)
        return dict(cursor.fetchall())

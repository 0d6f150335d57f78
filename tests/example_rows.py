"""The rows of the example app: each blocking twin, what the plugin must say of it, and its repaired twins."""

import inspect
import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest

from example_app import (
    aws,
    cache,
    computing,
    database,
    external_http,
    files,
    mysql,
    postgresql,
    select_and_http,
    services,
    sleeping,
    task_queue,
)
from example_app.servers.programs import Unavailable
from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding


class Twins(NamedTuple):
    blocks: str
    where: Callable[..., Any]
    kind: str
    call: str | None
    remedies: tuple[str, ...]
    repaired: tuple[str, ...] = ()
    needs: tuple[Callable[[], object], ...] = ()
    """What gets the services, or raises Unavailable."""
    server: str = ""
    """Which one, where there is a choice."""
    method: str = "GET"

    @property
    def id(self) -> str:
        return self.id_of(self.blocks)

    def id_of(self, path: str) -> str:
        return f"{path}-{self.server}" if self.server else path


def celery(broker: str) -> tuple[Twins, ...]:
    """The same rows for either broker."""
    path = f"/celery/{broker}"
    row = partial(Twins, kind="sync-network", server=services.redis_program(), method="POST")
    return (
        row(
            blocks=f"{path}/delay",
            where=task_queue.ask_by_delay,
            call="celery.Task.delay",
            remedies=("asyncio.to_thread(task.delay, ...)",),
            repaired=(f"{path}/to-thread", f"{path}/def"),
            needs=(partial(task_queue.count_words, broker),),
        ),
        row(
            blocks=f"{path}/get",
            where=task_queue.wait_by_get,
            call="celery.result.AsyncResult.get",
            remedies=("202", "a route that tells the task's state"),
            needs=(partial(task_queue.count_words, broker),),
        ),
        row(
            blocks=f"{path}/delay-without-broker",
            where=task_queue.ask_nobody,
            call="celery.Task.delay",
            remedies=("asyncio.to_thread(task.delay, ...)",),
            repaired=(f"{path}/to-thread-without-broker",),
            needs=(services.redis,),
        ),
    )


TABLE = (
    Twins(
        blocks="/http/requests",
        where=external_http.rates_by_requests,
        kind="sync-network",
        call="requests.get",
        remedies=("httpx.AsyncClient", "asyncio.to_thread(requests.get"),
        repaired=("/http/run-in-executor", "/http/to-thread", "/http/httpx", "/http/def"),
    ),
    Twins(
        blocks="/http/httpx-client",
        where=external_http.rates_by_sync_httpx,
        kind="sync-network",
        call="httpx.Client.get",
        remedies=("httpx.AsyncClient", "asyncio.to_thread(client.get"),
    ),
    Twins(
        blocks="/http/urllib",
        where=external_http.rates_by_urllib,
        kind="sync-network",
        call="urllib.request.urlopen",
        remedies=("httpx.AsyncClient", "asyncio.to_thread(f, ...), where f has the whole with block"),
    ),
    Twins(
        blocks="/select/requests",
        where=select_and_http.offer_by_requests,
        kind="sync-network",
        call="requests.get",
        remedies=("httpx.AsyncClient", "asyncio.to_thread(requests.get"),
        repaired=("/select/httpx", "/select/to-thread"),
        needs=(postgresql.server,),
    ),
    Twins(
        blocks="/postgresql/psycopg",
        where=postgresql.stock_by_psycopg,
        kind="sync-network",
        call="psycopg.connect",
        remedies=("psycopg.AsyncConnection", "asyncpg", "asyncio.to_thread"),
        repaired=("/postgresql/psycopg-async", "/postgresql/asyncpg", "/postgresql/def"),
        needs=(postgresql.server,),
    ),
    Twins(
        blocks="/postgresql/psycopg2",
        where=postgresql.stock_by_psycopg2,
        kind="sync-network",
        call="psycopg2.connect",
        remedies=("asyncpg", "psycopg.AsyncConnection", "asyncio.to_thread"),
        needs=(postgresql.server,),
    ),
    Twins(
        blocks="/postgresql/sqlalchemy",
        where=postgresql.stock_by_session,
        kind="sync-network",
        call="sqlalchemy.orm.Session.execute",
        remedies=("sqlalchemy.ext.asyncio.AsyncSession", "asyncio.to_thread"),
        repaired=("/postgresql/sqlalchemy-async", "/postgresql/sqlalchemy-def"),
        needs=(postgresql.server,),
    ),
    Twins(
        blocks="/mysql/mysqlclient",
        where=mysql.stock_by_mysqlclient,
        kind="sync-network",
        call="MySQLdb.connect",
        remedies=("asyncmy", "aiomysql", "asyncio.to_thread"),
        needs=(mysql.mysqlclient, mysql.server),
        server=services.mysql_program(),
    ),
    Twins(
        blocks="/mysql/pymysql",
        where=mysql.stock_by_pymysql,
        kind="sync-network",
        call="pymysql.connect",
        remedies=("asyncmy", "aiomysql", "asyncio.to_thread"),
        repaired=("/mysql/asyncmy", "/mysql/aiomysql", "/mysql/def"),
        needs=(mysql.server,),
        server=services.mysql_program(),
    ),
    Twins(
        blocks="/s3/boto3",
        where=aws.orders_by_boto3,
        kind="sync-network",
        call="botocore.client.S3.get_object",
        remedies=("aioboto3", "asyncio.to_thread(f, ...), where f does all of this line"),
        repaired=("/s3/aioboto3", "/s3/to-thread", "/s3/def"),
        needs=(aws.server,),
    ),
    Twins(
        blocks="/redis/redis",
        where=cache.visits_by_redis,
        kind="sync-network",
        call="redis.Redis.incr",
        remedies=("redis.asyncio", "asyncio.to_thread"),
        repaired=("/redis/redis-asyncio", "/redis/def"),
        needs=(cache.server,),
        server=services.redis_program(),
    ),
    *celery("redis"),
    *celery("rabbitmq"),
    Twins(
        blocks="/sleep/time",
        where=sleeping.pause_by_time,
        kind="sync-io",
        call="time.sleep",
        remedies=("asyncio.sleep",),
        repaired=("/sleep/asyncio", "/sleep/def"),
    ),
    Twins(
        blocks="/file/open",
        where=files.orders_by_open,
        kind="sync-io",
        call="open",
        remedies=("aiofiles.open", "anyio.open_file", "asyncio.to_thread"),
        repaired=("/file/to-thread", "/file/aiofiles", "/file/anyio", "/file/def", "/file/file-response"),
    ),
    Twins(
        blocks="/file/pathlib",
        where=files.orders_by_pathlib,
        kind="sync-io",
        call="pathlib.Path.read_text",
        remedies=("anyio.Path().read_text", "aiofiles.open", "asyncio.to_thread(path.read_text"),
        repaired=("/file/anyio-path",),
    ),
    Twins(
        blocks="/file/shutil",
        where=files.copy_by_shutil,
        kind="sync-io",
        call="shutil.copyfileobj",
        remedies=("aiofiles.open", "anyio.open_file", "asyncio.to_thread(shutil.copyfileobj"),
        repaired=("/file/shutil-to-thread",),
    ),
    Twins(
        blocks="/db/sqlite3",
        where=database.stock_by_sqlite3,
        kind="sync-io",
        call="sqlite3.Connection.execute",
        remedies=("aiosqlite", "asyncio.to_thread"),
        repaired=("/db/aiosqlite", "/db/def"),
    ),
    Twins(
        blocks="/compute/squares",
        where=computing.sum_of_squares,
        kind="cpu",
        call=None,
        remedies=("process",),
        repaired=("/compute/squares-in-process",),
    ),
    Twins(
        blocks="/compute/pbkdf2",
        where=computing.password,
        kind="cpu",
        call="hashlib.pbkdf2_hmac",
        remedies=("asyncio.to_thread(hashlib.pbkdf2_hmac",),
        repaired=("/compute/pbkdf2-in-thread", "/compute/pbkdf2-def"),
    ),
)
REPAIRED = tuple((twins, path) for twins in TABLE for path in twins.repaired)


def blocking_lines(function: Callable[..., Any]) -> list[int]:
    """The lines that end with `# blocks`."""
    source, first = inspect.getsourcelines(function)
    return [first + offset for offset, line in enumerate(source) if line.endswith("# blocks\n")]


def wrong(twins: Twins, check: Check, *, every_line: bool = False) -> list[str]:
    """What the plugin said that it should not have, or did not say."""
    findings, marked = check.findings, set(blocking_lines(twins.where))
    lines = {finding.line for finding in findings}
    right = {
        "kind": {finding.kind for finding in findings} == {twins.kind},
        "file": {finding.file for finding in findings} == {twins.where.__module__.replace(".", "/") + ".py"},
        "line": lines == marked if every_line and twins.kind == "sync-network" else lines <= marked,
        "function": {finding.function for finding in findings} == {twins.where.__name__},
        "call": [finding.call for finding in findings].count(twins.call) == 1,
        "replacement": all(remedy in named(twins, check).replacement for remedy in twins.remedies),
    }
    return [name for name, is_right in right.items() if not is_right]


def named(twins: Twins, check: Check) -> Finding:
    """The finding of the call that the row is about."""
    return next((finding for finding in check.findings if finding.call == twins.call), check.findings[0])


STAND_INS = ("mysql_mimic", "fake_redis")


def needed(twins: Twins) -> None:
    """Start what the row needs; where that cannot be had, the test is skipped, or fails where it must not be."""
    required = os.environ.get("EXAMPLE_SERVICES") == "required"
    if required and twins.server in STAND_INS:
        pytest.fail(f"{twins.server} stands in for the real one")
    try:
        for service in twins.needs:
            service()
    except Unavailable as reason:
        (pytest.fail if required else pytest.skip)(str(reason))

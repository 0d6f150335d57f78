"""Connection pools with real servers: a request that has the only connection keeps a probe waiting."""

import os
from pathlib import Path

import pytest

from example_app import services
from example_app.servers.programs import Unavailable
from tests import drivers_app
from tests.burning import slowed

pytestmark = pytest.mark.one_python

SOURCE = Path(drivers_app.__file__).read_text(encoding="utf-8")
POOLS = {
    "asyncpg": "asyncpg.Pool",
    "asyncpg-timeout": "asyncpg.Pool",
    "asyncpg-fetch": "asyncpg.Pool",
    "asyncpg-gather": "asyncpg.Pool",
    "psycopg": "psycopg_pool.AsyncConnectionPool",
    "psycopg-grows": "psycopg_pool.AsyncConnectionPool",
    "sqlalchemy": "sqlalchemy.AsyncAdaptedQueuePool",
    "aiosqlite": "sqlalchemy.AsyncAdaptedQueuePool",
    "aiomysql": "aiomysql.Pool",
    "redis": "redis.BlockingConnectionPool",
    "httpx": "httpcore.AsyncConnectionPool",
}
SERVERS = {"EXAMPLE_POSTGRESQL": services.postgresql, "EXAMPLE_MYSQL": services.mysql, "EXAMPLE_REDIS": services.redis}
NEEDS = {
    "asyncpg": "POSTGRESQL",
    "psycopg": "POSTGRESQL",
    "sqlalchemy": "POSTGRESQL",
    "aiomysql": "MYSQL",
    "redis": "REDIS",
}
TEST = """
def test_one(noblock):
    check = noblock.check("GET", "/{name}/1/slow", probe="/{name}/1/fast")
    (found,) = check.findings
    assert (check.outcome, found.kind, found.file, found.line) == ("failed", "contention", "drivers.py", {holds})
    assert (found.waiter.file, found.waiter.line) == ("drivers.py", {waits})
    assert " ms for {pool}, until the request let go of it; loop and threads were free" in found.reason

def test_ten(noblock):
    noblock.get("/{name}/10/slow", probe="/{name}/10/fast")
"""


def line_of(what: str, name: str) -> int:
    marks = (f"# {what} {name}", f"# both {name}")
    (line,) = [n for n, text in enumerate(SOURCE.splitlines(), 1) if text.endswith(marks)]
    return line


@pytest.fixture
def run_drivers(pytester, monkeypatch):
    """Starts what the name needs; where that cannot be had, the test is skipped, or fails where it must not be."""

    def run_drivers(name: str, test: str) -> pytest.RunResult:
        needs = f"EXAMPLE_{NEEDS.get(name.partition('-')[0])}"
        for variable in SERVERS:
            monkeypatch.delenv(variable, raising=False)
        if needs in SERVERS:
            monkeypatch.setenv(needs, address(needs))
        monkeypatch.setenv("HOLD_S", str(slowed(0.25)))  # what the machine itself keeps waiting is not counted
        pytester.makepyfile(drivers=SOURCE, test_it=test)
        return pytester.runpytest("--noblock-app=drivers:app", "-onoblock_scope=module")  # SQLAlchemy comes in parts

    return run_drivers


def address(variable: str) -> str:
    try:
        return SERVERS[variable]()
    except Unavailable as reason:
        (pytest.fail if os.environ.get("EXAMPLE_SERVICES") == "required" else pytest.skip)(str(reason))


@pytest.mark.parametrize("name", POOLS)
def test_one_connection_is_red_with_both_lines_and_ten_are_green(run_drivers, name):
    lines = {"holds": line_of("holds", name), "waits": line_of("waits", name)}
    run_drivers(name, TEST.format(name=name, pool=POOLS[name], **lines)).assert_outcomes(passed=2)

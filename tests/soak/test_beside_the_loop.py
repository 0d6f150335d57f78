"""Pool, GIL, contention: repeated quiet and beside CPU hogs, the same answer every time.

NOBLOCK_SOAK_BESIDE (default 20) repeats of each case.
"""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from example_app import services as servers_of_pools
from pytest_noblock.checks.plan import Plan
from pytest_noblock.engine.observe import Request
from tests import drivers_app
from tests.soak import beside_app
from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

REPEATS = int(os.environ.get("NOBLOCK_SOAK_BESIDE", "20"))
HOGS = int(os.environ.get("NOBLOCK_SOAK_HOGS", "4"))
POOL = [(way, copies) for way in beside_app.WAYS for copies in (40, 39)] + [("quick", 40), ("quick", 80)]
GIL = (
    "regex", "json", "to-thread", "thread", "numpy-objects", "numpy-product", "numpy-sort", "pbkdf2", "sleep", "python",
)  # fmt: skip
KEPT = {"regex", "json", "to-thread", "thread", "numpy-objects"}
HELD = beside_app.HELD
POOLS = [
    "asyncpg", "asyncpg-timeout", "asyncpg-fetch", "asyncpg-gather", "psycopg", "psycopg-grows",
    "sqlalchemy", "aiosqlite", "aiomysql", "redis", "httpx",
]  # fmt: skip
BIG_UPLOAD = {"files": {"file": ("big", bytes(1_200_000))}}
LINES = {
    Path(each.__file__).name: Path(each.__file__).read_text(encoding="utf-8").splitlines()
    for each in (beside_app, drivers_app)
}


@pytest.fixture
def checked(apps):
    def checked(path: str, **plan: object):
        return apps.checker(beside_app.app).check(path, Request("GET", path), Plan(**plan))

    return checked


@pytest.fixture(scope="module")
def drivers(apps):
    """The app with the connection pools, once its servers are there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXAMPLE_POSTGRESQL", servers_of_pools.postgresql())
        patch.setenv("EXAMPLE_MYSQL", servers_of_pools.mysql())
        patch.setenv("EXAMPLE_REDIS", servers_of_pools.redis())
        yield lambda: apps.checker(drivers_app.app)


def mark(found) -> str:
    return LINES[Path(found.file).name][found.line - 1].partition("# ")[2] if found.file else "no line"


def told(check) -> str:
    """The kinds and lines of the findings, in words."""
    if check.reason is not None:
        return check.reason
    found = [f"{each.kind} {mark(each)}{waiter(each)}" for each in check.findings]
    return ", ".join(found) or "green"


def waiter(finding) -> str:
    return f" < {mark(finding.waiter)}" if finding.waiter else ""


def repeated(figure, name, load, once, expected):
    """All answers, counted; each must be the expected one."""
    began = time.monotonic()
    with hogs(load):
        checks = [once() for _ in range(REPEATS)]
    answers = Counter(told(check) for check in checks)
    each = (time.monotonic() - began) / REPEATS
    figure(f"{name}, {load} hogs, load {os.getloadavg()[0]:.1f}", f"{dict(answers)}, {each:.1f} s each")
    assert answers == {expected: REPEATS}, [check.notes for check in checks if told(check) != expected]


@pytest.mark.parametrize("load", [0, HOGS], ids=["quiet", "hogs"])
@pytest.mark.parametrize(("way", "copies"), POOL)
def test_the_pool(checked, figure, way, copies, load):
    expected = f"pool-starved {way}" if copies == 40 and way != "quick" else "green"
    repeated(figure, f"pool {way} {copies}", load, lambda: checked(f"/{way}", concurrency=copies), expected)


@pytest.mark.parametrize("load", [0, HOGS], ids=["quiet", "hogs"])
@pytest.mark.parametrize("copies", [40, 39])
@pytest.mark.parametrize(("method", "way"), [("GET", "file"), ("POST", "upload")])
def test_files_from_a_slow_disk(apps, figure, method, way, copies, load):
    request = Request(method, f"/{way}", BIG_UPLOAD if method == "POST" else {})
    plan = Plan(concurrency=copies, confirm=True)
    expected = f"pool-starved {way}" if copies == 40 else "green"
    once = lambda: apps.checker(beside_app.app).check(way, request, plan)  # noqa: E731
    repeated(figure, f"pool {way} {copies}", load, once, expected)


@pytest.mark.parametrize("load", [0, HOGS], ids=["quiet", "hogs"])
@pytest.mark.parametrize("way", beside_app.EXECUTOR_WAYS)
def test_the_default_executor(checked, figure, way, load):
    repeated(figure, f"pool {way}", load, lambda: checked(f"/{way}", concurrency=40), f"pool-starved {way}")


@pytest.mark.parametrize("load", [0, HOGS], ids=["quiet", "hogs"])
@pytest.mark.parametrize("name", GIL)
def test_the_gil(checked, figure, name, load):
    expected = f"gil {name}" if name in KEPT else "green"
    repeated(figure, f"gil {name}", load, lambda: checked(f"/gil/{name}"), expected)


@pytest.mark.parametrize("load", [0, HOGS], ids=["quiet", "hogs"])
@pytest.mark.parametrize("n", [1, 10])
@pytest.mark.parametrize("name", HELD)
def test_contention(checked, figure, name, n, load):
    expected = f"contention holds {name} < waits {name}" if n == 1 else "green"
    path = f"/held/{name}/{n}"
    repeated(figure, f"held {name} of {n}", load, lambda: checked(f"{path}/slow", probes=(f"{path}/fast",)), expected)


@pytest.mark.parametrize("load", [0, HOGS], ids=["quiet", "hogs"])
@pytest.mark.parametrize("n", drivers_app.SIZES)
@pytest.mark.parametrize("name", POOLS)
def test_connection_pools(drivers, figure, name, n, load):
    both = any(line.endswith(f"# both {name}") for line in LINES["drivers_app.py"])
    red = f"contention both {name} < both {name}" if both else f"contention holds {name} < waits {name}"
    request, plan = Request("GET", f"/{name}/{n}/slow"), Plan(probes=(f"/{name}/{n}/fast",))
    once = lambda: drivers().check(name, request, plan)  # noqa: E731
    repeated(figure, f"pool {name} of {n}", load, once, red if n == 1 else "green")

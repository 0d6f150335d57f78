"""Pool, GIL, contention: repeated quiet and beside CPU hogs, the same answer every time.

NOBLOCK_SOAK_BESIDE (default 20) repeats of each case.
"""

import os
import time
from collections import Counter

import pytest

from pytest_noblock.check import Plan
from pytest_noblock.engine.observe import Request
from tests.soak import beside_app
from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

REPEATS = int(os.environ.get("NOBLOCK_SOAK_BESIDE", "20"))
HOGS = int(os.environ.get("NOBLOCK_SOAK_HOGS", "4"))
POOL = [(way, copies) for way in beside_app.WAYS for copies in (40, 39)] + [("quick", 40), ("quick", 80)]
GIL = ("regex", "json", "to-thread", "thread", "pbkdf2", "sleep", "python")
KEPT = {"regex", "json", "to-thread", "thread"}
HELD = beside_app.HELD


@pytest.fixture
def checked(apps):
    def checked(path: str, **plan: object):
        return apps.checker(beside_app.app).check(path, Request("GET", path), Plan(**plan))

    return checked


def told(check) -> str:
    """The kinds and lines of the findings, in words."""
    if check.reason is not None:
        return check.reason
    found = [f"{each.kind} {beside_app.mark(each.line)}{waiter(each)}" for each in check.findings]
    return ", ".join(found) or "green"


def waiter(finding) -> str:
    return f" < {beside_app.mark(finding.waiter.line)}" if finding.waiter else ""


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

"""One app, three ways to ask it: the `noblock` fixture, a watched `TestClient`, a watched `AsyncClient`."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

Told = tuple[pytest.RunResult, list[dict[str, Any]]]
"""How the inner run ended, and the checks of its report."""

TESTS = """
import httpx
import pytest
from fastapi.testclient import TestClient
from {module} import app

paths = pytest.mark.parametrize("path", {paths})

@pytest.fixture
def noblock_app():
    return app

@paths
def test_fixture(noblock, path):
    noblock.get(path)

@paths
def test_client(path):
    assert TestClient(app).get(path).status_code == 200

@paths
@pytest.mark.asyncio
async def test_async(path):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get(path)).status_code == 200
"""


def ask(
    pytester: pytest.Pytester,
    paths: Sequence[str],
    *,
    module: str = "shop",
    fixtures: str = "",
    run: Callable[..., pytest.RunResult] | None = None,
) -> Told:
    """Send a GET to each path of `app` in this module, three ways; `fixtures` are the conftest.py beside the tests."""
    pytester.makeconftest(fixtures)
    pytester.makepyfile(test_it=TESTS.format(module=module, paths=list(paths)))
    return watch(pytester, run)


def watch(pytester: pytest.Pytester, run: Callable[..., pytest.RunResult] | None = None) -> Told:
    """Run the tests that are there, all of them watched; in a process of their own unless `run` says how."""
    options = ("--noblock", "--noblock-report=report.json", "-v", "-p", "no:randomly")
    result = (run or pytester.runpytest_subprocess)(*options)
    return result, json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]


def lines(source: str, mark: str) -> list[int]:
    """The lines that end with this comment, in the file that `makepyfile` makes of the source."""
    return [number for number, line in enumerate(source.strip().splitlines(), 1) if line.endswith(f"  # {mark}")]

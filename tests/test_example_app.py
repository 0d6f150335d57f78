"""Each pair of twins in both directions: the blocking route is red at its own line, its repaired twins are green."""

import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi.routing import APIRoute

from example_app import computing, database, external_http, files, services, sleeping
from example_app.main import ROWS, app


class Twins(NamedTuple):
    blocks: str
    where: Callable[..., Any]
    kind: str
    call: str | None
    remedies: tuple[str, ...]
    repaired: tuple[str, ...]


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
        remedies=("aiofiles.open", "asyncio.to_thread"),
        repaired=("/file/to-thread", "/file/aiofiles", "/file/def"),
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
REPAIRED = tuple(path for twins in TABLE for path in twins.repaired)
ROUTES = {route.path: route for row in ROWS for route in row.routes if isinstance(route, APIRoute)}


def blocking_lines(function: Callable[..., Any]) -> list[int]:
    """The lines that end with `# blocks`."""
    source, first = inspect.getsourcelines(function)
    return [first + offset for offset, line in enumerate(source) if line.endswith("# blocks\n")]


@pytest.fixture
def noblock_app():
    return app


@pytest.mark.parametrize("twins", TABLE, ids=lambda twins: twins.blocks)
def test_the_blocking_twin_is_red_at_its_own_line(noblock, twins):
    check = noblock.check("GET", twins.blocks, probe="/")
    assert check.outcome == "failed", check
    (finding,) = check.findings
    assert finding.kind == twins.kind
    assert finding.file == twins.where.__module__.replace(".", "/") + ".py"
    assert finding.line in blocking_lines(twins.where)
    assert finding.function == twins.where.__name__
    assert finding.call == twins.call
    assert all(remedy in finding.replacement for remedy in twins.remedies), finding.replacement


@pytest.mark.parametrize("path", REPAIRED)
def test_the_repaired_twin_is_green(noblock, path):
    check = noblock.check("GET", path, probe="/")
    assert (check.outcome, check.findings) == ("passed", ()), check


def test_the_first_page_is_green_and_links_to_every_route(noblock):
    page = noblock.get("/").text
    assert all(f'<a href="{path}">' in page for path in ROUTES)


def test_every_route_has_its_place_in_the_table():
    assert sorted(ROUTES) == sorted([*REPAIRED, *(twins.blocks for twins in TABLE)])


def test_every_marked_line_has_its_place_in_the_table():
    marked = {path.stem: path.read_text().count("  # blocks\n") for path in Path(services.__file__).parent.glob("*.py")}
    tested = {inspect.getmodulename(twins.where.__code__.co_filename): 0 for twins in TABLE}
    for twins in TABLE:
        tested[inspect.getmodulename(twins.where.__code__.co_filename)] += len(blocking_lines(twins.where))
    assert {name: count for name, count in marked.items() if count} == tested


@pytest.mark.parametrize("path", ROUTES)
def test_the_docs_say_in_one_sentence_what_a_route_shows(path):
    first_word = "Repaired:" if path in REPAIRED else "Blocks:"
    description = ROUTES[path].description
    assert description.startswith(first_word)
    assert "\n" not in description


def test_uvicorn_starts_it_and_a_crash_leaves_nothing_behind():
    command = [sys.executable, "-m", "uvicorn", "example_app.main:app", "--port", "0"]
    project = Path(services.__file__).parents[1]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as server:
        url = next(filter(None, (re.search(r"http://127\S+", line) for line in server.stderr)))[0]
        assert httpx.get(f"{url}/http/httpx", trust_env=False).json()["EUR"] == 1
        server.kill()
        server.communicate(timeout=30)  # the upstream shares the pipe: it ends when both have


def test_one_command_shows_a_failure_and_a_pass(pytester):
    shutil.copytree(Path(services.__file__).parent, pytester.path / "example_app")
    result = pytester.runpytest_subprocess("example_app/check_blocking.py")
    result.assert_outcomes(failed=1, passed=1)
    (line,) = blocking_lines(external_http.rates_by_requests)
    result.stdout.fnmatch_lines(
        [
            "GET /http/requests blocked the event loop * ms (limit 50 ms)",
            f"  by      example_app/external_http.py:{line} in rates_by_requests",
            "              rates: Rates = requests.get(url, timeout=5).json()*",
            "  why     waiting for the network: asleep * ms, CPU * ms",
            "  harm    * of * probes of GET / waited, worst * ms (alone * ms)",
            "  instead httpx.AsyncClient*asyncio.to_thread(requests.get*plain def",
            '  accept  @pytest.mark.noblock_allow("reason", call="requests.get")',
        ]
    )


def test_a_computation_is_not_told_to_move_to_a_thread_where_that_does_not_help(pytester):
    pytester.makepyfile("def test_squares(noblock): noblock.get('/compute/squares')")
    result = pytester.runpytest("--noblock-app=example_app.main:app")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["GET /compute/squares blocked the event loop * ms (limit 50 ms)", "  instead *process*"]
    )
    result.stdout.no_fnmatch_line("*plain def*")

"""Each pair of twins in both directions: the blocking route is red at its own line, its repaired twins are green."""

import inspect
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from example_app import external_http, services
from example_app.main import ROWS, app
from tests import readme_table
from tests.example_rows import REPAIRED, TABLE, blocking_lines, named, needed, wrong

pytestmark = pytest.mark.one_python

ROUTES = {route.path: route for row in ROWS for route in row.routes if isinstance(route, APIRoute)}
TESTED = {twins.blocks for twins in TABLE} | {path for _, path in REPAIRED}
RESULT = "/celery/{broker}/results/{task}"


def template(path):
    return re.sub("/(redis|rabbitmq)/", "/{broker}/", path) if path.startswith("/celery") else path


@pytest.fixture
def noblock_app():
    return app


@pytest.mark.parametrize("twins", TABLE, ids=lambda twins: twins.id)
def test_the_blocking_twin_is_red_at_its_own_line(noblock, twins):
    needed(twins)
    check = noblock.check(twins.method, twins.blocks, probe="/", confirm=True)
    assert (check.outcome, wrong(twins, check)) == ("failed", []), check
    readme_table.compare(check.request, named(twins, check), blocking_lines(twins.where))


@pytest.mark.parametrize(("twins", "path"), REPAIRED, ids=[twins.id_of(path) for twins, path in REPAIRED])
def test_the_repaired_twin_is_green(noblock, twins, path):
    needed(twins)
    check = noblock.check(twins.method, path, probe="/", confirm=True)
    assert (check.outcome, check.findings) == ("passed", ()), check


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_what_was_accepted_is_done_in_a_while(noblock, broker):
    needed(next(twins for twins in TABLE if twins.blocks == f"/celery/{broker}/delay"))
    accepted = noblock.post(f"/celery/{broker}/to-thread")
    assert accepted.status_code == 202
    until = time.monotonic() + 60
    while (result := noblock.get(f"/celery/{broker}/results/{accepted.json()}").json())["state"] == "PENDING":
        assert time.monotonic() < until
    assert result == {"state": "SUCCESS", "words": 3}


def test_the_first_page_is_green_and_links_to_every_route(noblock):
    page = noblock.get("/").text
    assert all(path in page for path in ROUTES)


def test_every_route_has_its_place_in_the_table():
    assert sorted(ROUTES) == sorted({*map(template, TESTED), RESULT})


def test_the_readme_has_a_row_for_each_twin_that_blocks_and_no_other():
    tasks = {"POST /trap/email/me", "POST /trap/slow-log/me"}
    assert set(readme_table.rows()) == {f"{twins.method} {twins.blocks}" for twins in TABLE} | tasks


def test_every_marked_line_has_its_place_in_the_table():
    marked = {path.stem: path.read_text().count("  # blocks\n") for path in Path(services.__file__).parent.glob("*.py")}
    tested = Counter()
    for where in {twins.where for twins in TABLE}:
        tested[inspect.getmodulename(where.__code__.co_filename)] += len(blocking_lines(where))
    assert {name: count for name, count in marked.items() if count} == tested


@pytest.mark.parametrize("path", ROUTES)
def test_the_docs_say_in_one_sentence_what_a_route_shows(path):
    first_word = "Blocks:" if path in {template(twins.blocks) for twins in TABLE} else "Repaired:"
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

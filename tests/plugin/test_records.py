"""What is on record of each request: once, under its name, with the loop that ran it and the terminal's advice."""

import json
from pathlib import Path

import fastapi.testclient  # noqa: F401  imported here, inner runs need not import it again and again
import pytest

from tests.plugin import trap_app


@pytest.fixture
def report(run, shop):
    """The JSON report and the terminal of a run of these tests against this app."""
    shop.makepyfile(trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"))

    def report(tests: str, *options: str, app: str = "shop:app") -> tuple[dict, pytest.RunResult]:
        result = run(tests, "--noblock-report=report.json", *options, app=app)
        return json.loads(shop.path.joinpath("report.json").read_text(encoding="utf-8")), result

    return report


# --- a request is on record once

BACKGROUND = """
    import pytest
    from fastapi.testclient import TestClient
    import trap_app

    @pytest.mark.noblock_background("update_stock")
    def test_it({fixture}):
        {request}
"""
BY_FIXTURE = {"fixture": "noblock", "request": "noblock.check('POST', '/first-raises')"}
BY_CLIENT = {
    "fixture": "",
    "request": "TestClient(trap_app.app, raise_server_exceptions=False).post('/first-raises')",
}


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("by", "options"),
    [
        (BY_FIXTURE, []),
        (BY_FIXTURE, ["--noblock"]),
        (BY_CLIENT, ["--noblock"]),
    ],
    ids=["fixture", "fixture-and-watch", "client"],
)
def test_a_request_with_a_faulty_task_is_on_record_once(report, by, options):
    document, result = report(BACKGROUND.format(**by), *options, app="trap_app:app")
    result.assert_outcomes(failed=1)
    assert [(check["request"], check["outcome"]) for check in document["checks"]] == [("POST /first-raises", "failed")]
    assert [finding["kind"] for finding in document["checks"][0]["findings"]] == ["background-failed"]
    result.stdout.fnmatch_lines(["1 request watched in 1 test"])


# --- the loop is the one that ran

ON_LOOP = """
    import pytest
    from fastapi.testclient import TestClient
    from shop import app

    def test_it():
        TestClient(app, backend={backend!r}, backend_options={options}).get("/awaits")
"""
ONE_LOOP_ONLY = """
    import trio
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()

    @app.get("/")
    async def home():
        await trio.sleep(0)

    def test_it():
        TestClient(app, backend="trio").get("/")
"""
LOOPS = {"asyncio": ("asyncio", {}), "uvloop": ("asyncio", {"use_uvloop": True}), "trio": ("trio", {})}


def on_loop(loop: str) -> str:
    if loop == "trio":
        return ONE_LOOP_ONLY
    backend, options = LOOPS[loop]
    return ON_LOOP.format(backend=backend, options=options)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_report_names_the_loop_that_ran(report, loop):
    pytest.importorskip(loop)
    document, result = report(on_loop(loop), "--noblock")
    result.assert_outcomes(passed=1)
    assert [check["outcome"] for check in document["checks"]] == ["passed"]
    assert document["environment"]["loop"] == loop


@pytest.mark.one_python
def test_the_report_names_the_loop_of_a_test_that_fails(report):
    """A red check travels whole, an uneventful one as its record: the loop comes with both."""
    pytest.importorskip("uvloop")
    document, result = report(on_loop("uvloop").replace("/awaits", "/blocks"), "--noblock")
    result.assert_outcomes(failed=1)
    assert document["environment"]["loop"] == "uvloop"


@pytest.mark.one_python
@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["one-process", "xdist"])
def test_several_loops_are_named_in_order(report, options):
    pytest.importorskip("uvloop")
    if options:
        pytest.importorskip("xdist")
    tests = on_loop("uvloop") + on_loop("asyncio").replace("test_it", "test_that").replace("/awaits", "/blocks")
    document, result = report(tests, "--noblock", *options)
    result.assert_outcomes(passed=1, failed=1)
    assert document["environment"]["loop"] == "asyncio,uvloop"


@pytest.mark.one_python
def test_the_fixture_runs_asyncio_and_so_would_a_run_without_a_request(report):
    document, _result = report("def test_it(noblock):\n    noblock.get('/awaits')\n")
    assert (len(document["checks"]), document["environment"]["loop"]) == (1, "asyncio")
    document, _result = report("def test_it():\n    pass\n")
    assert (len(document["checks"]), document["environment"]["loop"]) == (0, "asyncio")


# --- a request is a method and a path

SENT = {
    "path": ('noblock.check("GET", "/awaits")', "GET /awaits"),
    "query": ('noblock.check("GET", "/awaits?page=2")', "GET /awaits"),
    "parameters": ('noblock.check("GET", "/awaits", params={"page": 2})', "GET /awaits"),
    "url": ('noblock.check("GET", "http://testserver/awaits")', "GET /awaits"),
    "fragment": ('noblock.check("GET", "/awaits#top")', "GET /awaits"),
    "method": ('noblock.check("get", "/awaits")', "GET /awaits"),
    "unknown": ('noblock.check("GET", "/nowhere?page=2")', "GET /nowhere"),
    "client": ('TestClient(app).get("/awaits?page=2")', "GET /awaits"),
    "client-url": ('TestClient(app).get("http://testserver/awaits")', "GET /awaits"),
}


@pytest.mark.one_python
@pytest.mark.parametrize("how", SENT)
def test_a_request_is_a_method_and_a_path(report, how):
    request, expected = SENT[how]
    tests = f"from fastapi.testclient import TestClient\nfrom shop import app\ndef test_it(noblock):\n    {request}\n"
    document, result = report(tests, "--noblock")
    result.assert_outcomes(passed=1)
    assert [check["request"] for check in document["checks"]] == [expected]


# --- the report gives the advice that the terminal gives


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("request_", "app", "plain"),
    [
        ('"GET", "/blocks"', "shop:app", True),
        ('"POST", "/blocks-after"', "trap_app:app", False),
    ],
    ids=["endpoint", "background"],
)
def test_the_report_advises_what_the_terminal_does(report, request_, app, plain):
    document, result = report(f"def test_it(noblock): noblock.request({request_})", app=app)
    result.assert_outcomes(failed=1)
    (finding,) = document["checks"][0]["findings"]
    (shown,) = [line.removeprefix("  instead ") for line in result.outlines if line.startswith("  instead ")]
    assert shown.endswith(", or make the endpoint a plain def") is plain
    assert finding["replacement"] == shown

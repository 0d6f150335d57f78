"""Faults that are known and not yet mended: each says what is right, and the twin beside it holds already."""

import json
import textwrap
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


def to_be_mended(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=True, raises=(AssertionError, pytest.fail.Exception), reason=reason)


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
TWICE = to_be_mended("the marker attaches the fixture's check again")


@pytest.mark.parametrize(
    ("by", "options"),
    [
        pytest.param(BY_FIXTURE, [], marks=TWICE),
        pytest.param(BY_FIXTURE, ["--noblock"], marks=TWICE),
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
CONSTANT = to_be_mended("it is a constant")


def on_loop(loop: str) -> str:
    if loop == "trio":
        return ONE_LOOP_ONLY
    backend, options = LOOPS[loop]
    return ON_LOOP.format(backend=backend, options=options)


@pytest.mark.parametrize(
    "loop", ["asyncio", pytest.param("uvloop", marks=CONSTANT), pytest.param("trio", marks=CONSTANT)]
)
def test_the_report_names_the_loop_that_ran(report, loop):
    pytest.importorskip(loop)
    document, result = report(on_loop(loop), "--noblock")
    result.assert_outcomes(passed=1)
    assert [check["outcome"] for check in document["checks"]] == ["passed"]
    assert document["environment"]["loop"] == loop


@pytest.mark.parametrize("loop", [pytest.param("uvloop", marks=CONSTANT), pytest.param("trio", marks=CONSTANT)])
def test_the_head_of_the_run_names_no_loop_that_did_not_run(report, loop):
    """It is printed before any runs: it may name none."""
    pytest.importorskip(loop)
    _document, result = report(on_loop(loop), "--noblock")
    (head,) = [line for line in result.outlines if line.startswith("noblock: ")]
    assert "asyncio" not in head


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
AS_TYPED = to_be_mended("the fixture's checks carry what was typed")


@pytest.mark.parametrize(
    "how",
    [
        "path",
        "parameters",
        "method",
        "client",
        "client-url",
        *(pytest.param(how, marks=AS_TYPED) for how in ("query", "url", "fragment", "unknown")),
    ],
)
def test_a_request_is_a_method_and_a_path(report, how):
    request, expected = SENT[how]
    tests = f"from fastapi.testclient import TestClient\nfrom shop import app\ndef test_it(noblock):\n    {request}\n"
    document, result = report(tests, "--noblock")
    result.assert_outcomes(passed=1)
    assert [check["request"] for check in document["checks"]] == [expected]


# --- the report gives the advice that the terminal gives


@pytest.mark.parametrize(
    ("request_", "app", "plain"),
    [
        pytest.param('"GET", "/blocks"', "shop:app", True, marks=to_be_mended("the terminal adds to it")),
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


# --- both places of a task are told the same way

PLACES = """
    import pathlib
    import pytest
    import trap_app

    def test_it(noblock):
        (task,) = noblock.check("POST", "/awaited").exchange.tasks
        source = pathlib.Path(trap_app.__file__).read_text().splitlines()
        assert source[task.{name}.line - 1].strip() == {code!r}
        pathlib.Path("file.txt").write_text(task.{name}.file)
"""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        pytest.param("added_at", 'tasks.add_task(write_log, "ordered")', marks=to_be_mended("it is absolute")),
        ("called_at", "await tasks()"),
    ],
    ids=["added", "called"],
)
def test_where_a_task_was_added_and_awaited_is_relative(run, shop, name, code):
    shop.makepyfile(trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"))
    run(PLACES.format(name=name, code=code), app="trap_app:app").assert_outcomes(passed=1)
    assert shop.path.joinpath("file.txt").read_text(encoding="utf-8") == "trap_app.py"


EARLY = """
    import pytest

    @pytest.mark.noblock_background
    def test_it(noblock):
        noblock.check("POST", "/awaited")
"""


def test_the_line_that_added_a_task_is_shown_from_any_folder(shop, monkeypatch):
    """To mend `added_at` must not lose the code: a path relative to rootdir opens from nowhere else."""
    shop.makepyfile(
        trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"),
        test_shop=textwrap.dedent(EARLY),
    )
    shop.makeini("[pytest]\npythonpath = .\n")
    monkeypatch.chdir(shop.mkdir("elsewhere"))
    result = shop.runpytest("--noblock-app=trap_app:app", f"--rootdir={shop.path}", "-c", "../tox.ini", "..")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "POST /awaited: background task write_log began before the response was complete",
            "  by      trap_app.py:* in awaited",
            '              tasks.add_task(write_log, "ordered")',
        ]
    )

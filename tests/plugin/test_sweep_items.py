"""A sweep: every route of an app is an item, each stall has its owner, and what was not measured is said."""

import json

import pytest

APP = """
import asyncio
import time
from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, WebSocket
from fastapi.responses import StreamingResponse

calls = []
app = FastAPI()

@app.get("/users")
async def users():
    calls.append("users")
    return [{"id": 7}]

@app.get("/users/{user_id}")
async def user(user_id: int):
    await asyncio.sleep(0)
    if user_id != 7:
        raise HTTPException(404)
    return {"id": user_id}

@app.get("/sleeps")
async def sleeps():
    await asyncio.sleep(0.05)
    time.sleep(0.08)  # BAD sleeps
    return {}

@app.get("/awaits")
async def awaits():
    await asyncio.sleep(0.13)
    return {}

@app.get("/in-a-task")
async def in_a_task(tasks: BackgroundTasks):
    async def blocks():
        time.sleep(0.08)  # BAD in a task
    tasks.add_task(blocks)
    return {}

@app.get("/refuses-after")
async def refuses_after():
    time.sleep(0.08)  # BAD refuses after
    raise HTTPException(500)

@app.get("/mine")
async def mine(authorization: str | None = Header(None)):
    await asyncio.sleep(0)
    if authorization != "Bearer s3cret-w0rd":
        raise HTTPException(401)
    return {}

@app.get("/raises")
async def raises():
    raise LookupError("nothing there")

@app.get("/stopped")
async def stopped():
    return {}

@app.post("/users")
async def make(name: str = "x"):
    calls.append("made")
    with open("made.txt", "a") as file:
        file.write("x")
    time.sleep(0.08)  # BAD make
    return {"id": 8}

@app.websocket("/ws")
async def ws(websocket: WebSocket):
    await websocket.accept()
"""


def line_of(mark: str, text: str = APP) -> int:
    return next(number for number, line in enumerate(text.strip().splitlines(), 1) if line.endswith(f"BAD {mark}"))


@pytest.fixture
def swept(pytester: pytest.Pytester):
    """Sweeps `app.py`, with these options."""
    pytester.makepyfile(app=APP)

    def swept(*options: str) -> pytest.RunResult:
        return pytester.runpytest("--noblock-sweep=app:app", "-p", "no:randomly", *options)

    return swept


def routes_in(pytester: pytest.Pytester) -> dict[str, dict[str, object]]:
    report = json.loads(pytester.path.joinpath("r.json").read_text(encoding="utf-8"))
    return {f"{each['method']} {each['path']}": each for each in report["routes"]}


def test_each_route_is_an_item_red_green_or_skipped_for_a_reason(pytester, swept, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret-w0rd")
    result = swept(
        "-rs",
        "-v",
        "--noblock-exclude=/stop*",
        "--noblock-header=Authorization: Bearer $TOKEN",
        "--noblock-report=r.json",
    )
    text = result.stdout.str()
    result.assert_outcomes(passed=4, failed=3, skipped=4)
    for name, where in (("sleeps", "sleeps"), ("in-a-task", "in a task"), ("refuses-after", "refuses after")):
        assert f"noblock::GET /{name} FAILED" in text
        assert f"GET /{name} blocked the event loop" in text
        assert f"app.py:{line_of(where)} in " in text
    for name in ("/users", "/users/{user_id}", "/awaits", "/mine"):
        assert f"noblock::GET {name} PASSED" in text
    for sentence in (
        "excluded: it was left out by an option",
        "unsafe-method: the method may change what the app keeps",
        "websocket: it is a websocket",
        "failed: raised LookupError('nothing there') at app.py:",
    ):
        assert sentence in text
    assert "6 of 11 routes measured" in text  # what refuses is not measured, and what blocks is red all the same
    assert "s3cret" not in text + result.stderr.str()
    routes = routes_in(pytester)
    assert routes["GET /sleeps"]["outcome"] == "failed"
    assert routes["GET /sleeps"]["worst_ms"] >= 80
    assert routes["GET /sleeps"]["loop_ms"] >= 80
    assert routes["GET /awaits"] | {"loop_ms": 0} == {
        "method": "GET", "path": "/awaits", "requests": 1, "outcome": "passed",
        "reason": None, "worst_ms": 0.0, "loop_ms": 0,
    }  # fmt: skip
    assert routes["WEBSOCKET /ws"]["reason"] == "websocket"
    assert routes["POST /users"]["outcome"] == "not-exercised"


@pytest.mark.one_python
def test_what_a_route_lacks_is_said_with_the_option_that_gives_it(swept):
    result = swept("--noblock-include=GET /mine*", "--noblock-include=GET /users*")
    result.assert_outcomes(passed=2, skipped=9)
    result.stdout.fnmatch_lines(
        ["*2 of 11 routes measured*", "*needs-auth: GET /mine", '*--noblock-header="Authorization: Bearer $TOKEN"*']
    )


@pytest.mark.one_python
def test_an_id_comes_from_the_list_route_unless_an_option_names_one(swept):
    swept("-k", "users").assert_outcomes(passed=2, skipped=1, deselected=8)
    result = swept("-k", "users", "--noblock-param=user_id=9", "-rs")
    result.assert_outcomes(passed=1, skipped=2, deselected=8)
    result.stdout.fnmatch_lines(["*not-found: answered 404*--noblock-param=user_id=...*"])


@pytest.mark.one_python
def test_a_printed_id_is_run_again_and_k_and_co_choose(swept, pytester):
    text = swept("--co", "-q").stdout.str()
    assert "noblock::GET /users/{user_id}" in text
    assert "requests answered" not in text
    result = pytester.runpytest("noblock::GET /users/{user_id}", "--noblock-sweep=app:app")
    result.assert_outcomes(passed=1)
    assert "1 of 1 selected routes measured (the app has 11)" in result.stdout.str()
    result = pytester.runpytest("noblock::GET /user", "--noblock-sweep=app:app")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert (
        "not found: noblock::GET /user: the app has no such route, did you mean noblock::GET /users"
        in result.stdout.str()
    )


@pytest.mark.one_python
def test_without_paths_only_the_sweep_runs_and_with_paths_the_tests_as_well(swept, pytester):
    pytester.makepyfile(test_one="def test_it():\n    pass\n")
    names = "-k", "awaits or test_it"
    swept(*names).assert_outcomes(passed=1, deselected=10)
    swept(*names, "test_one.py").assert_outcomes(passed=2, deselected=10)
    pytester.runpytest("--noblock-app=app:app", *names, "--noblock-sweep", "test_one.py").assert_outcomes(
        passed=2, deselected=10
    )
    result = swept(*names, "--noblock")
    result.assert_outcomes(passed=2, deselected=10)
    assert "nothing was seen in 1 of" in result.stdout.str()


@pytest.mark.one_python
def test_a_method_that_may_change_something_is_sent_once_where_it_is_asked_for(swept, pytester):
    pytester.makeconftest("import app\n\ndef pytest_unconfigure():\n    print('made', app.calls.count('made'))\n")
    result = swept("--noblock-methods=POST", "-s")
    result.assert_outcomes(failed=1, skipped=10)
    text = result.stdout.str()
    assert f"app.py:{line_of('make')} in make" in text
    assert "made 1" in text


@pytest.mark.one_python
def test_a_share_of_the_routes_may_be_required(swept):
    result = swept("-k", "awaits or mine", "--noblock-require=50%")
    assert result.ret == pytest.ExitCode.OK
    result = swept("-k", "awaits or mine", "--noblock-require=51%")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "--noblock-require=51% is not met: 1 of 2 selected routes measured (the app has 11)" in result.stdout.str()
    result = swept("-k", "awaits or mine or raises", "--noblock-exclude=/r*", "--noblock-require=34%")
    told = "1 of 3 selected routes measured (the app has 11) (1 excluded, which counts as well)"
    assert f"--noblock-require=34% is not met: {told}" in result.stdout.str()  # the share is of the app's routes
    result = swept("-k", "mine")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no route was measured: the sweep asserted nothing" in result.stdout.str()


@pytest.mark.one_python
def test_two_workers_find_the_same_report_the_same_and_send_once_what_changes_something(swept, pytester):
    pytest.importorskip("xdist")
    options = "--noblock-report=r.json", "-k", "sleeps or awaits or users", "--noblock-methods=GET,POST"
    swept(*options)
    one = routes_in(pytester)
    result = swept(*options, "-n", "2")
    two = routes_in(pytester)
    assert pytester.path.joinpath("made.txt").read_text() == "xx"
    assert "5 of 5 selected routes measured (the app has 11)" in result.stdout.str()
    for routes in (one, two):
        for each in routes.values():
            each |= {"worst_ms": 0, "loop_ms": 0}
    assert one == two
    assert one["GET /sleeps"]["outcome"] == one["POST /users"]["outcome"] == "failed"
    result = pytester.runpytest("noblock::GET /awaits", "--noblock-sweep=app:app", "-n", "1")
    result.assert_outcomes(passed=1)


@pytest.mark.one_python
def test_after_the_first_failure_of_x_what_was_measured_is_told(swept):
    result = swept("-x")
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    assert "GET /awaits" in text
    rows = {line.split()[1]: line.split()[2:] for line in text.splitlines() if line.startswith("  GET /")}
    assert rows["/awaits"][0] == "passed"
    for name, where in (("in-a-task", "in a task"), ("refuses-after", "refuses after")):  # by what counters saw
        assert (rows[f"/{name}"][0], rows[f"/{name}"][-1]) == ("failed", f"app.py:{line_of(where)}")


@pytest.mark.one_python
def test_the_progress_is_told_and_is_quiet_under_q(swept):
    text = swept("-k", "awaits").stdout.str()
    assert "noblock sweep: 2 of 2 requests answered [100%]" in text
    assert "requests answered" not in swept("-k", "awaits", "-q").stdout.str()

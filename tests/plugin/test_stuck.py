"""An endpoint that never answers ends the test, and the line where it sits is named."""

import pytest

from pytest_noblock.checks import sending

STUCK = """
import asyncio
import time

from fastapi import BackgroundTasks, FastAPI

app = FastAPI()
lock = asyncio.Lock()

@app.get("/awaits")
async def awaits():
    await asyncio.sleep(300)  # awaits

@app.get("/locks")
async def locks():
    await lock.acquire()
    await lock.acquire()  # locks

@app.get("/deep")
async def deep():
    await down()

async def down():
    await asyncio.Event().wait()  # deep

@app.get("/worker")
def worker():
    time.sleep(3)  # worker

@app.get("/gathers")
async def gathers():
    await asyncio.gather(down())  # gathers

@app.get("/streams")
async def streams():
    from starlette.responses import StreamingResponse
    return StreamingResponse(chunks())

async def chunks():
    yield "one"
    await asyncio.sleep(300)  # streams

@app.get("/late")
async def late(tasks: BackgroundTasks):
    tasks.add_task(task)
    return {}

async def task():
    await asyncio.sleep(300)  # late

@app.get("/holds")
async def holds():
    time.sleep(300)  # holds

@app.get("/spins")
async def spins():
    while True:  # spins
        pass  # spins

@app.get("/fine")
async def fine():
    return {}
"""
TEST = """
import pytest

def test_stuck(noblock):
    noblock.get({path!r}, timeout=0.3)

def test_fine(noblock):
    noblock.get("/fine")
"""


def lines_of(path: str) -> list[int]:
    return [number for number, line in enumerate(STUCK.strip().splitlines(), 1) if line.endswith(f"# {path}")]


PATHS = [
    *("awaits", "locks", "deep", "gathers", "streams"),
    *(pytest.param(path, marks=pytest.mark.one_python) for path in ("worker", "late")),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scope", ["function", pytest.param("session", marks=pytest.mark.one_python)])
def test_the_test_fails_in_time_and_names_the_line(pytester, refused, path, scope):
    pytester.makepyfile(api=STUCK, test_it=TEST.format(path=f"/{path}"))
    result = pytester.runpytest("--noblock-app=api:app", "-o", f"noblock_scope={scope}")
    result.assert_outcomes(failed=1, passed=1)
    (line,) = lines_of("deep" if path == "gathers" else path)  # the child that is waited for
    what = "answered, but its background task task did not end" if path == "late" else "did not answer"
    refused(result, f"GET /{path} {what} within 0.3 s (timeout=0.3), it sits at api.py:{line} in ")
    assert result.duration < 100  # less than the endpoint would take


@pytest.mark.parametrize("path", ["holds", "spins"])
def test_a_loop_that_is_held_for_good_ends_the_test_and_pytest_too(pytester, refused, path):
    """In a process of its own: nothing can take the loop's thread away again."""
    pytester.makeconftest(f"import {sending.__name__}\n{sending.__name__}._GRACE_S = 1")
    pytester.makepyfile(api=STUCK, test_it=TEST.format(path=f"/{path}"))
    result = pytester.runpytest_subprocess("--noblock-app=api:app", "-o", "noblock_scope=session", timeout=100)
    result.assert_outcomes(failed=1, passed=1)
    refused(result, f"GET /{path} took the event loop and ", "(timeout=0.3)")
    assert any(f"  by      api.py:{line} in {path}" in result.stdout.str() for line in lines_of(path))


@pytest.mark.one_python
def test_the_limit_of_the_client_holds_where_the_request_names_none(pytester, refused):
    pytester.makepyfile(
        api=STUCK,
        test_it="""
        def test_stuck(noblock):
            noblock.client.timeout = 0.2
            noblock.get("/awaits")
        """,
    )
    result = pytester.runpytest("--noblock-app=api:app")
    result.assert_outcomes(failed=1)
    refused(
        result,
        f"GET /awaits did not answer within 0.2 s (timeout=0.2), it sits at api.py:{lines_of('awaits')[0]} in awaits",
    )


def test_a_request_that_sits_behind_a_middleware_is_told_with_the_endpoints_line(pytester, refused):
    """Starlette runs it in a task of its own there."""
    behind = """
from starlette.middleware.base import BaseHTTPMiddleware

async def passing(request, call_next):
    return await call_next(request)

app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
"""
    pytester.makepyfile(api=STUCK + behind, test_it=TEST.format(path="/awaits"))
    result = pytester.runpytest("--noblock-app=api:app")
    result.assert_outcomes(failed=1, passed=1)
    refused(result, f"it sits at api.py:{lines_of('awaits')[0]} in awaits")


def test_a_task_that_ignores_being_cancelled_does_not_keep_pytest(pytester, refused):
    """The app cannot be stopped then; that is said, and costs no minute."""
    stubborn = """
@app.get("/stubborn")
async def stubborn():
    for _ in range(2):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
"""
    pytester.makepyfile(api=STUCK + stubborn, test_it=TEST.format(path="/stubborn"))
    result = pytester.runpytest("--noblock-app=api:app")
    assert result.parseoutcomes()["failed"] == 1
    refused(result, "GET /stubborn did not answer within 0.3 s")
    assert result.duration < 50  # less than one of its sleeps


@pytest.mark.one_python
def test_a_check_of_a_stuck_endpoint_is_inconclusive(pytester):
    """`check` never fails the test, even here, and the next request is answered."""
    pytester.makepyfile(
        api=STUCK,
        test_it="""
        def test_it(noblock):
            check = noblock.check("GET", "/awaits", timeout=0.2)
            assert (check.outcome, check.response, check.findings) == ("inconclusive", None, ())
            assert "it sits at api.py:" in check.reason
            assert noblock.get("/fine").json() == {}
        """,
    )
    pytester.runpytest("--noblock-app=api:app").assert_outcomes(passed=1)

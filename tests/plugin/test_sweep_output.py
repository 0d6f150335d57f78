"""What the app prints while it is swept is captured, as a test's output is."""

import pytest

pytest.importorskip("fastapi")

pytestmark = pytest.mark.one_python

APP = """
import asyncio, logging, os, sys, time
from contextlib import asynccontextmanager
from fastapi import FastAPI

print("at import")

@asynccontextmanager
async def lifespan(app):
    print("at start")
    yield
    print("at stop")

app = FastAPI(lifespan=lifespan)
log = logging.StreamHandler(sys.stderr)

@app.get("/good")
async def good():
    await asyncio.sleep(0)
    os.write(1, b"of good\\n")
    log.emit(logging.makeLogRecord({"msg": "logged"}))
"""
SAID = ("at import", "at start", "of good", "logged", "at stop")
BAD = """
@app.get("/bad")
async def bad():
    await asyncio.sleep(0)
    time.sleep(0.08)
"""
BROKEN = """
raise OSError("no such thing")
"""


def test_a_green_sweep_prints_nothing_of_the_apps_and_its_progress_is_seen(pytester):
    pytester.makepyfile(app=APP)
    result = pytester.runpytest_subprocess("--noblock-sweep=app:app")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["noblock sweep: 2 of 2 requests answered *100%*", "1 of 1 routes measured"])
    assert not any(each in result.stdout.str() + result.stderr.str() for each in SAID)


def test_with_s_all_of_it_is_seen(pytester):
    pytester.makepyfile(app=APP)
    result = pytester.runpytest_subprocess("--noblock-sweep=app:app", "-s")
    result.assert_outcomes(passed=1)
    assert all(each in result.stdout.str() + result.stderr.str() for each in SAID)


def test_the_route_that_had_all_of_them_sent_shows_it_where_it_is_red(pytester):
    pytester.makepyfile(app=APP.replace('"/good"', '"/later"') + BAD.replace("/bad", "/aaa"))
    result = pytester.runpytest_subprocess("--noblock-sweep=app:app", "-k", "aaa or later")
    result.assert_outcomes(passed=1, failed=1)
    assert "of good" not in result.stdout.str()  # the first item passed
    pytester.makepyfile(app=APP.replace("@app.get", BAD + "\n@app.get"))
    result = pytester.runpytest_subprocess("--noblock-sweep=app:app")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Captured stdout sweep*", "at start", "of good", "*Captured stderr sweep*", "logged"])


def test_an_app_that_cannot_be_imported_shows_what_it_said_before(pytester):
    pytester.makepyfile(app=APP + BROKEN)
    result = pytester.runpytest_subprocess("--noblock-sweep=app:app")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no such thing*", "*Captured stdout*", "at import"])
    assert result.ret == pytest.ExitCode.INTERRUPTED

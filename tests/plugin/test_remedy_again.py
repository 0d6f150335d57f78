"""A line that is red twice for two reasons: the one line of the second says what fits there, and that is green."""

import pytest

pytest.importorskip("fastapi")

APP = """
import asyncio
import time

from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


async def mail():
    time.sleep(0.1)


async def mended():
    await asyncio.sleep(0.1)


@app.get("/order")
async def order(tasks: BackgroundTasks):
    tasks.add_task({mail})


@app.get("/later")
async def later():
    app.state.task = asyncio.create_task({mail}())
"""
TESTS = """
import pytest
from api import app
from fastapi.testclient import TestClient

@pytest.fixture
def noblock_app():
    return app

@pytest.mark.parametrize("path", ["/order", "/later"])
def test_fixture(noblock, path):
    noblock.get(path)

@pytest.mark.parametrize("path", ["/order", "/later"])
def test_client(path):
    with TestClient(app) as client:
        client.get(path)
"""
FITS_BOTH = "  instead await asyncio.sleep(...)"
LATER = "GET /later blocked the event loop *, sync-io by api.py:10 in mail, as in test_api.py::test_fixture*order*"


def run(pytester, mail, *options):
    pytester.makepyfile(api=APP.replace("{mail}", mail), test_api=TESTS)
    return pytester.runpytest_subprocess("-p", "no:randomly", *options)


def test_a_task_that_nobody_awaits_is_not_told_to_become_a_plain_def(pytester):
    result = run(pytester, "mail", "--noblock")
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines([f"{FITS_BOTH}, or make the task a plain def", LATER, FITS_BOTH])


def test_the_remedy_that_fits_both_is_green(pytester):
    run(pytester, "mended", "--noblock").assert_outcomes(passed=4)


def test_in_a_sweep_too(pytester):
    result = run(pytester, "mail", "--noblock-sweep=api:app")
    told = [line for line in result.stdout.lines if line.startswith("  instead ")]
    assert sorted(told) == [FITS_BOTH, f"{FITS_BOTH}, or make the task a plain def"]
    run(pytester, "mended", "--noblock-sweep=api:app").assert_outcomes(passed=2)

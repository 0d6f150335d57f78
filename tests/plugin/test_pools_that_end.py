"""A pool that lives for one step: its threads have ended when the step is judged, and nobody knows what each burned."""

import pytest

pytest.importorskip("fastapi")
pytestmark = pytest.mark.one_python

APP = """
    import asyncio
    import multiprocessing
    import time
    from concurrent.futures import ThreadPoolExecutor

    import pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()
    context = multiprocessing.get_context("fork")
    NAP = 0.25

    @app.get("/processes")
    async def processes():
        sum(range(300_000))  # longer than a switch interval: the loop thread may be made to hand over the GIL
        with context.Pool(1) as pool:
            pool.map(time.sleep, [NAP])

    @app.get("/one-line")
    async def one_line():
        sum(range(300_000))
        with context.Pool(1) as pool: pool.map(time.sleep, [NAP])

    @app.get("/threads")
    async def threads():
        sum(range(300_000))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(time.sleep, [NAP, NAP]))

    @app.get("/repaired")
    async def repaired():
        await asyncio.gather(*(asyncio.to_thread(time.sleep, each) for each in [NAP, NAP]))

    @pytest.mark.noblock
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize("path", ["processes", "one-line", "threads", "repaired"])
    def test_watched(path):
        TestClient(app).get(f"/{path}")
"""


def test_a_wait_for_a_pool_is_the_apps_own_though_its_threads_have_ended(pytester):
    pytester.makepyfile(test_pools=APP)
    result = pytester.runpytest_inprocess("-p", "no:randomly")
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(
        [
            "GET /processes blocked the event loop*",
            "*test_pools.py:18 in processes",
            "*pool.map(time.sleep, [[]NAP])",
            "GET /one-line blocked the event loop*",
            "*test_pools.py:23 in one_line",
            "*why*waiting in multiprocessing*map:*",
            "GET /threads blocked the event loop*",
            "*test_pools.py:29 in threads",
        ]
    )

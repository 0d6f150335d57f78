"""After a test nothing of ours is left in the process."""

import textwrap

import pytest

pytestmark = pytest.mark.every_python

STATE = """
    import asyncio.events
    import concurrent.futures
    import gc
    import os
    import queue
    import socket
    import ssl
    import subprocess
    import sys
    import threading
    import time

    import pytest

    def names(owner):
        return {name: value for name, value in vars(owner).items() if not name.startswith("_")}

    def state():
        routing = sys.modules.get("fastapi.routing")
        return {
            "steps": asyncio.events.Handle._run,
            "socket": names(socket.socket),
            "ssl": names(ssl.SSLSocket),
            "resolver": socket.getaddrinfo,
            "sleep": time.sleep,
            "process": names(subprocess.Popen),
            "future": names(concurrent.futures.Future),
            "queue": names(queue.Queue),
            "thread": names(threading.Thread),
            "collections": list(gc.callbacks),
            "collect": gc.collect,
            "trace": (sys.gettrace(), threading.gettrace(), sys.getprofile()),
            "monitoring": [sys.monitoring.get_tool(each) for each in range(6)] if sys.version_info >= (3, 12) else [],
            "endpoint": getattr(routing, "run_endpoint_function", None),
            "starlette": getattr(sys.modules.get("starlette.applications"), "Starlette", object).__call__,
            "files": sorted(os.listdir("/proc/self/fd")),
            "threads": sorted(thread.name for thread in threading.enumerate() if "noblock" in thread.name),
            "excepthook": threading.excepthook,
            "switch": sys.getswitchinterval(),
        }

    before = {}

    def settled():
        # anyio's idle workers and a thread that was just joined may take a moment
        for _ in range(50):
            now = state()
            if now == before:
                break
            time.sleep(0.02)
        return {name: (before[name], now[name]) for name in now if now[name] != before[name]}

    def test_before(request):
        import fastapi.routing, httpx, shop
        request.getfixturevalue("warm")
        before.update(state())

    @pytest.fixture
    def warm(tmp_path):
        pass
"""
TESTS = {
    "passes": "noblock.get('/awaits')",
    "fails": "noblock.get('/blocks')",
    "is checked": "noblock.check('GET', '/blocks', concurrency=3, probe='/health')",
    "is not there": "noblock.get('/nowhere')",
    "is stuck": "noblock.get('/sleepy', timeout=0.2)",
    "raises": "noblock.get('/raises')",
    "runs in a worker": "noblock.get('/worker')",
    "raises in the test": "noblock.get('/awaits'); 1 / 0",
    "does not start": "pass",
    "refuses its probe": "noblock.get('/awaits', probe='/nowhere')",
}


@pytest.mark.parametrize(("meter", "names"), [("full", list(TESTS)), ("portable", ["fails"])])
def test_nothing_is_left_after_a_test_that(shop, run_in_turn, meter, names):
    shop.makepyfile(
        api="""
        import asyncio
        import shop
        from shop import app

        @app.get("/sleepy")
        async def sleepy():
            await asyncio.sleep(30)

        @app.get("/raises")
        async def raises():
            raise ValueError

        @app.get("/worker")
        def worker():
            return {}

        async def broken(scope, receive, send):
            raise OSError("no disk")
        """
    )
    for number, name in enumerate(names):
        mark = "@pytest.mark.noblock(app='shop:nothing')\n" if name == "does not start" else ""
        body = (
            f"\n{mark}def test_middle(noblock):\n    {TESTS[name]}\n\ndef test_after():\n    assert settled() == {{}}\n"
        )
        shop.makepyfile(**{f"test_{number}": textwrap.dedent(STATE) + body})
    options = ("--noblock-app=api:app", "-o", f"noblock_meter={meter}", "-rA", "-p", "no:cov")
    printed = run_in_turn([f"test_{number}.py" for number in range(len(names))], *options)
    for number, name in enumerate(names):
        assert f"PASSED test_{number}.py::test_after" in printed[f"test_{number}.py"], (name, printed)


def test_the_patches_are_there_while_a_request_is_under_way(pytester, shop):
    """The other direction: the test above looks where something is to be seen."""
    shop.makepyfile(
        api="""
        import asyncio.events, socket, time, gc, threading
        from shop import app

        @app.get("/seen")
        async def seen():
            return {
                "step": asyncio.events.Handle._run.__module__,
                "socket": "connect" in vars(socket.socket),
                "sleep": hasattr(time.sleep, "__wrapped__"),
                "collections": len(gc.callbacks),
                "watchdog": any("watchdog" in thread.name for thread in threading.enumerate()),
            }
        """,
        test_it="""
        import gc
        callbacks = len(gc.callbacks)

        def test_it(noblock):
            assert noblock.get("/seen").json() == {
                "step": "pytest_noblock.engine.steps.handles",
                "socket": True,
                "sleep": True,
                "collections": callbacks + 2,  # what a step is not charged for, and what a long turn is not
                "watchdog": True,
            }
        """,
    )
    shop.runpytest_subprocess("--noblock-app=api:app").assert_outcomes(passed=1)


def test_a_hundred_checks_leave_no_descriptor_and_no_thread(shop):
    shop.makepyfile(
        """
        import os
        import threading

        def test_it(noblock):
            noblock.get("/health")
            files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
            for _ in range(100):
                noblock.get("/health", warmup=False)
            assert len(os.listdir("/proc/self/fd")) <= files
            assert threading.active_count() <= threads
        """
    )
    shop.runpytest("--noblock-app=shop:app").assert_outcomes(passed=1)

"""What a failure says is true: of a round trip that is over at once, of a deadlock, of a loop that stands still."""

import pytest

pytest.importorskip("fastapi")

API = """
    import asyncio
    import socket
    import threading
    import time

    from fastapi import Depends, FastAPI

    app = FastAPI()
    lock = threading.Lock()
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        while question := connection.recv(100):
            connection.sendall(question * 3)

    threading.Thread(target=serve, daemon=True).start()
    client = socket.create_connection(server.getsockname())
    client.sendall(b"x")
    client.recv(3)

    @app.get("/quick")
    async def quick():
        client.sendall(b"0123456789")
        return len(client.recv(100))

    @app.get("/lock")
    async def keeps_lock():
        if not lock.acquire(timeout=0.1):
            return "busy"
        await asyncio.sleep(0.08)
        lock.release()

    async def session():
        yield 1
        time.sleep(0.08)

    @app.get("/teardown")
    async def teardown(one=Depends(session)):
        return one

    async def later(): ...

    @app.get("/held")
    async def held():
        asyncio.run_coroutine_threadsafe(later(), asyncio.get_running_loop()).result(timeout=0.1)

    @app.get("/never")
    async def never():
        loop = asyncio.get_running_loop()
        future = asyncio.run_coroutine_threadsafe(later(), loop)
        future.result()
"""
SUITE = """
    import pytest
    from fastapi.testclient import TestClient

    def test_fixture(noblock):
        noblock.get("/quick")

    def test_lock(noblock):
        noblock.get("/lock", concurrency=2)

    def test_teardown(noblock):
        noblock.get("/teardown")

    def test_held(noblock):
        noblock.get("/held")

    def test_never(noblock):
        noblock.get("/never", timeout=0.3)
"""
WATCHED = """
    from api import app
    from fastapi.testclient import TestClient

    def test_client():
        TestClient(app).get("/quick")
"""


LINES = [line.strip() for line in API.strip().splitlines()]
SLEEP = LINES.index("await asyncio.sleep(0.08)") + 1
LOCK = (
    f"a deadlock: whoever holds lock awaits in line {SLEEP}, and can release it only when this event loop turns,"
    " which this line prevents (an asyncio.Lock instead)"
)
OWN_LOOP = "a deadlock: it waits for a coroutine that only this event loop can run (await it instead)"
AT = f"api.py:{LINES.index('future.result()') + 1} in never"


def test_sentences(pytester):
    pytester.makepyfile(api=API, test_api=SUITE, test_watched=WATCHED)
    result = pytester.runpytest_subprocess("--noblock", "--noblock-app=api:app", "-p", "no:randomly", "-v")
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    assert " 0 ms (no network" not in text
    assert "asleep 0 ms, CPU 0 ms" not in text
    assert "nothing was measured" not in text
    stood_still = "GET /never took the event loop and did not give it back (timeout=0.3)"
    result.stdout.fnmatch_lines(
        [
            "GET /quick *",
            "  by      api.py:2* in quick",
            "  why     waiting for the network: *",
            f"  why     {LOCK}; asleep * ms, CPU * ms",
            "GET /teardown blocked the event loop * ms after the response (limit 50 ms)",
            "  instead await asyncio.sleep(...), or make the dependency `session` a plain def",
            f"  why     {OWN_LOOP}; asleep * ms, CPU * ms",
            stood_still,
            f"  by      {AT}",
            f"  why     {OWN_LOOP.removesuffix(' (await it instead)')}",
            "  harm    every other request of this worker waited as long",
            "  instead await it",
            "GET /quick *",
        ]
    )

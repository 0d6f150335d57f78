"""After a request nothing of ours holds what the app made for it: its exceptions, state, tasks, frames."""

import pytest

pytestmark = pytest.mark.every_python

APP = """
    import asyncio
    import gc
    import weakref

    import httpx
    import pytest
    from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
    from fastapi.testclient import TestClient

    app = FastAPI()
    refs = {}

    class Thing:
        def __init__(self, name):
            refs[name] = weakref.ref(self)

    class Problem(Exception):
        def __init__(self, name):
            super().__init__(name)
            self.thing = Thing(name)

    async def session():
        thing = Thing("dependency")
        yield thing

    @app.get("/fails")
    async def fails():
        thing = Thing("local of a frame that raised")
        raise Problem("raised")

    @app.get("/answered")
    async def answered():
        thing = Thing("local of a frame whose error was answered")
        raise HTTPException(418, detail="no")

    @app.get("/state")
    async def state(request: Request, given=Depends(session)):
        request.state.thing = Thing("state")
        request.scope["mine"] = Thing("scope")

    @app.get("/child")
    async def child():
        async def work(thing):
            await asyncio.sleep(0)

        await asyncio.create_task(work(Thing("child's argument")))

    @app.post("/later")
    async def later(tasks: BackgroundTasks):
        async def task(thing):
            pass

        tasks.add_task(task, Thing("background argument"))

    @app.post("/later-fails")
    async def later_fails(tasks: BackgroundTasks):
        async def task(thing):
            raise Problem("background error")

        tasks.add_task(task, Thing("argument of a task that raised"))

    @app.websocket("/ws")
    async def ws(socket: WebSocket):
        thing = Thing("websocket's local")
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    REQUESTS = ["GET /fails", "GET /answered", "GET /state", "GET /child", "POST /later", "POST /later-fails"]

    def alive():
        return sorted(name for name, ref in refs.items() if ref() is not None)

    @pytest.fixture(autouse=True)
    def without_collector():
        refs.clear()
        gc.collect()
        gc.disable()
        yield
        gc.enable()

    def look():
        assert refs
        left = alive()
        gc.collect()
        print("KEPT", left, alive())
"""
WATCHED = f"""{APP}
    @pytest.mark.parametrize("request_", REQUESTS)
    def test_test_client(request_):
        TestClient(app, raise_server_exceptions=False).request(*request_.split())
        look()

    def test_websocket():
        with TestClient(app).websocket_connect("/ws") as socket:
            socket.send_text("x")
            socket.receive_text()
        look()

    @pytest.mark.parametrize("request_", REQUESTS)
    def test_async_client(request_):
        async def main():
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
                await client.request(*request_.split())

        asyncio.run(main())
        look()
"""
FIXTURE = f"""{APP}
    @pytest.fixture
    def noblock_app():
        return app

    @pytest.mark.parametrize("request_", REQUESTS)
    def test_fixture(noblock, request_):
        noblock.check(*request_.split())
        look()
"""


def kept(result: pytest.RunResult) -> list[str]:
    return [line.partition("KEPT")[2] for line in result.outlines if "KEPT" in line]


def test_watched_requests_are_freed_as_without_us_also_where_no_garbage_is_collected(pytester):
    """What the frameworks themselves leave to the collector is left to it either way."""
    pytester.makepyfile(test_it=WATCHED)
    with_us = kept(pytester.runpytest("--noblock", "--noblock-action=warn", "-s", "-p", "no:cov"))
    without = kept(pytester.runpytest("-p", "no:noblock", "-s", "-p", "no:cov"))
    assert len(without) == 13
    assert with_us == without
    assert all(line.endswith(" []") for line in with_us)


def test_the_fixtures_requests_are_freed(pytester):
    pytester.makepyfile(test_it=FIXTURE)
    lines = kept(pytester.runpytest("-s", "-p", "no:cov"))
    assert len(lines) == 6
    assert [line for line in lines if not line.endswith(" []")] == []

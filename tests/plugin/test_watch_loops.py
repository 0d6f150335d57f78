"""Loops that have no handles of asyncio's: uvloop, rloop and trio, child tasks included; and no loop at all."""

import gc
import textwrap

import pytest

pytestmark = pytest.mark.every_python

API = """
import time

import anyio
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()

@app.get("/blocks")
async def blocks():
    time.sleep(0.08)  # endpoint

@app.get("/awaits")
async def awaits():
    await anyio.sleep(0.08)

async def child(how):
    await anyio.sleep(0.01)
    if how == "blocks":
        time.sleep(0.08)  # child

@app.get("/child/{how}")
async def parent(how: str):
    async with anyio.create_task_group() as group:
        group.start_soon(child, how)
        group.start_soon(anyio.sleep, 0.02)
    await anyio.sleep(0.06)

async def late(how):
    await anyio.sleep(0.06)
    if how == "blocks":
        time.sleep(0.08)  # background

@app.get("/background/{how}")
async def order(tasks: BackgroundTasks, how: str):
    tasks.add_task(late, how)
"""

CLIENTS = {
    "async": """
        import anyio, httpx, pytest
        from api import app

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", [{backend}])
        @pytest.mark.parametrize("path", {paths})
        async def test_it(anyio_backend, path):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 0.02)  # a task that is nobody's
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
                    await http.get(path)
    """,
    "TestClient": """
        import pytest
        from fastapi.testclient import TestClient
        from api import app

        name, options = {client}

        @pytest.mark.parametrize("path", {paths})
        def test_it(path):
            TestClient(app, backend=name, backend_options=options).get(path)
    """,
}
LOOPS = {
    "uvloop": {"backend": "('asyncio', {'use_uvloop': True})", "client": "('asyncio', {'use_uvloop': True})"},
    "trio": {"backend": "'trio'", "client": "('trio', {})"},
}
PATHS = {
    "endpoint": ["/blocks", "/awaits"],
    "child": ["/child/blocks", "/child/awaits"],
    "background": ["/background/blocks", "/background/awaits"],
}


@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("loop", LOOPS)
def test_the_twins_are_told_apart_on(pytester, loop, client, where):
    pytest.importorskip(loop)
    pytester.makepyfile(api=API, test_api=textwrap.dedent(CLIENTS[client]).format(paths=PATHS[where], **LOOPS[loop]))
    result = pytester.runpytest("--noblock")
    result.assert_outcomes(passed=1, failed=1)
    line = next(number for number, text in enumerate(API.strip().splitlines(), 1) if text.endswith(f"# {where}"))
    result.stdout.fnmatch_lines([f"*by      api.py:{line} in *"])
    result.stdout.no_fnmatch_line("*Exception raised when calling*")  # trio disables an instrument that raises


BARE = """
import asyncio, time
import httpx, pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

fast = pytest.importorskip({loop!r})

def work(how):
    if how == "blocks":
        time.sleep(0.08)  # work

def call_soon(loop, how):
    loop.call_soon(work, how)

def call_later(loop, how):
    loop.call_later(0.01, work, how)

def threadsafe(loop, how):
    loop.call_soon_threadsafe(work, how)

def done(loop, how):
    future = loop.create_future()
    future.add_done_callback(lambda _: work(how))
    future.set_result(None)

KINDS = [call_soon, call_later, threadsafe, done]

async def endpoint(request):
    kind = next(each for each in KINDS if each.__name__ == request.path_params["kind"])
    kind(asyncio.get_running_loop(), request.path_params["how"])
    return Response()

app = Starlette(routes=[Route("/{{kind}}/{{how}}", endpoint)])

@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [("asyncio", {{"loop_factory": fast.new_event_loop}})])
@pytest.mark.parametrize("how", ["blocks", "awaits"])
@pytest.mark.parametrize("kind", KINDS)
async def test_it(anyio_backend, kind, how):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        await http.get(f"/{{kind.__name__}}/{{how}}")
        await asyncio.sleep(0.03)
"""


@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")  # rloop 0.5 leaves its own open
@pytest.mark.parametrize("loop", ["uvloop", "rloop"])
def test_bare_callbacks_are_told_apart_on(pytester, loop):
    pytest.importorskip(loop)
    pytester.makepyfile(BARE.format(loop=loop))
    result = pytester.runpytest("--noblock", "-p", "no:asyncio", "-p", "no:randomly")
    gc.collect()
    result.assert_outcomes(passed=4, failed=4)
    line = next(number for number, text in enumerate(BARE.strip().splitlines(), 1) if text.endswith("# work"))
    red = [
        text
        for text in result.outlines
        if text.startswith("GET /") and text.partition(" blocked")[0].endswith("/blocks")
    ]
    assert [text.split("/")[1] for text in red] == ["call_soon", "call_later", "threadsafe", "done"]
    result.stdout.fnmatch_lines([f"  by      test_bare_callbacks_are_told_apart_on.py:{line} in work"])
    assert all(f".py:{line} in work" in text for text in red[1:]), "told once, and of the others by its place"


UVLOOP_TASKS = """
    import asyncio, gc
    import httpx, pytest
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/")
    async def endpoint():
        async def child():
            await asyncio.sleep(1)

        task = asyncio.create_task(child(), name="mine")
        shown = repr(task)
        task.cancel()  # before it ran: its coroutine must be closed all the same
        await asyncio.gather(task, return_exceptions=True)
        return {"cancelled": task.cancelled(), "shown": shown, "frames": len(task.get_stack())}

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})])
    @pytest.mark.filterwarnings("error")
    async def test_it(anyio_backend):
        before = asyncio.get_running_loop().get_task_factory()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            answer = (await http.get("/")).json()
        assert answer["cancelled"]
        assert "child" in answer["shown"] and "mine" in answer["shown"]
        gc.collect()
"""


def test_a_task_under_uvloop_is_what_it_was(pytester):
    pytest.importorskip("uvloop")
    pytester.makepyfile(textwrap.dedent(UVLOOP_TASKS))
    result = pytester.runpytest("--noblock")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*never awaited*")


def test_a_trio_run_that_outlives_the_test_gathers_no_instruments(pytester):
    pytest.importorskip("trio")
    pytester.makepyfile(
        api=API,
        test_api="""
        import pytest, trio
        from fastapi import FastAPI
        from fastapi.testclient import TestClient

        app = FastAPI()

        @app.get("/")
        async def instruments():
            return len(trio._core._run.GLOBAL_RUN_CONTEXT.runner.instruments.get("before_task_step", ()))

        @pytest.fixture(scope="module")
        def client():
            with TestClient(app, backend="trio") as client:
                yield client

        @pytest.mark.parametrize("time", range(5))
        def test_it(client, time):
            assert client.get("/").json() <= 1
        """,
    )
    pytester.runpytest("--noblock").assert_outcomes(passed=5)


def test_an_app_that_is_driven_without_any_loop(pytester):
    pytester.makepyfile(
        """
        import time
        from starlette.applications import Starlette

        class App(Starlette):
            async def __call__(self, scope, receive, send):
                await super().__call__(scope, receive, send)

        async def router(scope, receive, send):
            time.sleep(0.08)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        def test_it():
            async def receive():
                return {"type": "http.request"}

            async def send(message):
                pass

            app = App()
            app.middleware_stack = router
            call = app({"type": "http", "method": "GET", "path": "/"}, receive, send)
            try:
                call.send(None)
            except StopIteration:
                return
        """
    )
    result = pytester.runpytest("--noblock")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GET / blocked the event loop * ms (limit 50 ms)"])


NOBODYS = """
import contextvars
import threading
import time

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()

def held(how):
    if how == "blocks":
        time.sleep(0.3)  # held
    RAN[-1].set()

async def step(how):
    held(how)

def from_a_thread(how):
    if NAME == "trio":
        import trio
        token = trio.lowlevel.current_trio_token()
        threading.Thread(target=lambda: trio.from_thread.run_sync(held, how, trio_token=token)).start()
    else:
        import asyncio
        loop = asyncio.get_running_loop()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(held, how)).start()

def in_a_context_of_its_own(how):
    if NAME == "trio":
        import trio
        trio.lowlevel.spawn_system_task(step, how)
    else:
        import asyncio
        KEPT.append(asyncio.get_running_loop().create_task(step(how), context=contextvars.Context()))

KEPT, RAN = [], []
NAME, OPTIONS = {client}

@app.get("/{{way}}/{{how}}")
async def starts(way: str, how: str):
    RAN.append(anyio.Event())
    globals()[way](how)
    await RAN[-1].wait()  # the thread may begin late: the request is under way all the same
    await anyio.sleep(0.05)

@pytest.mark.parametrize("how", ["blocks", "rests"])
@pytest.mark.parametrize("way", ["from_a_thread", "in_a_context_of_its_own"])
def test_it(way, how):
    assert TestClient(app, backend=NAME, backend_options=OPTIONS).get(f"/{{way}}/{{how}}").status_code == 200
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_what_no_request_owns_is_said_aloud_on(pytester, loop):
    """Whose it is nobody knows in a watched test; that the loop was held while a request waited, one does."""
    pytest.importorskip(loop)
    pytester.makepyfile(NOBODYS.format(**LOOPS[loop]))
    result = pytester.runpytest("--noblock")
    result.assert_outcomes(passed=4)
    said = [line for line in result.outlines if "in a step that no request owns" in line]
    assert len(said) == 2, result.stdout.str()
    line = next(number for number, text in enumerate(NOBODYS.strip().splitlines(), 1) if text.endswith("# held"))
    for way, told in zip(("from_a_thread", "in_a_context_of_its_own"), sorted(said), strict=True):
        assert f"GET /{way}/blocks was under way" in told
        assert f".py:{line} in held held the event loop for more than 50 ms" in told


SPAWNS = """
import asyncio
import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()

@app.get("/waits-for-its-begin")
async def begins_late():
    child = await asyncio.create_subprocess_exec("true", preexec_fn=lambda: time.sleep(0.1))
    return await child.wait()

@app.get("/shell")
async def begins_late_in_a_shell():
    child = await asyncio.create_subprocess_shell("true", preexec_fn=lambda: time.sleep(0.1))
    return await child.wait()

@app.get("/blocks")
async def blocks():
    child = await asyncio.create_subprocess_exec("true")
    time.sleep(0.08)  # then
    return await child.wait()

@pytest.mark.parametrize("path", ["/waits-for-its-begin", "/shell", "/blocks"])
def test_it(path):
    assert TestClient(app, backend_options={"use_uvloop": True}).get(path).json() == 0
"""


def test_a_child_that_begins_late_is_the_machines_doing_on_uvloop_as_well(pytester):
    """libuv waits until the child runs; beside busy processes that took 108 ms."""
    pytest.importorskip("uvloop")
    pytester.makepyfile(SPAWNS)
    result = pytester.runpytest_subprocess("--noblock")  # a child of this process would be a fork of the whole suite
    result.assert_outcomes(passed=2, failed=1)
    line = next(number for number, text in enumerate(SPAWNS.strip().splitlines(), 1) if text.endswith("# then"))
    result.stdout.fnmatch_lines(["GET /blocks blocked the event loop*", f"*by      *.py:{line} in blocks"])


@pytest.mark.parametrize(("seconds", "said"), [(0.12, 1), (0, 0)])
def test_so_is_a_callback_without_a_frame_on_uvloop(pytester, seconds, said):
    pytest.importorskip("uvloop")
    pytester.makepyfile(f"""
        import asyncio
        import threading
        import time

        from fastapi import FastAPI
        from fastapi.testclient import TestClient

        app = FastAPI()

        @app.get("/")
        async def starts():
            loop = asyncio.get_running_loop()
            threading.Thread(target=lambda: loop.call_soon_threadsafe(time.sleep, {seconds})).start()
            await asyncio.sleep(0.05)

        def test_it():
            assert TestClient(app, backend_options={{"use_uvloop": True}}).get("/").status_code == 200
    """)
    result = pytester.runpytest("--noblock")
    result.assert_outcomes(passed=1)
    held = "a callback written in C held the event loop for more than 50 ms, in a step that no request owns"
    assert result.stdout.str().count(held) == said

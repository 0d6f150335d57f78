"""The fixture is a sync one: it works in every kind of test, and with every kind of ASGI app."""

import pytest

pytestmark = pytest.mark.every_python

IN_A_SYNC_TEST = """
    def test_blocks(noblock):
        noblock.get("/blocks")

    def test_awaits(noblock):
        assert noblock.get("/awaits").json() == {"awaited": True}
"""
IN_AN_ASYNC_TEST = """
    import asyncio
    import pytest

    {mark}
    async def test_blocks(noblock):
        await asyncio.sleep(0)
        noblock.get("/blocks")

    {mark}
    async def test_awaits(noblock):
        await asyncio.sleep(0)
        assert noblock.get("/awaits").json() == {{"awaited": True}}
"""
ANYIO_BACKEND = """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""


def check_twins(result: pytest.RunResult) -> None:
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*GET /blocks blocked the event loop * ms (limit 50 ms)"])


@pytest.mark.parametrize("options", [(), ("-p", "no:asyncio", "-p", "no:anyio")], ids=["as installed", "without"])
def test_in_a_sync_test(run, options):
    check_twins(run(IN_A_SYNC_TEST, *options))


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_in_an_async_test_of_pytest_asyncio(run, mode):
    pytest.importorskip("pytest_asyncio")
    mark = "@pytest.mark.asyncio" if mode == "strict" else ""
    check_twins(run(IN_AN_ASYNC_TEST.format(mark=mark), f"--asyncio-mode={mode}"))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_in_an_async_test_of_anyio(run, backend):
    body = IN_AN_ASYNC_TEST.format(mark="@pytest.mark.anyio").replace("asyncio.sleep", "anyio.sleep")
    body = body.replace("import asyncio", "import anyio") + ANYIO_BACKEND.replace('"asyncio"', repr(backend))
    check_twins(run(body))


def test_in_a_method_of_a_class(run):
    result = run("""
        class TestShop:
            def test_blocks(self, noblock):
                noblock.get("/blocks")

            def test_awaits(self, noblock):
                noblock.get("/awaits")
    """)
    check_twins(result)


def test_in_a_unittest_test_case_by_a_fixture(run):
    result = run("""
        import unittest
        import pytest

        class TestShop(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _noblock(self, noblock):
                self.noblock = noblock

            def test_blocks(self):
                self.noblock.get("/blocks")

            def test_awaits(self):
                self.noblock.get("/awaits")
    """)
    check_twins(result)


def test_in_a_fixture_of_the_user(run):
    """A request that a fixture makes fails the test that needs it."""
    result = run("""
        import pytest

        @pytest.fixture
        def report(noblock):
            return noblock.get("/blocks")

        def test_report(report):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*GET /blocks blocked the event loop * ms (limit 50 ms)"])


BARE = """
    import asyncio
    import time

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise NotImplementedError
        if scope["path"] == "/blocks":
            time.sleep(0.08)
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"awaited": true}'})
"""
STARLETTE = """
    import asyncio
    import time

    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def blocks(request):
        time.sleep(0.08)
        return JSONResponse({})

    async def awaits(request):
        await asyncio.sleep(0.02)
        return JSONResponse({"awaited": True})

    app = Starlette(routes=[Route("/blocks", blocks), Route("/awaits", awaits)])
"""
MOUNTED = """
    from fastapi import APIRouter, FastAPI

    import shop

    app = FastAPI()
    app.mount("/", shop.app)
"""
ROUTER = """
    from fastapi import APIRouter, FastAPI

    import shop

    router = APIRouter()
    router.get("/blocks")(shop.blocks)
    router.get("/awaits")(shop.awaits)
    app = FastAPI()
    app.include_router(router)
"""
BEHIND_MIDDLEWARE = """
    from starlette.middleware.base import BaseHTTPMiddleware

    from shop import app

    async def passing(request, call_next):
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
"""
METHOD = """
    class Api:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)

    import shop
    app = Api(shop.app)
"""


@pytest.mark.one_python
@pytest.mark.parametrize(
    "app",
    [BARE, STARLETTE, MOUNTED, ROUTER, BEHIND_MIDDLEWARE, METHOD],
    ids=["bare ASGI", "Starlette", "mounted", "APIRouter", "BaseHTTPMiddleware", "an object"],
)
def test_with_every_kind_of_app(run, shop, app):
    shop.makepyfile(api=app)
    check_twins(run(IN_A_SYNC_TEST, app="api:app"))


@pytest.mark.one_python
def test_a_blocking_middleware_is_named_at_its_own_line(run, shop):
    shop.makepyfile(
        api="""
        import time
        from starlette.middleware.base import BaseHTTPMiddleware
        from shop import app

        async def slow(request, call_next):
            time.sleep(0.08)
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=slow)
        """
    )
    result = run("def test_awaits(noblock): noblock.get('/awaits')", app="api:app")
    result.stdout.fnmatch_lines(["  by      api.py:6 in slow", "              time.sleep(0.08)"])


def test_the_example_of_the_entry_point_alone(run, shop):
    """A process of its own, as users start it."""
    shop.makepyfile(test_shop="def test_blocks(noblock): noblock.get('/blocks')")
    result = shop.runpytest_subprocess("--noblock-app=shop:app")
    result.assert_outcomes(failed=1)

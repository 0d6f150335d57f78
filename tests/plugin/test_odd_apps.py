"""An ASGI app is any callable, and its objects may be anything: nothing of theirs becomes the test's failure."""

import pytest

ODD = """
    import asyncio
    import dataclasses
    import time

    import httpx
    import pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    async def answer(send, headers=()):
        time.sleep(0.002)
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b"odd"})

    class App:
        async def __call__(self, scope, receive, send):
            if scope["type"] == "http":
                await answer(send)

    @dataclasses.dataclass
    class NoHash(App):
        pass

    class Slots:
        __slots__ = ()
        __call__ = App.__call__

    class RudeEquality(App):
        def __eq__(self, other):
            raise RuntimeError("eq")

        def __hash__(self):
            raise RuntimeError("hash")

        def __bool__(self):
            raise RuntimeError("bool")

    class AnswersAnything(App):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return self

    class RaisesWhenAsked(App):
        def __getattr__(self, name):
            raise RuntimeError(name)

    class RoutesMethod(App):
        def routes(self):
            return []

    class RudeRoutes(App):
        @property
        def routes(self):
            raise RuntimeError("routes")

    class RudeRepr(App):
        def __repr__(self):
            raise RuntimeError("repr")

    class OddScope(App):
        "What a framework leaves in the scope may be anything, too."

        async def __call__(self, scope, receive, send):
            if scope["type"] == "http":
                scope["endpoint"], scope["route"] = RaisesWhenAsked(), RudeRoutes()
                scope["route"].path = b"/odd"
                await answer(send)

    class Future(App):
        "The call gives an awaitable, and no coroutine."

        def __call__(self, scope, receive, send):
            return asyncio.ensure_future(App.__call__(self, scope, receive, send))

    KINDS = [NoHash, Slots, RudeEquality, AnswersAnything, RaisesWhenAsked]
    KINDS += [RoutesMethod, RudeRoutes, RudeRepr, OddScope, Future]

    class RudeError(Exception):
        def __repr__(self):
            raise RuntimeError("repr")

        __str__ = __repr__

    class LongError(Exception):
        def __repr__(self):
            return "x" * 1_000_000

    api = FastAPI()

    @api.get("/rude")
    async def rude():
        time.sleep(0.002)
        raise RudeError

    @api.get("/long")
    async def long():
        time.sleep(0.002)
        raise LongError
"""
WATCHED = f"""{ODD}
    REFUSED = [RaisesWhenAsked, Future]  # by Starlette's client itself, which asks whether it is a coroutine function

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in REFUSED])
    def test_test_client(kind):
        for _ in range(2):
            assert TestClient(kind()).get("/").text == "odd"

    @pytest.mark.parametrize("kind", KINDS)
    def test_async_client(kind):
        async def main():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(kind()), base_url="http://t") as client:
                return await client.get("/")

        assert asyncio.run(main()).text == "odd"

    @pytest.mark.parametrize(("path", "error"), [("/rude", RudeError), ("/long", LongError)])
    def test_errors(path, error):
        with pytest.raises(error):
            TestClient(api).get(path)
"""
FIXTURE = f"""{ODD}
    @pytest.fixture
    def noblock_app(request):
        return request.param

    TAKEN = [NoHash, Slots, RoutesMethod, RudeRoutes, RudeRepr, OddScope, Future]

    @pytest.mark.parametrize("noblock_app", [kind() for kind in TAKEN], indirect=True, ids=range(len(TAKEN)))
    def test_kinds(noblock):
        assert noblock.get("/").text == "odd"

    @pytest.mark.parametrize("noblock_app", [api], indirect=True)
    def test_errors(noblock):
        assert noblock.check("GET", "/rude").reason.startswith("GET /rude raised <RudeError, whose repr raises> at ")
        long = noblock.check("GET", "/long").reason
        assert "xxx... (1000000 letters) at " in long
        assert len(long) < 1000
"""


def test_odd_apps_and_errors_in_watched_tests(pytester):
    pytester.makepyfile(test_it=WATCHED)
    result = pytester.runpytest("--noblock", "-p", "no:cov")
    result.assert_outcomes(passed=20)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*noblock failed*")


def test_odd_apps_and_errors_in_the_fixture(pytester):
    pytester.makepyfile(test_it=FIXTURE)
    result = pytester.runpytest("-p", "no:cov")
    result.assert_outcomes(passed=8)
    result.stdout.no_fnmatch_line("*noblock failed*")

"""What Starlette and FastAPI tell of an app and of a request, and what is left where they tell it no more."""

import asyncio
import contextlib
import functools
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_noblock.engine import instrument
from pytest_noblock.engine.asgi.transport import EXTENSION, AppTransport, NoResponse
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.frameworks.http_client import httpx

fastapi = pytest.importorskip("fastapi")

from starlette.applications import Starlette  # noqa: E402  # FastAPI brings it
from starlette.background import BackgroundTask  # noqa: E402
from starlette.responses import PlainTextResponse  # noqa: E402
from starlette.routing import Mount, Route  # noqa: E402


def decorated(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


async def plain():
    return "plain"


@decorated
@decorated
async def wrapped():
    return "wrapped"


async def raises():
    raise fastapi.HTTPException(418)


async def crashes():
    raise ValueError("no")


async def with_background():
    return PlainTextResponse("", background=BackgroundTask(print, ""))


async def typed(number: int):
    return number


async def of_starlette(_request):
    return PlainTextResponse("")


@pytest.fixture
def app():
    app = fastapi.FastAPI()
    for function in (plain, wrapped, raises, crashes, with_background, typed):
        app.get(f"/{function.__name__}")(function)
    included = fastapi.APIRouter()
    included.get("/included")(plain)
    app.include_router(included, prefix="/v1")
    app.mount("/below", Starlette(routes=[Route("/mounted", of_starlette)]))
    return app


@pytest.fixture
def requested(run):
    """The record of a request while Starlette and FastAPI are patched."""

    def requested(app, path):
        async def main():
            records = []
            async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
                with contextlib.suppress(NoResponse):
                    await client.get(path, extensions={EXTENSION: records})
                await asyncio.wait([records[0].task])
            return records[0]

        instrument.install()
        try:
            return run(main())
        finally:
            instrument.uninstall()

    return requested


@pytest.fixture
def exchange(requested, user):
    def exchange(app, path):
        return starlette.as_exchange(requested(app, path), user)

    return exchange


def test_an_app_that_shows_no_routes_is_of_its_own_package():
    async def app(scope, receive, send):
        raise NotImplementedError

    assert starlette.packages_of(app) == {app.__module__.partition(".")[0]}


def test_the_packages_are_those_of_the_endpoints_and_not_the_frameworks(app):
    endpoint = SimpleNamespace(__module__="their_shop.views")
    app.routes.append(SimpleNamespace(path="/theirs", endpoint=endpoint))
    shop = Starlette(routes=[Mount("/below", Starlette(routes=[Route("/", functools.partial(of_starlette))]))])
    shop.routes.append(SimpleNamespace(endpoint=endpoint))
    assert "their_shop" in starlette.packages_of(shop)
    assert not starlette.packages_of(shop) & {"starlette", "fastapi", "functools"}


@pytest.mark.parametrize(
    ("path", "entered", "status"),
    [("/plain", True, 200), ("/v1/included", True, 200), ("/typed?number=x", False, 422), ("/raises", True, 418)],
)
def test_whether_the_endpoint_was_entered_is_known_of_fastapi(app, exchange, path, entered, status):
    known = exchange(app, path)
    assert (known.entered, known.status) == (entered, status)


def test_what_the_endpoint_raised_is_known_even_where_it_is_answered(app, exchange):
    known = exchange(app, "/raises")
    assert known.raised.startswith("HTTPException(")
    assert known.raised.endswith(" in raises")
    assert known.error is None


def test_what_came_out_of_the_app_is_known_with_its_line(app, exchange):
    known = exchange(app, "/crashes")
    assert known.error.startswith("ValueError('no') at frameworks/test_starlette.py:")
    assert known.raised == known.error


@pytest.mark.parametrize(("path", "own"), [("/with_background", True), ("/plain", False)])
def test_a_response_with_a_background_of_its_own_is_known(app, exchange, path, own):
    assert exchange(app, path).own_background is own


def test_the_version_is_told_of_starlettes_apps_only(app, exchange, respond):
    async def bare(scope, receive, send):
        await respond(send)

    assert exchange(app, "/plain").framework == sys.modules["starlette"].__version__
    assert exchange(bare, "/plain").framework is None


@pytest.mark.parametrize(("path", "endpoint"), [("/plain", plain), ("/wrapped", wrapped.__wrapped__.__wrapped__)])
def test_the_def_of_an_endpoint_lies_behind_its_decorators(app, requested, path, endpoint):
    code, line, _lasti, namespace = starlette.endpoint_def(requested(app, path))
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert code.co_name == endpoint.__name__
    assert lines[line - 1] == f"async def {endpoint.__name__}():"
    assert namespace is globals()


def test_a_request_that_is_not_routed_has_no_endpoint():
    assert starlette.endpoint_def(LiveExchange("GET", "/")) is None


def test_the_frameworks_routing_is_told_from_other_frames():
    def frame(module):
        return (plain.__code__, 1, 0, {"__name__": module})

    routing = ["fastapi.routing", "starlette.routing", "starlette.middleware.base", "shop.routing"]
    assert [starlette.is_routing(frame(each)) for each in routing] == [True, True, False, False]
    assert not starlette.is_routing((plain.__code__, 1, 0, {}))


@pytest.fixture
def without_fastapi(monkeypatch):
    monkeypatch.delitem(sys.modules, "fastapi.routing")


def patched():
    return {patch.name for patch in starlette.patches(lambda _patch: None)}


def test_what_calls_the_endpoint_is_patched():
    assert "run_endpoint_function" in patched()


def test_without_fastapi_nothing_of_it_is_patched(without_fastapi):
    assert "run_endpoint_function" not in patched()

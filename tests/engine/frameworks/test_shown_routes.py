"""Which routes an app shows, and what is asked of an app for that."""

import sys

import pytest

from pytest_noblock.engine.frameworks.shown_routes import endpoints_of, paths_of, routes_key

fastapi = pytest.importorskip("fastapi")

from starlette.applications import Starlette  # noqa: E402  # FastAPI brings it
from starlette.middleware.gzip import GZipMiddleware  # noqa: E402
from starlette.routing import Mount, Route, WebSocketRoute  # noqa: E402


async def plain(): ...


async def below(_request): ...


@pytest.fixture
def app():
    app = fastapi.FastAPI()
    app.get("/plain")(plain)
    included = fastapi.APIRouter()
    included.get("/included")(plain)
    app.include_router(included, prefix="/v1")
    routes = [Route("/mounted", below), WebSocketRoute("/socket", below)]
    app.mount("/below", Starlette(routes=routes))
    return app


def test_the_paths_are_those_of_included_routers_and_mounted_apps_too(app):
    assert set(paths_of(app)) >= {"/plain", "/v1/included", "/below/mounted"}
    assert paths_of(app) == sorted(paths_of(app))


class _RoutesMethod:
    def routes(self):
        return []


class _RoutesTable:
    routes = {"/a": None}  # noqa: RUF012


class _RaisingRoutes:
    @property
    def routes(self):
        raise RuntimeError("not yet")


class _AnswersAnything:
    __slots__ = ()

    def __getattr__(self, name):
        return self


async def bare(scope, receive, send): ...


@pytest.mark.parametrize(
    "odd",
    [_RoutesMethod(), _RoutesTable(), _RaisingRoutes(), _AnswersAnything(), bare],
    ids=lambda app: type(app).__name__,
)
def test_an_app_is_any_callable_and_nothing_else_is_asked_of_it(odd):
    assert paths_of(odd) == []
    assert list(endpoints_of(odd)) == []
    assert routes_key(odd) is None


def test_of_some_routes_alone_the_class_counts(app):
    assert paths_of(app, "WebSocketRoute") == ["/below/socket"]


def test_the_routes_are_those_of_the_app_inside_its_middleware(app):
    assert paths_of(GZipMiddleware(app)) == paths_of(app)
    assert routes_key(GZipMiddleware(app)) == routes_key(app) is not None


def test_the_endpoints_are_those_of_included_routers_and_mounted_apps_too(app):
    assert [each for each in endpoints_of(app) if each in (plain, below)] == [plain, plain, below, below]


def test_apps_with_the_same_routes_have_the_same_key(app):
    one, other = (Starlette(routes=[Route("/a", below)]) for _ in range(2))
    assert routes_key(one) == routes_key(other) != routes_key(app)


def test_without_fastapi_the_routes_of_starlette_are_read(monkeypatch):
    monkeypatch.delitem(sys.modules, "fastapi.routing")
    app = Starlette(routes=[Route("/a", below), Mount("/below", Starlette(routes=[Route("/b", below)]))])
    assert paths_of(app) == ["/a", "/below/b"]

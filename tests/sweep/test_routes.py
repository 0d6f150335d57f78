"""Which routes an app has: all of them, each once, and what is none is said."""

import functools
import warnings

import pytest

from pytest_noblock.sweep.route import Route, variables
from pytest_noblock.sweep.routes import routes_of, selected

pytest.importorskip("starlette")
pytest.importorskip("fastapi")

from fastapi import APIRouter, Depends, FastAPI, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Router, WebSocketRoute
from starlette.routing import Route as StarletteRoute
from starlette.staticfiles import StaticFiles

pytestmark = pytest.mark.one_python


async def answer(request):
    return PlainTextResponse("")


async def talk(websocket: WebSocket): ...


def names(app, document=None):
    return [route.name for route in routes_of(app, document).routes]


def only(app, name):
    (route,) = (each for each in routes_of(app).routes if each.name == name)
    return route


def logged(function):
    @functools.wraps(function)
    async def inner(*args, **kwargs):
        return await function(*args, **kwargs)

    return inner


# FastAPI


def needs_token(token: str): ...


def nested() -> FastAPI:
    """Routers in routers, as an app of several packages has them."""
    app, users, posts = FastAPI(), APIRouter(prefix="/users"), APIRouter()

    @posts.get("/posts/{post_id}")
    async def post(user_id: int, post_id: int): ...

    @posts.post("/posts")
    async def add(user_id: int, title: str): ...

    @posts.get("/hidden", include_in_schema=False)
    async def hidden(user_id: int, q: str): ...

    @users.get("")
    async def listed(): ...

    posts.add_route("/plain/{kind:int}", answer)
    posts.add_api_websocket_route("/talk", talk)
    users.include_router(posts, prefix="/{user_id}")
    app.include_router(users, prefix="/api")
    app.include_router(users, prefix="/v2", dependencies=[Depends(needs_token)])
    return app


def test_included_routers_are_a_tree_of_which_no_leaf_is_missed():
    """A test that read `app.routes` alone passed for years after it had come to see 1 of 359 routes."""
    under = [
        "GET {}/users",
        "GET {}/users/{user_id}/posts/{post_id}",
        "POST {}/users/{user_id}/posts",
        "GET {}/users/{user_id}/hidden",
        "GET {}/users/{user_id}/plain/{kind}",
        "WEBSOCKET {}/users/{user_id}/talk",
    ]
    expected = [name.replace("{}", prefix) for prefix in ("/api", "/v2") for name in under]
    found = routes_of(nested())
    assert sorted(route.name for route in found.routes) == sorted(expected)
    assert found.operations == len(expected)
    assert found.problems == ()


def test_a_route_knows_its_endpoint_and_its_operation():
    route = only(nested(), "GET /api/users/{user_id}/posts/{post_id}")
    assert route.endpoint.__name__ == "post"
    assert [each["name"] for each in route.operation["parameters"]] == ["user_id", "post_id"]
    assert (route.method, route.path, route.kind) == ("GET", "/api/users/{user_id}/posts/{post_id}", "http")
    assert only(nested(), "WEBSOCKET /api/users/{user_id}/talk").kind == "websocket"


def test_a_route_that_is_in_no_document_is_described_with_what_its_routers_add():
    hidden = only(nested(), "GET /v2/users/{user_id}/hidden")
    assert {each["name"] for each in hidden.operation["parameters"]} == {"user_id", "q", "token"}


def test_the_pages_of_the_framework_are_no_routes_of_the_app_and_are_said():
    app = FastAPI()
    app.get("/a")(answer)
    found = routes_of(app)
    assert [route.name for route in found.routes] == ["GET /a"]
    assert found.left_out == (
        "The pages of the framework itself are left out: /openapi.json, /docs, /docs/oauth2-redirect, /redoc.",
    )


def test_sub_applications_have_documents_of_their_own():
    app, inner, innermost = FastAPI(), FastAPI(), FastAPI(openapi_url=None)

    class Item(BaseModel):
        price: int

    @inner.post("/items/{item_id}")
    async def put(item_id: int, item: Item): ...

    @innermost.get("/deep")
    async def deep(n: int): ...

    inner.mount("/more", innermost)
    app.mount("/sub/{tenant}", inner)
    found = routes_of(app)
    assert [route.name for route in found.routes] == [
        "POST /sub/{tenant}/items/{item_id}",
        "GET /sub/{tenant}/more/deep",
    ]
    assert "requestBody" in found.routes[0].operation
    assert "Item" in found.routes[0].document["components"]["schemas"]
    assert found.routes[1].operation["parameters"][0]["name"] == "n"


def test_an_operation_of_a_sub_application_counts_too():
    app, inner = FastAPI(), FastAPI()
    inner.get("/a")(answer)
    inner.openapi()["paths"]["/gateway"] = {"get": {}}
    app.mount("/sub", inner)
    assert names(app) == ["GET /sub/a", "GET /sub/gateway"]


def test_both_methods_of_a_route_are_routes_and_head_is_one_where_the_document_has_it():
    app = FastAPI()

    @app.api_route("/a", methods=["GET", "HEAD", "PUT"])
    async def a(): ...

    with warnings.catch_warnings(action="ignore"):
        assert sorted(names(app)) == ["GET /a", "HEAD /a", "PUT /a"]


def test_a_path_that_is_declared_twice_is_one_route_and_is_said():
    app = FastAPI()

    @app.get("/a")
    async def first(): ...

    @app.get("/a")
    async def second(): ...

    found = routes_of(app)
    assert [route.endpoint for route in found.routes] == [first]
    assert found.problems == ("GET /a is declared twice: the app answers with the first.",)


def test_decorated_endpoints_partials_and_objects_that_are_called_are_endpoints():
    app = FastAPI()

    class Callable:
        async def __call__(self, n: int): ...

    async def plain(n: int, k: int): ...

    decorated, partial, called = logged(plain), functools.partial(plain, k=3), Callable()
    for number, endpoint in enumerate((decorated, partial, called)):
        app.add_api_route(f"/{number}", endpoint)
    found = routes_of(app).routes
    assert [route.endpoint for route in found] == [decorated, partial, called]
    assert [route.operation["parameters"][0]["name"] for route in found] == ["n", "n", "n"]


def test_an_app_within_its_middleware_shows_its_routes():
    app = FastAPI()
    app.get("/a")(answer)
    assert names(GZipMiddleware(app)) == ["GET /a"]
    outer = Starlette(routes=[Mount("/in", app=GZipMiddleware(app))])
    assert names(outer) == ["GET /in/a"]


def test_an_operation_that_the_app_shows_no_route_for_is_a_route_all_the_same():
    """M is never smaller than the operations of the document."""
    app = FastAPI()
    app.get("/a")(answer)
    whole = app.openapi()
    whole["paths"]["/gateway/{n}"] = {
        "get": {"parameters": [{"$ref": "#/x"}]},
        "parameters": [{"name": "n", "in": "path"}],
    }
    found = routes_of(app)
    assert [route.name for route in found.routes] == ["GET /a", "GET /gateway/{n}"]
    assert found.operations == 2
    assert found.routes[1].endpoint is None
    assert found.routes[1].operation["parameters"][-1] == {"name": "n", "in": "path"}
    assert found.problems == ("GET /gateway/{n} is in the OpenAPI document, and the app shows no route for it.",)


def test_a_document_that_cannot_be_made_is_said_and_the_routes_are_there():
    app = FastAPI()

    @app.get("/a/{n}")
    async def a(n: int): ...

    def broken():
        raise RuntimeError("no")

    app.openapi = broken
    found = routes_of(app)
    assert [route.name for route in found.routes] == ["GET /a/{n}"]
    assert found.routes[0].operation["parameters"][0]["name"] == "n"
    assert found.problems == ("The app's own OpenAPI document cannot be made: RuntimeError: no.",)


def test_one_route_that_cannot_be_described_does_not_hide_the_others():
    app = FastAPI(openapi_url=None)

    class Odd:
        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            from pydantic_core import core_schema

            return core_schema.is_instance_schema(cls)

    @app.post("/odd", response_model=None)
    async def odd(odd: Odd): ...

    @app.get("/even")
    async def even(n: int): ...

    found = routes_of(app)
    assert [route.operation is None for route in found.routes] == [True, False]
    assert [each.partition(":")[0] for each in found.problems] == [
        "The app's own OpenAPI document cannot be made",
        "What POST /odd takes cannot be told",
    ]


# Starlette


class Both(HTTPEndpoint):
    async def get(self, request): ...

    async def post(self, request): ...


class Chat(WebSocketEndpoint): ...


class HexConvertor(Convertor[str]):
    regex = "[0-9a-f]{4}"

    def convert(self, value):
        return value

    def to_string(self, value):
        return value


def test_starlette_apps_have_routes_mounts_classes_and_websockets():
    app = Starlette(
        routes=[
            StarletteRoute("/", answer),
            StarletteRoute("/both", Both),
            StarletteRoute("/one", Both, methods=["POST"]),
            StarletteRoute("/put", answer, methods=["PUT", "DELETE"]),
            StarletteRoute("/head", answer, methods=["HEAD"]),
            StarletteRoute("/partial", functools.partial(answer)),
            StarletteRoute("/asgi", Starlette()),
            Mount(
                "/m", routes=[StarletteRoute("/a/{n:int}", answer), Mount("/k", Router([StarletteRoute("/", Both)]))]
            ),
            WebSocketRoute("/ws", talk),
            WebSocketRoute("/chat", Chat),
        ]
    )
    assert names(app) == [
        "GET /",
        "GET /both",
        "POST /both",
        "POST /one",
        "DELETE /put",
        "PUT /put",
        "HEAD /head",
        "GET /partial",
        "GET /asgi",
        "GET /m/a/{n}",
        "GET /m/k/",
        "POST /m/k/",
        "WEBSOCKET /ws",
        "WEBSOCKET /chat",
    ]


def test_convertors_say_what_a_variable_is():
    register_url_convertor("hex", HexConvertor())
    app = Starlette(
        routes=[Mount("/{a:int}", routes=[StarletteRoute("/{b:uuid}/{c:float}/{d:hex}/{e}/{f:path}", answer)])]
    )
    (route,) = routes_of(app).routes
    assert route.path == "/{a}/{b}/{c}/{d}/{e}/{f}"
    assert route.in_path == {
        "a": {"type": "integer", "minimum": 0},
        "b": {"type": "string", "format": "uuid"},
        "c": {"type": "number", "minimum": 0},
        "d": {"type": "string", "pattern": "^(?:[0-9a-f]{4})$"},
        "e": {"type": "string"},
        "f": {"type": "string", "format": "path"},
    }


def test_hosts_tell_routes_of_the_same_path_apart():
    api, site = Starlette(routes=[StarletteRoute("/", answer)]), Starlette(routes=[StarletteRoute("/", answer)])
    app = Starlette(routes=[Host("api.example.org", api), Host("{tenant}.example.org", site)])
    assert names(app) == ["GET api.example.org/", "GET {tenant}.example.org/"]
    assert [route.path for route in routes_of(app).routes] == ["/", "/"]


class Own(BaseRoute):
    path = "/own"


def test_what_is_no_route_is_said(tmp_path):
    async def wsgi_or_whatever(scope, receive, send): ...

    app = Starlette(
        routes=[
            Mount("/static", StaticFiles(directory=tmp_path)),
            Mount("/legacy", wsgi_or_whatever),
            Mount("/empty", Starlette()),
            StarletteRoute("/a", answer),
            Own(),
        ]
    )
    found = routes_of(app)
    assert [route.name for route in found.routes] == ["GET /a"]
    assert found.left_out == (
        "The files under /static are left out: no endpoint answers there.",
        "What is served at /own is left out: no endpoint answers there.",
    )
    (said,) = found.problems
    assert said == (
        "What is mounted at /legacy shows no routes, so that only those in an OpenAPI document are swept "
        "(--noblock-openapi)."
    )


def test_an_app_that_is_mounted_in_itself_ends():
    app = Starlette(routes=[StarletteRoute("/a", answer)])
    app.router.routes.append(Mount("/again", app))
    found = routes_of(app)
    assert "GET /a" in [route.name for route in found.routes]
    assert len(found.problems) == 1
    assert "is not looked into: it is 20 mounts deep" in found.problems[0]


DOCUMENT = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://{stage}.example.org/v1", "variables": {"stage": {"default": "test"}}}],
    "paths": {
        "/users": {"get": {"summary": "List"}},
        "/users/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {"parameters": [{"name": "q", "in": "query"}]},
            "delete": {"parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}}]},
        },
        "/health": {"$ref": "#/components/pathItems/Health"},
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "schema": {"type": "integer"}}},
        "pathItems": {"Health": {"head": {}}},
    },
}


def test_starlette_routes_are_described_by_the_document_that_the_user_names():
    """A document may leave out the path of its server, and call a variable otherwise."""
    app = Starlette(
        routes=[Mount("/v1", routes=[StarletteRoute("/users/{user_id}", answer), StarletteRoute("/x", answer)])]
    )
    found = routes_of(app, DOCUMENT)
    described = {route.name: route for route in found.routes}
    assert list(described) == [
        "GET /v1/users/{user_id}",
        "GET /v1/x",
        "GET /v1/users",
        "DELETE /v1/users/{id}",
        "HEAD /v1/health",
    ]
    assert [each["name"] for each in described["GET /v1/users/{user_id}"].operation["parameters"]] == ["q", "user_id"]
    assert described["GET /v1/x"].operation is None
    assert len(found.problems) == 3


def test_the_path_of_the_server_is_left_out_where_the_routes_leave_it_out():
    """A proxy takes it off before the app sees it."""
    app = Starlette(routes=[StarletteRoute("/users", answer)])
    found = routes_of(app, DOCUMENT)
    assert found.routes[0].operation == {"summary": "List"}
    assert [route.path for route in found.routes] == ["/users", "/users/{id}", "/users/{id}", "/health"]


def test_head_beside_get_is_a_route_where_the_document_has_it():
    app = Starlette(routes=[StarletteRoute("/a", answer)])
    document = {"openapi": "3.1.0", "paths": {"/a": {"get": {}, "head": {}}}}
    assert names(app) == ["GET /a"]
    assert names(app, document) == ["GET /a", "HEAD /a"]


# Any other ASGI app


async def any_app(scope, receive, send): ...


def test_the_operations_of_any_other_app_are_its_routes():
    found = routes_of(any_app, DOCUMENT)
    assert [route.name for route in found.routes] == [
        "GET /v1/users",
        "GET /v1/users/{id}",
        "DELETE /v1/users/{id}",
        "HEAD /v1/health",
    ]
    assert all(route.endpoint is None for route in found.routes)
    assert found.problems == ()
    parameters = found.routes[1].operation["parameters"]
    assert parameters == [{"name": "q", "in": "query"}, {"$ref": "#/components/parameters/Id"}]
    assert found.routes[2].operation["parameters"] == DOCUMENT["paths"]["/users/{id}"]["delete"]["parameters"]


def test_an_app_without_document_and_routes_has_none():
    assert routes_of(any_app).routes == ()


class Raising:
    """An app is any callable."""

    @property
    def routes(self):
        raise RuntimeError("no")

    def __getattr__(self, name):
        raise ValueError(name)

    async def __call__(self, scope, receive, send): ...


def test_an_app_whose_attributes_raise_has_no_routes():
    assert routes_of(Raising()).routes == ()


# Selection


ROUTES = tuple(
    Route(*name.split()) for name in ("GET /users", "POST /users", "GET /users/{user_id}", "GET /admin/users")
)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], [], [0, 1, 2, 3]),
        (["/users*"], [], [0, 1, 2]),
        (["/users"], [], [0, 1]),
        (["*users"], ["/admin/*"], [0, 1]),
        (["GET *"], [], [0, 2, 3]),
        (["/users/{user_id}"], [], [2]),
        ([], ["*"], []),
        (["/users", "/admin/*"], ["POST *"], [0, 3]),
        (["/Users"], [], []),
    ],
)
def test_globs_select_paths_or_names(include, exclude, expected):
    assert selected(ROUTES, include, exclude) == tuple(ROUTES[number] for number in expected)


def test_the_variables_of_a_template_are_named_in_order():
    assert variables("/a/{b}/{c}-{d}") == ("b", "c", "d")

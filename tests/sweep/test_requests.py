"""Which request a route is sent."""

import json
from copy import deepcopy

import pytest

from pytest_noblock.sweep.harvest import Harvest
from pytest_noblock.sweep.request import Request
from pytest_noblock.sweep.requests import Missing, Values, request_for
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.routes import routes_of

pytestmark = pytest.mark.one_python
INTEGER = {"type": "integer"}


def asked(path, *parameters, method="GET", body=None, document=None, **more):
    operation = {"parameters": list(parameters)}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return Route(method, path, operation={**operation, **more}, document=document or {})


def parameter(place, name, schema=None, **more):
    return {"in": place, "name": name, "required": True, "schema": schema or {"type": "string"}, **more}


def made(route, params=(), headers=(), harvested=None):
    request = request_for(route, Values.read(params, headers, {"TOKEN": "t0"}), harvested)
    assert isinstance(request, Request), request.words
    return request


# Paths: given, written, harvested, made


USERS = Harvest()
USERS.learn(Route("GET", "/users"), [{"id": 7}])


@pytest.mark.parametrize(
    ("schema", "more", "given", "expected"),
    [
        (INTEGER, {"example": 3}, ["id=9"], "9"),
        (INTEGER, {"examples": {"a": {"$ref": "#/e"}}}, [], "5"),
        (INTEGER, {"example": 3}, [], "3"),
        ({"type": "integer", "examples": [4]}, {}, [], "4"),
        ({"type": "integer", "example": 4}, {}, [], "4"),
        ({"type": "integer", "default": 4}, {}, [], "4"),
        ({"enum": [8, 9]}, {}, [], "8"),
        (INTEGER, {}, [], "7"),
        (INTEGER, {"example": "three"}, [], "7"),
        ({"type": "string"}, {}, [], "7"),
        ({"type": "integer", "minimum": 100}, {}, [], "100"),
        ({"type": "string", "format": "uuid"}, {}, [], "00000000-0000-4000-8000-000000000001"),
    ],
)
def test_values_are_given_or_written_or_harvested_or_made(schema, more, given, expected):
    route = asked("/users/{id}", parameter("path", "id", schema, **more), document={"e": {"value": 5}})
    assert made(route, given, harvested=USERS).url == f"/users/{expected}"


def test_a_text_is_what_its_name_says():
    """Where the schema says no more than that it is a text."""
    names = ("id", "user_id", "userId", "pk", "kid", "idea", "email", "date", "candidate")
    urls = [made(asked(f"/{{{name}}}", parameter("path", name))).url for name in names]
    assert urls == ["/1", "/1", "/1", "/1", "/text", "/text", "/user%40example.com", "/2024-01-02", "/text"]


def test_a_path_without_a_description_has_its_convertors():
    in_path = {"a": {"type": "integer", "minimum": 0}, "b": {"type": "string", "format": "uuid"}}
    route = Route("GET", "/{a}/{b}/{c}/{order_id}", in_path=in_path)
    assert made(route).url == "/1/00000000-0000-4000-8000-000000000001/text/1"


def test_convertor_and_description_both_hold_and_else_the_convertor():
    convertor = {"a": {"type": "integer", "minimum": 0}}
    bounded, other = parameter("path", "a", {"type": "integer", "maximum": 0}), parameter("path", "a", {"enum": ["x"]})
    for described, url in ((bounded, "/0"), (other, "/1")):
        route = Route("GET", "/{a}", operation={"parameters": [described]}, document={}, in_path=convertor)
        assert made(route).url == url


def test_what_stands_in_a_path_is_quoted_and_a_path_in_it_keeps_its_slashes():
    in_path = {"rest": {"type": "string", "format": "path"}}
    route = Route("GET", "/{name}/{rest}", in_path=in_path)
    assert made(route, ["name=a b/ü?", "rest=x/y z"]).url == "/a%20b%2F%C3%BC%3F/x/y%20z"


@pytest.mark.parametrize(
    ("style", "explode", "value", "url"),
    [
        ("simple", False, [1, 2], "/1,2"),
        ("simple", True, {"a": 1, "b": True}, "/a=1,b=true"),
        ("simple", False, {"a": 1}, "/a,1"),
        ("label", False, [1, 2], "/.1,2"),
        ("label", True, [1, 2], "/.1.2"),
        ("matrix", False, [1, 2], "/;v=1,2"),
        ("matrix", True, [1, 2], "/;v=1;v=2"),
        ("matrix", True, {"a": 1}, "/;a=1"),
        ("matrix", False, 3, "/;v=3"),
    ],
)
def test_styles_of_a_path(style, explode, value, url):
    route = asked("/{v}", parameter("path", "v", {"example": value}, style=style, explode=explode))
    assert made(route).url == url


def test_a_host_is_sent_as_a_header():
    route = Route("GET", "/a", host="{tenant}.example.org")
    assert made(route).headers == {"Host": "text.example.org"}
    assert made(route, ["tenant=t"]).headers == {"Host": "t.example.org"}


# Query, headers, cookies


@pytest.mark.parametrize(
    ("more", "value", "params"),
    [
        ({}, [1, 2], {"v": ["1", "2"]}),
        ({"explode": False}, [1, 2], {"v": "1,2"}),
        ({"style": "spaceDelimited", "explode": False}, [1, 2], {"v": "1 2"}),
        ({"style": "pipeDelimited"}, [1, 2], {"v": "1|2"}),
        ({"style": "deepObject"}, {"a": 1, "b": "x"}, {"v[a]": "1", "v[b]": "x"}),
        ({}, {"a": 1, "b": [True, None]}, {"a": "1", "b": ["true", ""]}),
        ({"explode": False}, {"a": 1}, {"v": "a,1"}),
        ({}, True, {"v": "true"}),
        ({}, 0.5, {"v": "0.5"}),
        ({}, [], {"v": []}),
    ],
)
def test_styles_of_a_query(more, value, params):
    assert made(asked("/", parameter("query", "v", {"example": value}, **more))).params == params


def test_only_what_must_be_is_sent_and_what_has_an_example_or_is_given():
    optional = [
        parameter("query", name, schema, required=False, **more)
        for name, schema, more in (
            ("a", INTEGER, {}),
            ("b", INTEGER, {"example": 2}),
            ("c", {"type": "integer", "examples": [3]}, {}),
            ("d", {"type": "integer", "default": 4}, {}),
            ("e", {"$ref": "#/e"}, {}),
            ("f", INTEGER, {"example": "no integer"}),
            ("g", INTEGER, {}),
        )
    ]
    route = asked("/", *optional, parameter("query", "z"), document={"e": {"type": "integer", "example": 5}})
    assert made(route, ["g=6"]).params == {"b": "2", "c": "3", "e": "5", "g": "6", "z": "text"}


def test_what_nobody_describes_gets_the_given_values_that_no_path_asks_for():
    values = Values.read(["key=post", "pk=1"]).for_routes(["/admin/{key}/detail"])
    bare, described = Route("GET", "/admin/{key}/detail"), asked("/admin/{key}/detail", parameter("path", "key"))
    assert request_for(bare, values) == Request("/admin/post/detail", params={"pk": "1"})
    assert request_for(described, values) == Request("/admin/post/detail")
    assert request_for(Route("GET", "/"), values) == Request("/", params={"pk": "1"})


def test_what_nobody_describes_gets_the_query_with_which_a_page_links_to_it():
    bare, described = Route("GET", "/{key}/detail"), asked("/{key}/detail", parameter("path", "key"))
    harvest = Harvest([bare])
    harvest.learn_page("http://testserver/", '<a href="/post/detail?pk=7&lang=en">')
    assert request_for(bare, Values(), harvest) == Request("/post/detail", params={"pk": "7", "lang": "en"})
    given = Values.read(["pk=1"]).for_routes([bare.path])
    assert request_for(bare, given, harvest) == Request("/post/detail", params={"pk": "1", "lang": "en"})
    assert request_for(bare, Values.read(["key=user"]), harvest) == Request("/user/detail")
    assert request_for(described, Values(), harvest) == Request("/post/detail")


def test_headers_and_cookies():
    route = asked(
        "/",
        parameter("header", "X-List", {"type": "array", "items": INTEGER, "minItems": 2}),
        parameter("header", "User-Agent"),
        parameter("header", "X-Token"),
        parameter("cookie", "session", {"type": "string", "format": "uuid"}),
        parameter("cookie", "n", INTEGER),
    )
    request = made(route, ["n=4"], ["x-token: Bearer $TOKEN", "X-More: m"])
    assert request.headers == {"X-List": "1,1", "x-token": "Bearer t0", "X-More": "m"}
    assert request.cookies == {"session": "00000000-0000-4000-8000-000000000001", "n": "4"}


def test_a_parameter_may_be_json():
    described = {"in": "query", "name": "q", "required": True, "content": {"application/json": {"schema": INTEGER}}}
    filters = {"type": "object", "required": ["n"], "properties": {"n": INTEGER}}
    other = {**described, "name": "r", "content": {"application/json": {"schema": filters}}}
    assert made(asked("/", described, other)).params == {"q": "1", "r": '{"n": 1}'}


def test_a_key_of_the_operations_security_may_be_given_by_its_name():
    document = {
        "components": {
            "securitySchemes": {
                "query": {"type": "apiKey", "in": "query", "name": "api_key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
                "bearer": {"type": "http", "scheme": "bearer"},
            }
        },
        "security": [{"query": []}, {"cookie": [], "bearer": [], "unknown": []}],
    }
    given = ["api_key=k", "sid=s", "other=o"]
    request = made(asked("/", document=document), given)
    assert (request.params, request.cookies) == ({"api_key": "k"}, {"sid": "s"})
    assert made(asked("/", document=document, security=[]), given).params == {}


# Bodies


THING = {"type": "object", "required": ["n", "s"], "properties": {"n": INTEGER, "s": {"type": "string"}}}
OCTETS = {"type": "string", "format": "binary"}


def posted(content, params=(), document=None):
    return made(asked("/", method="POST", body=content, document=document), params)


def test_json_comes_first_and_is_sent_as_such():
    content = {
        "text/plain": {},
        "multipart/form-data": {"schema": THING},
        "application/x-www-form-urlencoded": {"schema": THING},
        "application/json": {"schema": THING},
    }
    assert posted(content).json == {"n": 1, "s": "text"}
    del content["application/json"]
    assert posted(content).data == {"n": "1", "s": "text"}
    del content["application/x-www-form-urlencoded"]
    assert posted(content).files == {"n": (None, "1"), "s": (None, "text")}
    del content["multipart/form-data"]
    request = posted(content)
    assert (request.content, request.headers) == (b"text", {"Content-Type": "text/plain"})


def test_json_of_another_name_and_null():
    request = posted({"application/problem+json": {"schema": THING}})
    assert json.loads(request.content) == {"n": 1, "s": "text"}
    assert request.headers == {"Content-Type": "application/problem+json"}
    request = posted({"application/json": {"schema": {"type": "null"}}})
    assert (request.content, request.headers) == (b"null", {"Content-Type": "application/json"})
    assert posted({"application/json": {}}).json == {}


def test_examples_of_a_body_and_given_values_for_its_properties():
    media = {"schema": THING, "examples": {"bad": {"value": {"n": "x"}}, "good": {"value": {"n": 5, "s": "five"}}}}
    assert posted({"application/json": media}).json == {"n": 5, "s": "five"}
    assert posted({"application/json": media}, ["n=6", "unknown=7"]).json == {"n": 6, "s": "five"}
    assert posted({"application/json": {"schema": THING}}, ["n=x", "s=8"]).json == {"n": "x", "s": "8"}


def test_a_form_has_texts_and_lists_and_objects_as_json():
    schema = {
        "type": "object",
        "required": list("abcd"),
        "properties": {
            "a": {"type": "boolean"},
            "b": {"type": "array", "items": INTEGER, "minItems": 2},
            "c": {"type": "object", "required": ["x"], "properties": {"x": INTEGER}},
            "d": {"type": "null"},
        },
    }
    request = posted({"application/x-www-form-urlencoded": {"schema": schema}})
    assert request.data == {"a": "true", "b": ["1", "1"], "c": '{"x": 1}'}
    request = posted({"application/x-www-form-urlencoded": {"schema": {"type": "object"}}})
    assert (request.data, request.content) == (None, b"")


def test_files_are_of_the_type_that_is_asked_for():
    schema = {
        "type": "object",
        "required": ["any", "picture", "table", "many", "title", "more", "old", "pdf"],
        "properties": {
            "any": OCTETS,
            "picture": {"$ref": "#/octets"},
            "table": {"type": "string", "contentMediaType": "text/csv"},
            "many": {"type": "array", "items": {"$ref": "#/octets"}, "minItems": 2},
            "title": {"type": "string"},
            "more": {"type": "object", "required": ["n"], "properties": {"n": INTEGER}},
            "old": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png", "example": "AA=="},
            "pdf": OCTETS,
        },
    }
    encoding = {"picture": {"contentType": "image/png, image/jpeg"}, "pdf": {"contentType": "application/pdf"}}
    media = {"schema": schema, "encoding": encoding}
    files = posted({"multipart/form-data": media}, document={"octets": OCTETS}).files
    shown = [(name, file[0], file[2] if len(file) == 3 else file[1]) for name, file in files]
    assert shown == [
        ("any", "text.txt", "application/octet-stream"),
        ("picture", "image.png", "image/png"),
        ("table", "table.csv", "text/csv"),
        ("many", "text.txt", "application/octet-stream"),
        ("many", "text.txt", "application/octet-stream"),
        ("title", None, "text"),
        ("more", None, "application/json"),
        ("old", None, "AA=="),
        ("pdf", "text.txt", "application/pdf"),
    ]


def test_bytes_text_and_what_only_an_example_can_tell():
    request = posted({"application/octet-stream": {"schema": OCTETS}})
    assert (request.content, request.headers) == (b"text\n", {"Content-Type": "application/octet-stream"})
    assert posted({"*/*": {}}).headers == {"Content-Type": "application/octet-stream"}
    assert posted({"text/*": {"example": "hello"}}).content == b"hello"
    request = posted({"application/xml": {"schema": THING, "example": "<n>1</n>"}})
    assert (request.content, request.headers) == (b"<n>1</n>", {"Content-Type": "application/xml"})


def test_the_next_type_is_tried_where_one_has_no_value():
    impossible = {"schema": {"type": "string", "pattern": r"^\p{L}$"}}
    assert posted({"application/json": impossible, "text/plain": {}}).content == b"text"


def test_get_has_a_body_only_where_it_must():
    content = {"application/json": {"schema": INTEGER}}
    for required, expected in ((True, 1), (False, None)):
        operation = {"requestBody": {"$ref": "#/body"}}
        document = {"body": {"required": required, "content": content}}
        assert made(Route("GET", "/", operation=operation, document=document)).json == expected
        assert made(Route("POST", "/", operation=operation, document=document)).json == 1


# What is missing


LETTER = {"type": "string", "pattern": r"^\p{L}$"}


def test_what_lacks_a_value_says_which_and_why_and_has_all_the_rest():
    route = asked("/{a}/{b}", parameter("path", "a", LETTER), parameter("path", "b", INTEGER), parameter("query", "q"))
    lacking = request_for(route, Values())
    assert isinstance(lacking, Missing)
    assert lacking.reason == "no-value"
    assert lacking.words == r"no value for the variable a of its path: no text is known for its pattern '^\\p{L}$'"
    assert (lacking.request.url, lacking.request.params) == ("/{a}/1", {"q": "text"})
    assert made(route, ["a=x"]).url == "/x/1"


def test_a_hook_may_mend_it():
    lacking = request_for(asked("/{a}", parameter("path", "a", LETTER)), Values())
    route = Route("GET", "/{a}")
    assert not lacking.mended(route)
    lacking.request.params["q"] = "x"
    assert not lacking.mended(route)
    lacking.request.url = "/é"
    assert lacking.mended(route)
    bodiless = request_for(asked("/", method="POST", body={"application/xml": {}}), Values())
    assert (
        bodiless.words == "no value for its body: a body of the type application/xml cannot be made without an example"
    )
    assert not bodiless.mended(Route("POST", "/"))
    bodiless.request.content = b"<a/>"
    assert bodiless.mended(Route("POST", "/"))


def test_a_body_that_need_not_be_is_left_out_where_none_can_be_made():
    operation = {"requestBody": {"content": {"application/xml": {}}}}
    request = made(Route("POST", "/", operation=operation))
    assert (request.content, request.json) == (None, None)


def test_what_a_request_holds_is_never_shown():
    request = Request("/secret", {"q": "secret"}, {"Authorization": "secret"}, json={"password": "secret"})
    assert repr(request) == "<Request: params: q; headers: Authorization; json>"
    assert repr(Request("/secret")) == "<Request: nothing but its path>"


def test_a_document_that_is_odd_is_no_failure():
    """It is somebody's text: what cannot be read is as if it were not there."""
    odd = [None, 3, {"name": "n"}, {"in": "query"}, {"in": "body", "name": "n", "required": True}, {"$ref": "#/x"}]
    operation = {"parameters": odd, "requestBody": {"content": {"application/json": None}}, "security": [{"k": []}]}
    assert made(Route("POST", "/", operation=operation, document={"components": None})).json == {}


def places(thing, *path):
    yield path
    inside = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    for key, each in inside:
        yield from places(each, *path, key)


def with_junk(document, path, junk):
    """A copy of the document with something else at one of its places."""
    changed = deepcopy(document)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = junk
    return changed


WHOLE = {
    "openapi": "3.0.0",
    "servers": [{"url": "/{v}", "variables": {"v": {"default": "v1"}}}],
    "security": [{"key": []}],
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "key"}},
        "schemas": {"Thing": {**THING, "oneOf": [{"$ref": "#/components/schemas/Other"}, {"minProperties": 2}]}},
    },
    "paths": {
        "/a/{n}": {
            "parameters": [parameter("path", "n", {"type": "string", "pattern": "^a{2}$", "minLength": 2})],
            "post": {
                "parameters": [
                    parameter("query", "q", {"type": "array", "items": INTEGER, "minItems": 2}, style="form")
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "multipart/form-data": {
                            "schema": {"$ref": "#/components/schemas/Thing"},
                            "examples": {"a": {"value": {"n": "x"}}},
                            "encoding": {"n": {"contentType": "text/csv"}},
                        }
                    },
                },
            },
        }
    },
}


@pytest.mark.parametrize("junk", [None, 3, "x", [], {}, True, [None], {"x": None}], ids=str)
def test_no_document_with_something_wrong_in_it_is_a_failure(junk):
    for path in places(WHOLE):
        if len(path) > 1:
            document = with_junk(WHOLE, path, junk)
            found = routes_of(any_app, document)
            assert found.problems == ()
            assert len(found.routes) == 1 or (path[0] == "paths" and len(path) < 4)
            for route in found.routes:
                assert isinstance(request_for(route, Values.read(["key=k", "n=1"])), Request | Missing)


async def any_app(scope, receive, send): ...


def test_the_request_is_the_same_whenever_it_is_made():
    route = asked("/{a}", parameter("path", "a"), method="POST", body={"application/json": {"schema": THING}})
    assert made(route) == made(route)

"""What an answer tells beyond its status."""

import pytest

from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.model.observation import Answerer, Exchange
from pytest_noblock.sweep.hints import hint
from pytest_noblock.sweep.route import Route

pytestmark = pytest.mark.one_python

ROUTE = Route("GET", "/users")


def exchange(by: str | None = None) -> Exchange:
    answered = None if by is None else Answerer(by, None)
    return Exchange(1, "GET", "/users", 0, 1, 2, 3, 400, answered=answered)


def answer_to(request: httpx.Request, status: int, **body) -> httpx.Response:
    return httpx.Response(status, request=request, **body)


PLAIN = httpx.Request("GET", "http://testserver/users")


def told(reason, response=None, by=None, route=ROUTE):
    return hint(route, reason, exchange(by), response)


def test_a_redirect_says_where_it_leads_without_its_query():
    response = httpx.Response(303, headers={"location": "/login?next=/users&token=s3cret"})
    assert told("needs-auth", response) == "it sends to /login"
    assert told("needs-auth", httpx.Response(303, headers={"location": "http://[x"})) == "it sends to what is no URL"


@pytest.mark.parametrize(
    ("scheme", "option"),
    [
        ({"type": "apiKey", "in": "header", "name": "X-Key"}, '--noblock-header="X-Key: $KEY"'),
        ({"type": "apiKey", "in": "query", "name": "key"}, "--noblock-param='key=$KEY'"),
        ({"type": "http", "scheme": "Basic"}, '--noblock-header="Authorization: Basic $CREDENTIALS"'),
        ({"type": "oauth2", "flows": {}}, '--noblock-header="Authorization: Bearer $TOKEN"'),
    ],
)
def test_who_asks_is_said_with_the_option_for_the_scheme_of_the_document(scheme, option):
    document = {"components": {"securitySchemes": {"it": scheme}}, "security": [{"it": []}]}
    route = Route("GET", "/users", operation={}, document=document)
    assert told("needs-auth", route=route) == f"its document asks for {option}"
    assert told("not-found", route=route) == ""
    assert told("needs-auth", route=Route("GET", "/users", operation={"security": 7}, document=document)) == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"detail": "Bad token"}, "Bad token"),
        ({"detail": [{"loc": ["query", "q"], "type": "missing", "input": "s3cret"}]}, "query q: missing"),
        ({"detail": [{"loc": ["query", name], "type": "missing"} for name in "abc"]},
         "query a: missing, query b: missing, 1 more"),
        ({"detail": {"reason": "x"}}, ""),
        (["nothing"], ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_request_is_told_without_what_it_sent(answer, words):
    assert told("rejected", answer_to(PLAIN, 422, json=answer)) == words


@pytest.mark.parametrize(
    "request_",
    [
        httpx.Request("GET", "http://testserver/", headers={"X-Key": "s3cret-w0rd"}),
        httpx.Request("GET", "http://testserver/?key=s3cret-w0rd"),
        httpx.Request("POST", "http://testserver/", json={"password": "s3cret-w0rd"}),
        httpx.Request("POST", "http://testserver/files", files={"file": ("name", b"x")}, data={"key": "s3cret-w0rd"}),
    ],
    ids="header query json multipart".split(),
)
def test_what_the_app_quotes_of_the_request_is_masked(request_):
    words = told("rejected", answer_to(request_, 400, json={"detail": "no such key: s3cret-w0rd"}))
    assert words.startswith("no such key: ") or "files" in request_.url.path
    assert "s3cret" not in words


def test_an_answer_that_is_no_json_tells_nothing():
    assert told("rejected", answer_to(PLAIN, 400, text="Bad")) == ""
    assert told("rejected") == ""


def test_what_a_middleware_of_starlettes_lets_pass_is_said():
    assert told("rejected", by="TrustedHostMiddleware") == '--noblock-header="Host: NAME" with a name that it trusts'
    assert "https://testserver" in told("not-found", by="HTTPSRedirectMiddleware")

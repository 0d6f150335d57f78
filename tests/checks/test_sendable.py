"""What a test gives to a request: taken, or refused in one sentence before anything is sent."""

import io
import itertools

import pytest

from pytest_noblock.checks.plan import Plan
from pytest_noblock.checks.sendable import sendable
from pytest_noblock.engine.frameworks.http_client import httpx

PLAN = Plan()
CLIENT = httpx.AsyncClient(base_url="http://testserver/v1")


def made(method="GET", url="/", plan=PLAN, **given):
    return sendable(CLIENT, method, url, given, plan)


def test_what_httpx_takes_is_taken_as_it_is():
    files = {"file": io.BytesIO(b"text")}
    request = made("propfind", httpx.URL("/a"), json=[], headers={"a": "b"}, auth=("me", "secret"), timeout=3)
    assert (request.method, request.url) == ("PROPFIND", "/a")
    assert request.arguments == {"json": [], "headers": {"a": "b"}, "auth": ("me", "secret"), "timeout": 3}
    assert made(files=files).arguments["files"] is files
    assert files["file"].tell() == 0  # nothing was read


@pytest.mark.parametrize(
    "content",
    [[b"a", b"b"], (b"a", b"b"), iter([b"ab"]), (each for each in (b"a", b"b")), bytearray(b"ab"), memoryview(b"ab")],
    ids="list tuple iterator generator bytearray memoryview".split(),
)
def test_a_content_in_pieces_is_joined_for_the_request_may_be_sent_again(content):
    assert made("POST", content=content).arguments == {"content": b"ab"}


async def pieces():
    yield b"a"


@pytest.mark.parametrize("content", [b"ab", "ab", None, pieces()], ids="bytes text none async".split())
def test_any_other_content_is_left_alone(content):
    assert made("POST", content=content).arguments["content"] is content


@pytest.mark.parametrize(
    ("method", "plan", "again"),
    [
        ("POST", PLAN, False),
        ("GET", PLAN, True),
        ("GET", Plan(warmup=False, confirm=False), False),
        ("POST", Plan(confirm=True), True),
        ("POST", Plan(warmup=True), True),
        ("POST", Plan(concurrency=2), True),
    ],
)
def test_a_content_that_can_be_read_once_is_refused_where_the_request_is_sent_again(method, plan, again):
    if again:
        with pytest.raises(ValueError, match="the content is an async iterator, which can be read only once"):
            made(method, plan=plan, content=pieces())
    else:
        assert made(method, plan=plan, content=pieces()).arguments.keys() == {"content"}


def test_no_extensions_are_none_given():
    assert made(extensions=None, json=[]).arguments == {"json": []}
    assert made(extensions={"a": 1}).arguments == {"extensions": {"a": 1}}


class Fails:
    def __iter__(self):
        raise ZeroDivisionError("the user's")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"method": ""}, "method='' is not the name of a method: write \"GET\""),
        ({"method": "get x"}, "method='get x' is not the name of a method"),
        ({"method": b"GET"}, "method=b'GET' is not the name of a method"),
        ({"method": None}, "method=None is not the name of a method"),
        ({"url": None}, 'the URL is of type NoneType: write a path as text, "/report"'),
        ({"url": b"/"}, "the URL is of type bytes: write a path as text"),
        ({"url": 7}, "the URL is of type int: write a path as text"),
        (
            {"url": "/\x00"},
            "httpx cannot build a GET request of these arguments: Invalid non-printable ASCII character",
        ),
        ({"content": 5}, "httpx cannot build a GET request of these arguments: TypeError: Unexpected type"),
        ({"content": ["a"]}, "the content is neither bytes nor text nor an iterable of bytes: TypeError: "),
        ({"content": Fails()}, "an iterable of bytes: ZeroDivisionError: the user's"),
        ({"content": itertools.repeat(b"x" * 2**20)}, "OverflowError: it has more than 256 MiB, or no end"),
        ({"json": object()}, "TypeError: Object of type object is not JSON serializable"),
        ({"headers": 5}, "httpx cannot build a GET request of these arguments: TypeError: "),
        ({"headers": {"a": 5}}, "Header value must be str or bytes"),
        ({"params": 5}, "httpx cannot build a GET request of these arguments: "),
        ({"files": 5}, "httpx cannot build a GET request of these arguments: "),
        ({"extensions": 5}, "extensions=5 is not a mapping"),
        ({"auth": 5}, "auth is of type int: give (user, password) as texts, or an httpx.Auth"),
        ({"auth": ("me",)}, "auth is of type tuple: give (user, password) as texts"),
        ({"timeout": 0}, "timeout=0 is not a positive number of seconds, 86400 at most"),
        ({"timeout": float("nan")}, "timeout=nan is not a positive number of seconds"),
        ({"timeout": float("inf")}, "timeout=inf is not a positive number of seconds"),
        ({"timeout": 1e300}, "timeout=1e+300 is not a positive number of seconds"),
        ({"timeout": 10**400}, "timeout=1000000000"),
        ({"timeout": (1, 2)}, "timeout=(1, 2) is not a positive number of seconds"),
    ],
)
def test_all_else_is_refused_in_one_sentence(given, sentence):
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the sentence is looked at below
        made(**given)
    assert sentence in str(error.value)
    assert str(error.value).isprintable()


def test_a_clients_own_timeout_is_looked_at_as_well():
    client = httpx.AsyncClient(timeout=1e300)
    with pytest.raises(ValueError, match="is not a positive number of seconds"):
        sendable(client, "GET", "http://testserver/", {}, PLAN)


def test_no_password_is_told():
    for given in ({"url": "http://me:S3CRET@host:bad/"}, {"url": "http://me:S3/CRET@host/"}, {"auth": "Bearer S3CRET"}):
        with pytest.raises(ValueError) as error:  # noqa: PT011  # any sentence
            made(**given)
        assert "S3" not in str(error.value)

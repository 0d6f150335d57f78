"""Which values of a request no error may tell."""

from types import SimpleNamespace

import pytest

from pytest_noblock.engine.sent_values import argument_values, sent_values


def scope(*headers, query=b""):
    return {"headers": [*headers], "query_string": query}


@pytest.mark.parametrize(
    ("given", "body", "values"),
    [
        (scope((b"x-pass", b"hunter22")), b"", {"hunter22"}),
        (scope((b"x-flag", b"true"), (b"host", b"testserver"), (b"user-agent", b"testclient")), b"", set()),
        (scope((b"cookie", b'sid=cookie77; b="quo%20ted"; c=1')), b"", {"cookie77", "quo%20ted", "quo ted"}),
        (scope((b"authorization", b"Bearer abcdef")), b"", {"Bearer abcdef", "abcdef"}),
        (scope((b"authorization", b"Basic YWxpY2UxMjM6aHVudGVyMjI=")), b"", {"alice123", "hunter22"}),
        (scope(query=b"k=query99x&name=J%C3%BCrgen+M"), b"", {"query99x", "J%C3%BCrgen+M", "J\xfcrgen M"}),
        (scope(), b'{"a": ["bodyval1", 7, {"b": "deeper66"}], "c": "short"}', {"bodyval1", "deeper66"}),
        (scope(), b"user=alice123&password=hunter22", {"alice123", "hunter22"}),
        (scope(), b"\xff\xfe\x00", set()),
        ({}, b"plain text", {"plain text"}),
        (None, b"", set()),
    ],
)
def test_the_values_of_headers_cookies_query_and_body(given, body, values):
    found = sent_values(given, body)
    assert values <= found
    assert values or not found


def test_a_value_is_masked_as_its_repr_shows_it():
    assert "two\\nlines" in sent_values(scope(), b'"two\\nlines"')


def test_the_arguments_of_a_task():
    task = SimpleNamespace(args=("alice123", 5, ["nested99"]), kwargs={"key": b"bytes123"})
    assert argument_values(task) == {"alice123", "nested99", "bytes123"}
    assert argument_values(object()) == set()

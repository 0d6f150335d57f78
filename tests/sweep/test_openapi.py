"""OpenAPI documents: read from files and answers, and what is wrong with one is said."""

import json
import sys

import pytest

from pytest_noblock.sweep.openapi import (
    Unreadable,
    base_path,
    document_of,
    load,
    operations_of,
    parse,
    resolved,
    target,
)

pytestmark = pytest.mark.one_python
DOCUMENT = {"openapi": "3.1.0", "paths": {"/a": {"get": {}}}}


def test_a_file_is_json_or_yaml(tmp_path):
    (tmp_path / "api.json").write_text(json.dumps(DOCUMENT))
    assert load(tmp_path / "api.json") == DOCUMENT
    pytest.importorskip("yaml")
    (tmp_path / "api.yaml").write_text("openapi: 3.1.0\npaths:\n  /a: {get: {x: 2024-01-02}}\n")
    assert load(str(tmp_path / "api.yaml"))["paths"] == {"/a": {"get": {"x": "2024-01-02"}}}
    assert load('{"openapi": "3.0.0"}') == {"openapi": "3.0.0"}


WRONG = [
    (b"[]", r"The answer is no OpenAPI document: it is \[\], and should be an object"),
    (b"{}", "The answer is no OpenAPI document: its field 'openapi' should be 3.0 or 3.1"),
    (b'{"openapi": 3}', "The answer is no OpenAPI document: its field 'openapi' should be 3.0 or 3.1"),
    (b'{"openapi": "3.0.0", "paths": []}', "The answer is no OpenAPI document: its field 'paths' should be an object"),
    (b'{"swagger": "2.0"}', "The answer is of Swagger 2.0: OpenAPI 3.0 or 3.1 is what can be read"),
]


@pytest.mark.parametrize(("data", "words"), WRONG)
def test_what_is_no_document_is_said(data, words):
    with pytest.raises(Unreadable, match=f"^{words}$"):
        parse(data, "The answer")


def test_what_is_neither_json_nor_yaml_is_said():
    pytest.importorskip("yaml")
    with pytest.raises(Unreadable, match=r"^The answer is neither JSON nor YAML: "):
        parse(b"<html>: [", "The answer")


def test_without_a_reader_of_yaml_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(
        Unreadable, match=r"^The answer is no JSON, .* PyYAML must be installed \(pip install pyyaml\)$"
    ):
        parse(b"openapi: 3.1.0", "The answer")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(Unreadable, match=r"^The OpenAPI document .*gone\.json cannot be read: FileNotFoundError"):
        load(str(tmp_path / "gone.json"))


class Own:
    def __init__(self, document):
        self.openapi = document


def test_an_app_may_have_a_document_of_its_own():
    assert document_of(Own(lambda: DOCUMENT)) == DOCUMENT
    assert document_of(Own("no method")) is None
    assert document_of(lambda scope, receive, send: None) is None


def test_a_document_that_the_app_cannot_make_is_said():
    with pytest.raises(Unreadable, match=r"^The app's own OpenAPI document cannot be made: ZeroDivisionError: "):
        document_of(Own(lambda: 1 / 0))
    with pytest.raises(Unreadable, match=r"^The app's own OpenAPI document is no OpenAPI document: it is None"):
        document_of(Own(lambda: None))


def test_operations_are_listed_with_what_their_path_has_in_common():
    document = {
        "openapi": "3.0.0",
        "paths": {
            "/a": {"summary": "a", "parameters": [{"$ref": "#/p"}], "get": {}, "post": {"parameters": [{"name": "n"}]}},
            "/b": {"$ref": "#/items/b"},
            "/c": None,
            "/d": {"get": None, "x-own": {}},
        },
        "p": {"name": "n"},
        "items": {"b": {"trace": {}}},
    }
    assert list(operations_of(document)) == [
        ("GET", "/a", {"parameters": [{"$ref": "#/p"}]}),
        ("POST", "/a", {"parameters": [{"name": "n"}]}),
        ("TRACE", "/b", {}),
    ]
    assert list(operations_of({"openapi": "3.1.0", "paths": None})) == []


@pytest.mark.parametrize(
    ("servers", "path"),
    [
        ([{"url": "/api/"}], "/api"),
        ([{"url": "https://example.org"}], ""),
        ([{"url": "https://example.org/{version}/x", "variables": {"version": {"default": "v2"}}}], "/v2/x"),
        ([{"url": 3}], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_a_server_stands_at_a_path(servers, path):
    assert base_path({"openapi": "3.0.0", "servers": servers}) == path


def test_references_are_followed_also_in_circles_and_into_nothing():
    document = {"a": {"$ref": "#/b~1c/0"}, "b/c": [{"d e": 1}], "circle": {"$ref": "#/circle"}}
    assert resolved({"$ref": "#/a"}, document) == {"d e": 1}
    assert target("#/b~1c/0/d%20e", document) == 1
    assert resolved({"$ref": "#/circle"}, document) == {}
    assert target("#/b~1c/7", document) is None
    assert target("other.json#/a", document) is None
    assert target("#", document) == document
    assert resolved(None, document) == {}

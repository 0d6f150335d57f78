"""The name by which people know what is loaded."""

import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import socket
import sys
import threading
import time
import types
from unittest import mock

import httpx
import pytest

from pytest_noblock.calls import public_names
from pytest_noblock.calls.public_names import found_at, is_a, is_installed, member_path, method_path, path_of


@pytest.mark.parametrize(
    ("thing", "path"),
    [
        (time.sleep, "time.sleep"),
        (os.stat, "os.stat"),
        (json.loads, "json.loads"),
        (json.decoder.JSONDecoder, "json.JSONDecoder"),
        (httpx.get, "httpx.get"),
        (httpx.Client, "httpx.Client"),
        (httpx.Client.get, "httpx.Client.get"),
        (hashlib.sha256, "hashlib.sha256"),
        (type(threading.Lock()), "threading.Lock"),
        (type(pathlib.Path()), "pathlib.Path"),
        (concurrent.futures.Future.result, "concurrent.futures.Future.result"),
        (len, "len"),
        (lambda: None, None),
        (3, None),
        (None, None),
    ],
)
def test_the_path_of_a_function_or_a_class(thing, path):
    assert path_of(thing) == path


@pytest.mark.parametrize(
    ("module", "name", "path"),
    [
        (os, "stat", "os.stat"),
        (os.path, "exists", "os.path.exists"),
        (socket, "getaddrinfo", "socket.getaddrinfo"),
        (httpx, "get", "httpx.get"),
        (collections, "nobody", "collections.nobody"),
        (types.SimpleNamespace(), "x", None),
    ],
)
def test_the_path_of_a_modules_member(module, name, path):
    assert member_path(module, name) == path


class Client(httpx.Client):
    """A user's subclass."""

    def own(self): ...


@pytest.mark.parametrize(
    ("cls", "method", "path"),
    [
        (httpx.Client, "get", "httpx.Client.get"),
        (Client, "get", "httpx.Client.get"),  # known by the class that blocks
        (Client, "own", None),
        (type(pathlib.Path()), "read_text", "pathlib.Path.read_text"),
        (threading.Thread, "join", "threading.Thread.join"),
        (collections.OrderedDict, "popitem", "collections.OrderedDict.popitem"),
    ],
)
def test_the_path_of_a_method(cls, method, path):
    assert method_path(cls, method, "app") == path


def test_what_a_path_leads_to_now(monkeypatch):
    assert found_at("httpx.Client.get") is httpx.Client.get
    assert found_at("time.sleep") is time.sleep
    assert found_at("nobody.nothing") is None
    assert found_at("httpx.nothing.at.all") is None
    assert found_at("httpx") is None
    monkeypatch.setattr(time, "sleep", stand_in := mock.Mock())
    assert found_at("time.sleep") is stand_in


def test_what_is_a_librarys():
    assert is_installed("httpx", "app")
    assert is_installed("json.decoder", "app")
    assert not is_installed("httpx", "httpx")  # the frame is the library's own
    assert not is_installed(__name__, "app")
    assert not is_installed(None, "app")


def test_a_type_is_not_what_an_object_says_of_itself():
    class Liar:
        @property
        def __class__(self):
            pytest.fail("a property ran")

    assert is_a(Liar(), Liar)
    assert not is_a(Liar(), str)


def test_so_many_paths_are_kept(monkeypatch):
    monkeypatch.setattr(public_names, "_PATHS", {})
    monkeypatch.setattr(public_names, "_MOST_PATHS", 2)
    for thing in (json.loads, json.dumps, json.load, json.loads):
        assert path_of(thing) == f"json.{thing.__name__}"
        assert 1 <= len(public_names._PATHS) <= 2


def test_a_path_is_looked_for_once(monkeypatch):
    monkeypatch.setattr(public_names, "_PATHS", {})
    assert path_of(json.loads) == "json.loads"
    monkeypatch.setattr(public_names, "_shortest_path", lambda *_: pytest.fail("again"))
    assert path_of(json.loads) == "json.loads"


def test_a_lazy_module_stays_lazy(monkeypatch):
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            pytest.fail("it was loaded")

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    assert found_at("lazy.nothing") is None

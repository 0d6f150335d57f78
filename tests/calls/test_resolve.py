"""The name of what a call site calls."""

import ast
import asyncio
import functools
import json
import sys
import threading
import time
import types

import httpx
import pytest

from pytest_noblock.calls.callsites import CallSite
from pytest_noblock.calls.frame_names import FrameScope
from pytest_noblock.calls.resolve import callee


class Shop:
    """A user's, which makes attributes up as a library does."""

    def __init__(self):
        self.client = httpx.Client()
        self.fetch = httpx.get

    def load(self): ...


@pytest.fixture
def scope():
    with httpx.Client() as client:
        shop = Shop()
        names = {"httpx": httpx, "time": time, "json": json, "asyncio": asyncio, "functools": functools}
        names |= {"client": client, "shop": shop, "lock": threading.Lock(), "get": client.get, "nap": time.sleep}
        names |= {"partial": functools.partial(time.sleep, 1), "helper": Shop.load, "__name__": "app.main"}
        yield FrameScope(names)
        shop.client.close()


def name_of(text, scope, implied=None):
    node = ast.parse(text, mode="eval").body
    return callee(CallSite(node, node if implied else node.func, implied, nested=False), scope)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("httpx.get()", "httpx.get"),
        ("client.get()", "httpx.Client.get"),
        ("get()", "httpx.Client.get"),
        ("nap()", "time.sleep"),
        ("partial()", "time.sleep"),
        ("shop.client.get()", "httpx.Client.get"),
        ("shop.fetch()", "httpx.get"),
        ("httpx.Client().get()", "httpx.Client.get"),
        ("len()", "len"),
        ("shop.load()", "shop.load"),  # a user's: as it is written
        ("helper()", "helper"),
        ("unknown.a[0].b()", "unknown.a[...].b"),
        ("unknown().b()", "unknown().b"),
        ("(await unknown).b()", "unknown.b"),
        ("(1 if x else 2)()", None),
    ],
)
def test_the_name_of_a_call(scope, text, name):
    assert name_of(text, scope) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("asyncio.to_thread(time.sleep, 1)", "time.sleep"),
        ("loop.run_in_executor(None, time.sleep, 1)", "time.sleep"),
        ("loop.run_in_executor(None, functools.partial(time.sleep, 1))", "time.sleep"),
        ("asyncio.to_thread(shop.load)", "shop.load"),
        ("asyncio.to_thread()", "asyncio.to_thread"),
    ],
)
def test_what_is_given_to_a_thread_is_what_is_called(scope, text, name):
    assert name_of(text, scope) == name


@pytest.mark.parametrize(
    ("text", "implied", "name"),
    [
        ("lock", "__enter__", "threading.Lock.acquire"),
        ("shop", "__enter__", None),
        ("unknown", "__enter__", None),
    ],
)
def test_what_with_calls(scope, text, implied, name):
    assert name_of(text, scope, implied) == name


def test_a_chain_too_long_to_follow_has_no_name(scope):
    node = ast.Name("unknown", ast.Load())
    for _ in range(5_000):
        node = ast.Call(ast.Attribute(node, "a", ast.Load()), [], [])
    assert callee(CallSite(node, node.func, None, nested=False), scope) is None


def test_each_target_is_named_once(scope):
    node = ast.parse("client.get()", mode="eval").body
    site = CallSite(node, node.func, None, nested=False)
    callee(site, scope)
    scope.names[node.func] = "as it was"
    assert callee(site, scope) == "as it was"


class Method:
    """A library's object to call, as gRPC's."""

    def __call__(self): ...


def test_an_object_to_call_that_an_instance_holds_is_named_by_its_class(monkeypatch):
    monkeypatch.setattr(Method, "__module__", "grpc")
    monkeypatch.setitem(sys.modules, "grpc", types.SimpleNamespace(Method=Method))
    stub = Shop()
    stub.look_up = Method()
    scope = FrameScope({"stub": stub, "__name__": "app.main"})
    assert name_of("stub.look_up()", scope) == "grpc.Method.__call__"
    assert name_of("stub.load()", scope) == "stub.load"
    stub.client.close()

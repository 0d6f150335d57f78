"""What an expression stands for, without evaluating it."""

import ast
import functools
import pathlib
import threading
import types
from typing import Self

import pytest

from pytest_noblock.calls.frame_names import NO_OBJECT, FrameScope, Inferred
from pytest_noblock.calls.inference import has, infer, stored


class Client:
    """With what may be read, and with traps that may not."""

    shared = "class"

    def __init__(self):
        self.inner = pathlib.PurePath("x")

    def get(self) -> "Reply": ...

    def itself(self) -> Self: ...

    async def later(self) -> "Reply": ...

    @staticmethod
    def static(): ...

    @property
    def session(self) -> threading.Thread:
        pytest.fail("a property ran")

    @functools.cached_property
    def cached(self) -> threading.Thread:
        pytest.fail("a property ran")

    def __getattr__(self, name):
        pytest.fail("an attribute was looked up")


class Reply:
    __slots__ = ("body", "unset")

    def __init__(self):
        self.body = b""


class Below(Client):
    """A subclass."""


def make() -> Client: ...


def unannotated(): ...


@pytest.fixture
def scope():
    names = {"client": Client(), "reply": Reply(), "Client": Client, "below": Below(), "make": make, "pathlib": pathlib}
    return FrameScope(names | {"unannotated": unannotated, "path": pathlib.Path(), "__name__": "app.main"})


def of(text, scope):
    return infer(ast.parse(text, mode="eval").body, scope)


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("client", Client),
        ("len", types.BuiltinFunctionType),
        ("client.inner", pathlib.PurePath("x").__class__),
        ("client.shared", str),
        ("client.get", types.FunctionType),
        ("client.static", types.FunctionType),
        ("client.session", threading.Thread),
        ("client.cached", threading.Thread),
        ("client.get()", Reply),
        ("client.get().body", None),  # a slot, and no object to read it of
        ("client.itself()", Client),
        ("below.itself()", Below),
        ("Client()", Client),
        ("make()", Client),
        ("make().get()", Reply),
        ("reply.body", bytes),
        ("reply.unset", None),
        ("pathlib.Path()", pathlib.Path),
        ("path / 'x'", type(pathlib.Path())),
        ("path / 'x' / 'y'", type(pathlib.Path())),
        ("1 / 2", None),
        ("'text'", str),
        ("f'{client}'", str),
        ("[]", list),
        ("{}", dict),
        ("nobody", None),
        ("client.nobody", None),
        ("client.later()", None),  # a coroutine
        ("unannotated()", None),
        ("client[0]", None),
        ("(lambda: 1)()", None),
    ],
)
def test_the_type_of_an_expression(scope, text, cls):
    inferred = of(text, scope)
    assert (inferred.cls if inferred else None) is cls


def test_the_object_itself_where_it_is_there(scope):
    assert of("reply.body", scope).thing == b""
    assert of("make()", scope) == Inferred(Client, NO_OBJECT)


def test_a_namespace_that_raises_is_empty(scope):
    class Raises(dict):
        def __missing__(self, key):
            raise ZeroDivisionError

    assert of("client", FrameScope(Raises())) is None
    assert of("len", FrameScope(Raises())).thing is len


def test_each_link_is_inferred_once(scope):
    chain = ast.parse("client.get().body", mode="eval").body
    infer(chain, scope)
    assert {ast.unparse(each) for each in scope.inferred} >= {"client", "client.get", "client.get()"}
    scope.inferred[chain] = Inferred(int)
    assert infer(chain, scope) == Inferred(int)


def test_what_an_object_has():
    thread = Inferred(threading.Thread, threading.current_thread())
    assert has(thread, "join")
    assert has(thread, "_target") or has(thread, "_started")
    assert not has(thread, "nobody")


def test_what_an_object_stores_itself():
    assert stored(Client())["inner"] == pathlib.PurePath("x")
    assert "get" not in stored(Client())
    assert stored(pathlib)["Path"] is pathlib.Path
    assert stored(Reply()) == {}
    assert stored(Client) == {}

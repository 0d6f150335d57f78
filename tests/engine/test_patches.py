"""A patch goes on and off; what others put there meanwhile is theirs."""

import asyncio
import copy
import datetime as dt
import enum
import functools
import gc
import inspect
import math
import pickle
import socket
import sys
import types
import typing
from unittest import mock

import pytest

from pytest_noblock.engine.patches import Patch, Patches, unwrapped


def bare():
    return "bare"


def other():
    return "other"


class Clock(dt.datetime):
    """Has methods that are written in C, and can be patched."""


@pytest.fixture
def owner():
    return types.SimpleNamespace(call=bare)


def patched(owner, make):
    return Patches(lambda: [Patch(owner, "call", make)])


def told(original):
    return lambda: f"told of {original()}"


def test_on_and_off(owner):
    patch = patched(owner, told)
    for _ in range(3):
        patch.install()
        assert owner.call() == "told of bare"
        patch.uninstall()
        assert owner.call is bare


def test_the_wrapper_is_made_once(owner):
    made = []
    patch = patched(owner, lambda original: made.append(original) or told(original))
    for _ in range(3):
        patch.install()
        patch.uninstall()
    assert made == [bare]


def test_what_was_inherited_is_inherited_again():
    class Base:
        def call(self):
            return "base"

    class Child(Base):
        pass

    patch = patched(Child, lambda original: lambda self: f"told of {original(self)}")
    patch.install()
    assert Child().call() == "told of base"
    assert Base().call() == "base"
    patch.uninstall()
    assert "call" not in vars(Child)


def test_what_a_test_put_there_stays(owner):
    patch = patched(owner, told)
    patch.install()
    owner.call = other
    patch.uninstall()
    assert owner.call is other


def test_a_monkeypatch_that_ends_after_us_gives_the_bare_function_back_in_the_end(owner):
    patch = patched(owner, told)
    patch.install()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(owner, "call", other)
        patch.uninstall()
        assert owner.call is other
        patch.install()
        assert owner.call() == "told of other"
        patch.uninstall()
        assert owner.call is other
        patch.install()
    patch.uninstall()
    assert owner.call is bare


def test_a_wrapper_that_came_back_while_we_were_off_is_not_wrapped_again(owner):
    patch = patched(owner, told)
    patch.install()
    stale = owner.call
    patch.uninstall()
    owner.call = stale
    patch.install()
    assert owner.call() == "told of bare"
    patch.uninstall()
    assert owner.call is bare


def test_anothers_wrapper_around_ours_is_not_taken_for_ours(owner):
    patch = patched(owner, told)
    patch.install()
    inner = owner.call

    @functools.wraps(inner)
    def around():
        return f"around {inner()}"

    owner.call = around
    patch.uninstall()
    assert owner.call is around


def test_two_on_one_attribute_go_in_reverse_order(owner):
    outer, inner = patched(owner, told), patched(owner, told)
    inner.install()
    outer.install()
    assert owner.call() == "told of told of bare"
    outer.uninstall()
    assert owner.call() == "told of bare"
    inner.uninstall()
    assert owner.call is bare


def test_a_module_that_comes_later_is_found(owner, monkeypatch):
    asked = []

    def find():
        asked.append(True)
        yield Patch(owner, "call", told)

    patches = Patches(find, ["noblock_comes_later"])
    patches.install()
    patches.install()
    assert len(asked) == 1
    monkeypatch.setitem(sys.modules, "noblock_comes_later", owner)
    patches.install()
    assert len(asked) == 2
    assert owner.call() == "told of bare"
    patches.uninstall()
    assert owner.call is bare


def test_one_that_joins_goes_off_with_the_others_and_is_worn_once(owner):
    class Met:
        other = other

    patches = patched(owner, told)
    patches.install()
    for _ in range(2):
        patches.join(Patch(Met, "other", told))
        assert Met.other() == "told of other"
    patches.uninstall()
    assert (owner.call, Met.other) == (bare, other)


def test_one_that_a_test_replaced_or_deleted_keeps_none_of_the_others_on(owner):
    owner.other = other
    patches = Patches(lambda: [Patch(owner, name, told) for name in ("call", "other")])
    for change in (lambda: setattr(owner, "call", other), lambda: delattr(owner, "call")):
        patches.install()
        change()
        patches.uninstall()
        assert owner.other is other
        owner.call = bare
    patches.install()
    assert owner.call() == "told of bare"
    patches.uninstall()


def test_what_others_put_there_meanwhile_is_wrapped_at_the_next_time_and_theirs_in_the_end(owner):
    owner.kept = bare
    patches = Patches(lambda: [Patch(owner, name, told) for name in ("call", "kept")])
    patches.install()
    kept, given_back = owner.kept, owner.call
    owner.call = other
    patches.install()
    assert owner.call() == "told of other"
    assert owner.kept is kept
    owner.call = given_back
    patches.install()
    assert owner.call() == "told of bare"
    patches.uninstall()
    assert (owner.call, owner.kept) == (bare, bare)


def test_to_catch_up_is_to_patch_what_was_imported_since(owner, monkeypatch):
    patches = Patches(lambda: [Patch(owner, "call", told)], ["noblock_comes_later"])
    patches.install()
    owner.call = other  # nobody can have, where that is called: it is not looked at
    patches.catch_up()
    assert owner.call is other
    monkeypatch.setitem(sys.modules, "noblock_comes_later", owner)
    patches.catch_up()
    assert owner.call() == "told of other"
    patches.uninstall()
    assert owner.call is other


def test_what_a_wrapper_of_ours_stands_before(owner):
    patch = patched(owner, told)
    assert unwrapped(owner.call) is bare
    patch.install()
    assert unwrapped(owner.call) is bare

    @functools.wraps(owner.call)
    def around():
        """Somebody else's, with the mark of ours upon it."""

    assert unwrapped(around) is around
    patch.uninstall()


def test_to_uninstall_what_is_not_installed_changes_nothing(owner):
    patch = patched(owner, told)
    patch.uninstall()
    assert owner.call is bare


class Refuses:
    """A class written in C refuses to be patched in the same way."""

    def __init__(self):
        vars(self)["call"] = bare

    def __setattr__(self, name, value):
        raise TypeError("cannot set attribute of immutable type")


class RaisesWhenAsked:
    def __getattr__(self, name):
        raise RuntimeError("not yet")


@pytest.mark.parametrize(
    "odd", [Refuses(), RaisesWhenAsked(), types.SimpleNamespace()], ids="refuses raises lacks".split()
)
def test_what_cannot_be_patched_leaves_nothing_half_in(owner, odd):
    patches = Patches(lambda: [Patch(owner, "call", told), Patch(odd, "call", told), Patch(last, "call", told)])
    last = types.SimpleNamespace(call=other)
    for _ in range(3):
        patches.install()
        assert (owner.call(), last.call()) == ("told of bare", "told of other")
        patches.uninstall()
        assert (owner.call, last.call) == (bare, other)


def test_what_a_test_took_away_for_a_while_is_patched_again(owner):
    patch = patched(owner, told)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delattr(owner, "call")
        patch.install()
        patch.uninstall()
    patch.install()
    assert owner.call() == "told of bare"
    patch.uninstall()
    assert owner.call is bare


def test_the_wrapper_of_a_builtin_binds_no_instance():
    """`class Backoff: sleep = time.sleep` outlives the test in which it was made."""
    owner = types.SimpleNamespace(call=math.sqrt)
    patch = patched(owner, lambda original: lambda number: original(number) + 1)
    patch.install()

    class Kept:
        call = owner.call

    assert unwrapped(Kept.call) is unwrapped(Kept().call) is math.sqrt
    assert Kept().call(4) == Kept.call(4) == 3
    patch.uninstall()
    assert Kept().call(4) == 3


def test_the_wrapper_of_a_builtin_is_told_apart_by_nobody():
    bare = repr(math.sqrt), inspect.signature(math.sqrt), math.sqrt.__doc__, math.sqrt.__module__
    patch = Patches(lambda: [Patch(math, "sqrt", lambda original: lambda number: original(number) + 1)])
    patch.install()
    try:
        sqrt = math.sqrt
        assert sqrt(4) == 3
        assert (repr(sqrt), inspect.signature(sqrt), sqrt.__doc__, sqrt.__module__) == bare
        assert pickle.loads(pickle.dumps(sqrt)) is copy.deepcopy(sqrt) is sqrt
        assert inspect.isroutine(sqrt)
        with mock.patch("math.sqrt", autospec=True) as stand_in:
            math.sqrt(9)
        stand_in.assert_called_once_with(9)
        packed = pickle.dumps(sqrt)
    finally:
        patch.uninstall()
    assert pickle.loads(packed) is math.sqrt


def test_the_wrapper_of_a_builtin_is_the_same_key_as_the_builtin():
    """A table of functions is made at import, and read in a watched test; or the other way round."""
    bare = math.sqrt
    patch = Patches(lambda: [Patch(math, "sqrt", lambda original: lambda number: original(number) + 1)])
    patch.install()
    try:
        assert math.sqrt is not bare
        assert {bare: "before"}[math.sqrt] == "before"
        assert {math.sqrt: "after"}[bare] == "after"
        assert math.sqrt == bare
        assert bare == math.sqrt
        assert math.sqrt != math.sin
        assert math.sqrt != "sqrt"
    finally:
        patch.uninstall()


def test_a_builtin_that_a_test_puts_back_is_wrapped_again():
    """Its wrapper is equal to it."""
    bare = math.sqrt
    patch = Patches(lambda: [Patch(math, "sqrt", lambda original: lambda number: original(number) + 1)])
    patch.install()
    try:
        math.sqrt = bare
        patch.install()
        assert math.sqrt(4) == 3
    finally:
        patch.uninstall()
    assert math.sqrt is bare


def test_the_wrapper_of_a_builtin_has_its_attributes_and_no_others():
    patch = Patch(gc, "collect", lambda original: lambda *args: len(args) and original(*args))
    assert patch.bind(Patches(list))
    assert patch.wrapper.__text_signature__ == gc.collect.__text_signature__
    assert typing.get_type_hints(patch.wrapper) == typing.get_type_hints(gc.collect) == {}
    with pytest.raises(AttributeError, match="'builtin_function_or_method' object has no attribute '__code__'"):
        patch.wrapper.__code__  # noqa: B018
    half_made = type(patch.wrapper).__new__(type(patch.wrapper))
    assert not hasattr(half_made, "noblock")


def test_the_wrapper_of_a_builtin_is_a_member_of_an_enum():
    """As the function is: an Enum leaves out what has a `__get__`."""
    patch = Patch(math, "sqrt", lambda original: lambda number: original(number) + 1)
    assert patch.bind(Patches(list))

    class Call(enum.Enum):
        SQRT = patch.wrapper
        LEN = len

    assert [each.name for each in Call] == ["SQRT", "LEN"]
    assert Call.SQRT.value(4) == 3
    assert inspect.isbuiltin(Call.SQRT.value)
    assert Call.SQRT.value.__self__ is math


@pytest.mark.parametrize(
    ("owner", "name"),
    [(socket, "gethostbyname"), (socket.socket, "recv"), (Clock, "fromtimestamp"), (gc, "collect")],
)
def test_a_wrapper_pickles_where_what_it_wraps_does(owner, name):
    """`socket.gethostbyname` calls itself `_socket.gethostbyname`, and `socket.socket.recv` names no module."""
    calls = []

    def counting(original):
        return lambda *args: calls.append(args) or original(*args)

    patch = Patches(lambda: [Patch(owner, name, counting)])
    patch.install()
    try:
        wrapper = getattr(owner, name)
        assert unwrapped(wrapper) is not wrapper
        assert pickle.loads(pickle.dumps(wrapper)) is copy.copy(wrapper) is wrapper
    finally:
        patch.uninstall()


def test_the_wrapper_of_a_coroutine_function_counts_as_one():
    """`mock.patch.object` asks, and puts an AsyncMock in its place."""

    class Client:
        async def send(self):
            return "sent"

    def counting(original):
        return lambda client: sent.append(client) or original(client)

    sent = []
    patch = Patches(lambda: [Patch(Client, "send", counting)])
    patch.install()
    try:
        assert inspect.iscoroutinefunction(Client().send)
        assert inspect.iscoroutinefunction(Client.send)
        with mock.patch.object(Client, "send", return_value="mocked"):
            assert asyncio.run(Client().send()) == "mocked"
        for _ in range(100):  # until the interpreter has specialized the call
            assert asyncio.run(Client().send()) == "sent"
        assert len(sent) == 100
    finally:
        patch.uninstall()

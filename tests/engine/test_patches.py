"""A patch goes on and off; what others put there meanwhile is theirs."""

import functools
import types

import pytest

from pytest_noblock.engine.patches import Patch, Patches


def bare():
    return "bare"


def other():
    return "other"


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
        patch.put_on()
        assert owner.call() == "told of bare"
        patch.take_off()
        assert owner.call is bare


def test_the_wrapper_is_made_once(owner):
    made = []
    patch = patched(owner, lambda original: made.append(original) or told(original))
    for _ in range(3):
        patch.put_on()
        patch.take_off()
    assert made == [bare]


def test_what_was_inherited_is_inherited_again():
    class Base:
        def call(self):
            return "base"

    class Child(Base):
        pass

    patch = patched(Child, lambda original: lambda self: f"told of {original(self)}")
    patch.put_on()
    assert Child().call() == "told of base"
    assert Base().call() == "base"
    patch.take_off()
    assert "call" not in vars(Child)


def test_what_a_test_put_there_stays(owner):
    patch = patched(owner, told)
    patch.put_on()
    owner.call = other
    patch.take_off()
    assert owner.call is other


def test_a_monkeypatch_that_ends_after_us_gives_the_bare_function_back_in_the_end(owner):
    patch = patched(owner, told)
    patch.put_on()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(owner, "call", other)
        patch.take_off()
        assert owner.call is other
        patch.put_on()
        assert owner.call() == "told of other"
        patch.take_off()
        assert owner.call is other
        patch.put_on()
    patch.take_off()
    assert owner.call is bare


def test_a_wrapper_that_came_back_while_we_were_off_is_not_wrapped_again(owner):
    patch = patched(owner, told)
    patch.put_on()
    stale = owner.call
    patch.take_off()
    owner.call = stale
    patch.put_on()
    assert owner.call() == "told of bare"
    patch.take_off()
    assert owner.call is bare


def test_anothers_wrapper_around_ours_is_not_taken_for_ours(owner):
    patch = patched(owner, told)
    patch.put_on()
    inner = owner.call

    @functools.wraps(inner)
    def around():
        return f"around {inner()}"

    owner.call = around
    patch.take_off()
    assert owner.call is around


def test_two_on_one_attribute_go_in_reverse_order(owner):
    outer, inner = patched(owner, told), patched(owner, told)
    inner.put_on()
    outer.put_on()
    assert owner.call() == "told of told of bare"
    outer.take_off()
    assert owner.call() == "told of bare"
    inner.take_off()
    assert owner.call is bare


def test_a_module_that_comes_later_is_found(owner, monkeypatch):
    asked = []

    def find():
        asked.append(True)
        yield Patch(owner, "call", told)

    patches = Patches(find, ["noblock_comes_later"])
    patches.put_on()
    patches.put_on()
    assert len(asked) == 1
    monkeypatch.setitem(__import__("sys").modules, "noblock_comes_later", owner)
    patches.put_on()
    assert len(asked) == 2
    assert owner.call() == "told of bare"
    patches.take_off()
    assert owner.call is bare


def test_one_that_joins_goes_off_with_the_others_and_is_worn_once(owner):
    class Met:
        other = other

    patches = patched(owner, told)
    patches.put_on()
    for _ in range(2):
        patches.join(Patch(Met, "other", told))
        assert Met.other() == "told of other"
    patches.take_off()
    assert (owner.call, Met.other) == (bare, other)


def test_one_that_a_test_replaced_or_deleted_keeps_none_of_the_others_on(owner):
    owner.other = other
    patches = Patches(lambda: [Patch(owner, name, told) for name in ("call", "other")])
    for change in (lambda: setattr(owner, "call", other), lambda: delattr(owner, "call")):
        patches.put_on()
        change()
        patches.take_off()
        assert owner.other is other
        owner.call = bare
    patches.put_on()
    assert owner.call() == "told of bare"
    patches.take_off()


def test_what_others_put_there_meanwhile_is_wrapped_at_the_next_time_and_theirs_in_the_end(owner):
    owner.kept = bare
    patches = Patches(lambda: [Patch(owner, name, told) for name in ("call", "kept")])
    patches.put_on()
    kept, given_back = owner.kept, owner.call
    owner.call = other
    patches.put_on()
    assert owner.call() == "told of other"
    assert owner.kept is kept
    owner.call = given_back
    patches.put_on()
    assert owner.call() == "told of bare"
    patches.take_off()
    assert (owner.call, owner.kept) == (bare, bare)

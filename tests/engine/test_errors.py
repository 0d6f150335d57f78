"""Errors in words: short, whatever their `repr` does, and without the objects."""

import gc
import sys
import weakref

import pytest

from pytest_noblock.engine.errors import shown, told, words
from pytest_noblock.engine.usercode import UserCode


class Rude:
    def __repr__(self):
        raise ValueError("no")


class NoText:
    def __repr__(self):
        return 7


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (ValueError("no"), "ValueError('no')"),
        (Rude(), "<Rude, whose repr raises>"),
        (NoText(), "<NoText, whose repr raises>"),
        ("x" * 1_000_000, "'" + "x" * 499 + "... (1000002 letters)"),
    ],
    ids="plain rude no-text long".split(),
)
def test_a_repr_of_the_users_is_short_and_raises_nothing(thing, text):
    assert shown(thing) == text


def test_the_line_is_the_innermost_of_the_users():
    def fails():
        int("x")

    with pytest.raises(ValueError, match="invalid literal") as caught:
        fails()
    raised = told(caught.value)
    user = UserCode(str(__file__).rpartition("/")[0])
    assert words(raised, user) == f"{caught.value!r} at test_errors.py:{fails.__code__.co_firstlineno + 1} in fails"
    assert words(raised, UserCode("/nowhere")) == repr(caught.value)


def test_what_is_told_keeps_neither_the_error_nor_its_frames():
    class Thing:
        pass

    def fails(thing):
        raise ValueError("no")

    thing = Thing()
    reference = weakref.ref(thing)
    try:
        fails(thing)
    except ValueError:
        raised = told(sys.exception())
    del thing
    gc.collect()
    assert reference() is None
    assert raised.places[-1][2] == "fails"


def test_no_secret_is_told_neither_of_the_text_nor_of_the_environment(monkeypatch):
    monkeypatch.setenv("SHOP_API_KEY", "a-key-of-the-shop")
    monkeypatch.setenv("SHOP_TOKEN", "yes")  # too short: it stands in many words
    monkeypatch.setenv("SHOP_NAME", "the shop")
    error = ValueError("yes, the shop: postgres://u:pw@db/shop with a-key-of-the-shop")
    assert shown(error) == "ValueError('yes, the shop: postgres://***@db/shop with ***')"


def test_a_secret_that_the_test_set_in_the_environment_is_hidden_after_the_test_has_taken_it_out(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setenv("SHOP_API_KEY", "a-key-of-the-shop")
        raised = told(ValueError("refused: a-key-of-the-shop"))
    assert raised.text == "ValueError('refused: ***')"


def test_where_nothing_can_be_opened_any_more_only_the_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest_noblock.model.masks", None)  # its import raises
    assert shown(ValueError("postgres://u:pw@db/shop")) == "ValueError (its text is not told)"

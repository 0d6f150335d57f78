"""What is the user's stands in a sentence of ours: on one line, short, and harmless for a terminal."""

import pytest

from pytest_noblock.model import shown


class Mute:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


class Silent(Exception):
    __str__ = Mute.__repr__


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("GET /report", "GET /report"),
        ("  by      app.py:4 in ü", "  by      app.py:4 in ü"),
        ("a\tb", "a\tb"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("one\ntwo\r", "one\\ntwo\\r"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2028", "a\\u202eb\\u2028"),
        ("\udcff", "\\udcff"),
        ("", ""),
    ],
)
def test_a_terminal_shows_one_line_and_obeys_nothing(line, text):
    assert shown.printable(line) == text


def test_an_error_is_its_type_and_its_text_on_one_line():
    assert shown.error(ValueError("one\n  two")) == "ValueError: one two"
    assert shown.error(ValueError()) == "ValueError"
    assert shown.error(Silent()) == "Silent: <Silent>"


def test_a_value_is_its_repr_if_it_has_one():
    assert shown.value("x\n") == r"'x\n'"
    assert shown.value(Mute()) == "<Mute>"


def test_what_is_long_loses_its_end():
    assert shown.value("x" * 1_000_000) == "'" + "x" * 76 + "..."
    assert len(shown.error(ValueError("x" * 1_000_000))) < 1_000

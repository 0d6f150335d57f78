"""`--noblock-param` and `--noblock-header`: read, filled from the environment, and never shown."""

import pytest

from pytest_noblock.sweep.given import Values, WrongValue

pytestmark = pytest.mark.one_python
ENVIRONMENT = {"TOKEN": "s3cr3t", "USER": "me", "EMPTY": "", "LONGER": "s3cr3t-and-more", "LINES": "a\nb"}


def read(params=(), headers=()):
    return Values.read(params, headers, ENVIRONMENT)


def test_names_have_values_and_the_last_of_a_name_holds():
    values = read(["user_id=1", " q = a=b ", "user_id=2", "empty="], ["X-Key: 7", "X-Empty:"])
    assert values.params == {"user_id": "2", "q": " a=b ", "empty": ""}
    assert values.headers == {"X-Key": "7", "X-Empty": ""}


def test_values_come_from_the_environment():
    values = read(["a=$USER", "b=${USER}x", "c=$5 and $", "d=$EMPTY"], ["Authorization: Bearer $TOKEN"])
    assert values.params == {"a": "me", "b": "mex", "c": "$5 and $", "d": ""}
    assert values.headers == {"Authorization": "Bearer s3cr3t"}


def test_secrets_are_never_shown():
    values = read(["a=$LONGER"], ["Authorization: Bearer $TOKEN", "X-Plain: word"])
    assert repr(values) == "<Values: a, Authorization, X-Plain>"
    assert values.hidden("GET /s3cr3t-and-more?t=s3cr3t") == "GET /$LONGER?t=$TOKEN"
    assert read(["d=$EMPTY"]).hidden("text") == "text"


def test_the_environment_of_the_process_is_read_where_no_other_is_given(monkeypatch):
    monkeypatch.setenv("NOBLOCK_TEST_TOKEN", "t")
    assert Values.read(["a=$NOBLOCK_TEST_TOKEN"]).params == {"a": "t"}


def test_a_value_that_no_path_has_as_a_variable_is_for_queries():
    values = read(["key=post", "pk=1", "tenant=acme"])
    assert values.in_queries == frozenset()
    assert values.for_routes(["/admin/{key}/detail", "{tenant}.example.org/"]).in_queries == {"pk"}
    assert values.for_routes([]).in_queries == {"key", "pk", "tenant"}


WRONG = [
    (["user_id"], [], "--noblock-param=user_id is not of the form NAME=VALUE, as in user_id=1"),
    (["=1"], [], "--noblock-param==1 is not of the form NAME=VALUE, as in user_id=1"),
    (["a=$GONE"], [], "--noblock-param=a=...: the environment has no variable GONE"),
    (
        [],
        ["Authorization"],
        '--noblock-header="Authorization" is not of the form NAME: VALUE, as in "Authorization: Bearer $TOKEN"',
    ),
    ([], ["a b: c"], '--noblock-header="a b" is not of the form NAME: VALUE, as in "Authorization: Bearer $TOKEN"'),
    ([], ["X-A: Bearer $GONE"], '--noblock-header="X-A: ...": the environment has no variable GONE'),
    (
        [],
        ["X-A: $LINES"],
        '--noblock-header="X-A: ...": its value holds a line break, or another character that no header can hold',
    ),
]


@pytest.mark.parametrize(("params", "headers", "words"), WRONG)
def test_what_is_wrong_is_said_in_one_sentence_without_the_value(params, headers, words):
    with pytest.raises(WrongValue) as raised:
        read(params, headers)
    assert str(raised.value) == words

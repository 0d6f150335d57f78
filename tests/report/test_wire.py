"""Whole checks travel as text and come back as they were, the response excepted."""

import json
from dataclasses import fields, is_dataclass, replace
from typing import get_args, get_origin, get_type_hints

import httpx
import pytest

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.segment import SocketExchange
from pytest_noblock.report.wire import decode, encode
from tests.report.golden_checks import CHECKS, NETWORK, PASSED

READ = replace(
    NETWORK,
    route="GET /report",
    rule=Rule("round-trip", "sent and received"),
    readings=Readings(wall=1, cpu=None, exchanged=(SocketExchange(None, 3, 4), SocketExchange("127.0.0.1:1", 5, 6))),
)


def types_of(value):
    """The types of all that a value is made of, by its place."""
    if is_dataclass(value):
        return {field.name: types_of(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: types_of(each) for name, each in value._asdict().items()}
    return [type(value), [types_of(each) for each in value]] if isinstance(value, tuple) else type(value)


@pytest.mark.parametrize("name", [*CHECKS, "passed"])
def test_every_golden_comes_back_as_it_was(name):
    check = {**CHECKS, "passed": PASSED}[name]
    assert decode(encode(check)) == check
    assert types_of(decode(encode(check))) == types_of(check)


def test_the_evidence_comes_back_as_well():
    check = replace(PASSED, findings=(READ,), loop="trio", reason='"ü"\n', exchanges=(PASSED.exchange,) * 2)
    assert decode(encode(check)) == check
    assert types_of(decode(encode(check))) == types_of(check)


def test_equal_values_of_other_types_would_be_seen():
    """The twin: `(1,) == Readings(1)` and `"handler" == Phase.HANDLER`, so that equality alone proves little."""
    plain = replace(READ, phase="handler", stack=tuple(map(tuple, READ.stack)))
    assert plain == READ
    assert types_of(plain) != types_of(READ)


def test_the_response_stays():
    check = replace(PASSED, response=httpx.Response(200))
    assert decode(encode(check)) == PASSED
    assert "response" not in json.loads(encode(check))


def test_the_text_is_one_line_of_json():
    assert "\n" not in encode(CHECKS["several"])
    assert json.loads(encode(CHECKS["several"]))["findings"][0]["stack"][0]["file"] == "requests/api.py"


@pytest.mark.parametrize("text", ["{}", '{"id": "t"}', '{"nobody": 1}'])
def test_what_was_not_written_here_is_refused(text):
    with pytest.raises((KeyError, TypeError)):
        decode(text)


def hints(kind):
    return get_type_hints(kind, localns={"httpx": httpx})


def members(hint):
    """A hint and all that it is made of."""
    yield hint
    for each in get_args(hint) if get_origin(hint) is not None or get_args(hint) else ():
        yield from members(each)


@pytest.mark.parametrize("kind", [Check, Finding, Exchange, Frame, Readings])
def test_every_field_is_of_a_type_that_travels(kind):
    """A dict, a set or a union of two classes would come back as something else: then `wire` needs a reader for it."""
    plain = {str, int, float, bool, type(None), Phase, ..., object}
    for name, hint in hints(kind).items():
        if name != "response":
            for each in members(hint):
                known = each in plain or get_args(each) or isinstance(each, str) or hasattr(each, "__annotations__")
                assert known, (name, each)
                assert get_origin(each) not in (dict, list, set, frozenset), (name, each)

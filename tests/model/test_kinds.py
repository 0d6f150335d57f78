"""A kind is named once, and everywhere the same."""

import json
from importlib.resources import files
from typing import get_args

import pytest

from pytest_noblock.model.kinds import KINDS, Kind, is_background


def test_each_kind_has_a_row_and_each_row_is_a_kind():
    assert list(KINDS) == list(get_args(Kind))


def test_the_schema_of_the_report_knows_the_same_kinds():
    schema = json.loads(files("pytest_noblock.report").joinpath("schema.json").read_text())
    text = json.dumps(schema)
    (enum,) = [each for each in _enums(schema) if "sync-network" in each]
    assert sorted(enum) == sorted(KINDS), text


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_fills_in_what_its_headline_asks_for(kind):
    line = KINDS[kind].headline.format(time="60 ms", pool="the thread pool", call="write_log")
    assert "{" not in line
    assert ("write_log" in line) == is_background(kind)
    assert KINDS[kind].help.endswith(".")


def _enums(node):
    if isinstance(node, dict):
        yield from ([node["enum"]] if "enum" in node else [])
        for each in node.values():
            yield from _enums(each)
    elif isinstance(node, list):
        for each in node:
            yield from _enums(each)

"""A kind is named once, and everywhere the same."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from pytest_noblock.model.kinds import KINDS, Kind, is_background

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_each_kind_has_a_row_and_each_row_is_a_kind():
    assert list(KINDS) == list(get_args(Kind))


def test_the_schema_of_the_report_takes_each_kind_and_the_readme_explains_it():
    schema = json.loads(files("pytest_noblock.report").joinpath("schema.json").read_text(encoding="utf-8"))
    pattern = schema["$defs"]["finding"]["properties"]["kind"]["pattern"]
    assert [kind for kind in KINDS if not re.search(pattern, kind)] == []
    explained = re.findall(r"`(-?[a-z-]+)`", README[README.index("| kind |") : README.index("Shorter stretches")])
    assert [kind for kind in KINDS if kind not in explained and kind.removeprefix("background") not in explained] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_fills_in_what_its_headline_asks_for(kind):
    line = KINDS[kind].headline.format(time="60 ms", pool="the thread pool", call="write_log")
    assert "{" not in line
    assert ("write_log" in line) == is_background(kind) == kind.startswith("background-")
    assert KINDS[kind].help.endswith(".")

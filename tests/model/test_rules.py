"""A rule is told by its id, and explained; each id is given once."""

import re
from pathlib import Path

import pytest_noblock.judge

RULE = re.compile(r'Rule\(\s*"([a-z-]+)",\s*f?"([^"]+)')


def test_each_rule_has_an_id_of_its_own_and_words():
    [folder] = pytest_noblock.judge.__path__
    rules = [found for file in Path(folder).glob("*.py") for found in RULE.findall(file.read_text(encoding="utf-8"))]
    ids = [id for id, _ in rules]
    assert len(ids) == len(set(ids)) >= 12
    assert [id for id, words in rules if not words or words.endswith(".")] == []

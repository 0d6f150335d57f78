"""Each rule has its words."""

from typing import get_args

from pytest_noblock.model.rules import POOL_FULL_NS, RULES, Rule


def test_each_rule_has_its_words():
    assert set(RULES) == set(get_args(Rule))
    assert all(text and not text.endswith(".") for text in RULES.values())


def test_the_words_give_the_threshold():
    assert f"{POOL_FULL_NS // 1_000_000} ms and more" in RULES["pool-full"]

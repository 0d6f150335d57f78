"""While many requests are under way full collections seldom fall due; what the app itself sets stays."""

import gc

import pytest

from pytest_noblock.engine.many.seldom import full_collections_seldom


@pytest.fixture(autouse=True)
def thresholds():
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)


def test_full_collections_are_put_off_and_fall_due_as_before_afterwards(thresholds):
    with full_collections_seldom():
        young, middle, seldom = gc.get_threshold()
        assert (young, middle) == thresholds[:2]
        assert seldom > thresholds[2]
    assert gc.get_threshold() == thresholds


def test_what_the_app_sets_meanwhile_stays():
    with full_collections_seldom():
        gc.set_threshold(5000, 20, 1000)
    assert gc.get_threshold() == (5000, 20, 1000)


def test_an_app_that_wants_them_more_seldom_still_has_its_way():
    gc.set_threshold(700, 10, 100_000)
    with full_collections_seldom():
        assert gc.get_threshold() == (700, 10, 100_000)

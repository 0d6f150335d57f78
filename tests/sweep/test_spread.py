"""Requests that need nothing of each other go in an order in which neighbours are far apart."""

from itertools import pairwise

import pytest

from pytest_noblock.sweep.spread import spread

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("count", [0, 1, 2, 10, 508])
def test_all_are_sent_once_in_the_same_order_each_time(count):
    order = spread(range(count))
    assert sorted(order) == list(range(count))
    assert order == spread(range(count))


@pytest.mark.parametrize("first", [0, 250, 500])
def test_eight_in_a_row_have_dozens_of_others_between_them(first):
    order = spread(range(508))
    places = sorted(order.index(each) for each in range(first, first + 8))
    assert min(after - before for before, after in pairwise(places)) > 25

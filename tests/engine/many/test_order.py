"""In which order many requests are sent: an account of who is under way, without a clock."""

from pytest_noblock.engine.many.flights import Flight
from pytest_noblock.engine.many.order import Order
from pytest_noblock.engine.observe import Request


def flight(name, **more):
    return Flight(Request("GET", name), **more)


def taken(order, count):
    return [order.take().request.url for _ in range(count)]


def test_what_has_not_been_sent_yet_goes_before_what_is_sent_again():
    order = Order([flight("a"), flight("a again", second=True), flight("b")])
    order.add(flight("c again", second=True, holds=True))
    assert taken(order, 4) == ["a", "b", "c again", "a again"]
    assert not order


def test_of_those_that_hold_the_loop_one_is_under_way_while_others_are_left():
    order = Order([])
    for name in "ab":
        order.add(flight(f"holds {name}", second=True, holds=True))
    for name in "ab":
        order.add(flight(name, second=True))
    first = order.take()
    assert first.request.url == "holds a"
    assert taken(order, 1) == ["a"]
    first.over = True
    assert taken(order, 2) == ["holds b", "b"]


def test_at_the_end_nobody_waits_for_one_that_holds_the_loop():
    order = Order([flight(name, second=True, holds=True) for name in "ab"])
    assert taken(order, 2) == ["a", "b"]
    assert not order

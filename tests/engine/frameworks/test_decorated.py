"""Whether the function inside a decorated endpoint begins, and whether an exception came from it."""

import functools
import sys
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.exchange import CURRENT, LiveExchange, owned
from pytest_noblock.engine.frameworks import decorated
from pytest_noblock.engine.frameworks.decorated import innermost, raised_in, watch

monitored = pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no sys.monitoring")


def kept(function):
    @functools.wraps(function)
    def wrapper(*, call):
        return function() if call else None

    return wrapper


def inside():
    return 1


def raises():
    raise KeyError


def lines():
    yield 1


@pytest.fixture
def record():
    record = LiveExchange("GET", "/")
    record.task = SimpleNamespace()  # a request of the fixture
    return record


def free_tools():
    return [tool for tool in (3, 4) if sys.monitoring.get_tool(tool) is None]


@monitored
@pytest.mark.parametrize("call", [True, False])
def test_the_function_inside_began_or_it_did_not(record, call):
    before = free_tools()
    endpoint = kept(kept(inside) if not call else inside)
    waiting = watch(record, endpoint)
    with owned(record):
        endpoint(call=call)
    assert waiting.end(record) is call
    assert (free_tools(), decorated._watched) == (before, {})


@monitored
def test_two_requests_at_once_are_told_apart_and_the_last_one_frees_the_tool(record):
    before = free_tools()
    endpoint, other = kept(inside), LiveExchange("GET", "/other")
    other.task = record.task
    first, second = watch(record, endpoint), watch(other, endpoint)
    with owned(other):
        endpoint(call=True)
    assert (first.end(record), second.end(other)) == (False, True)
    assert free_tools() == before
    assert CURRENT.get() is None


@pytest.mark.parametrize("endpoint", [inside, print, functools.partial(inside), kept(lines), kept(print), 3, None])
def test_what_nobody_can_tell_is_not_waited_for(record, endpoint):
    waiting = watch(record, endpoint)
    if waiting is not None:  # a partial is a decorator as well
        assert isinstance(endpoint, functools.partial)
        waiting.end(record)


def test_a_watched_test_waits_for_nothing(record):
    record.task = None
    assert watch(record, kept(inside)) is None


def test_the_innermost_function_is_found_through_partials_and_wrappers():
    assert innermost(functools.partial(kept(kept(inside)), call=True)) is inside
    assert innermost(3) == 3


def error_of(function):
    try:
        function()
    except Exception as error:
        return error


def translated():
    try:
        raises()
    except KeyError:
        raise ValueError from None


def refused():
    raise ValueError


@pytest.mark.parametrize(("function", "inside_it"), [(raises, True), (translated, True), (refused, False)])
def test_an_exception_comes_from_inside_also_where_a_decorator_made_another_of_it(function, inside_it):
    assert raised_in(raises.__code__, error_of(function)) is inside_it


def test_of_a_function_without_code_every_exception_may_come():
    assert raised_in(None, error_of(refused))

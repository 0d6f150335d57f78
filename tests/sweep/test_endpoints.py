"""What the code of an endpoint says."""

import functools

import pytest

from pytest_noblock.sweep.endpoints import awaits_nothing, place_of
from pytest_noblock.sweep.outcome import RouteResult, teachers
from pytest_noblock.sweep.route import Route, variables


async def nothing():
    return 1


async def awaits():
    await nothing()


async def loops(source):
    async for _ in source:
        pass


async def enters(lock):
    async with lock:
        pass


async def streams():
    async def parts():
        yield await nothing()

    return parts()


async def hands_on():
    async def later():
        await nothing()

    return later


def plain():
    return 1


@functools.wraps(nothing)
async def decorated(*args):
    return await nothing(*args)


@pytest.mark.parametrize("endpoint", [nothing, functools.partial(nothing), decorated])
def test_an_async_def_without_an_await_awaits_nothing(endpoint):
    assert awaits_nothing(endpoint)


@pytest.mark.parametrize("endpoint", [awaits, loops, enters, streams, hands_on, plain, len, None, type("C", (), {})()])
def test_all_others_do_not(endpoint):
    assert not awaits_nothing(endpoint)


def test_the_place_is_the_first_line_of_the_function():
    file, line = place_of(nothing) or ("", 0)
    assert (file, line + 1) == (__file__, nothing.__code__.co_firstlineno)
    assert place_of(len) is None
    assert place_of(None) is None


def test_lists_above_a_route_teach_its_ids():
    routes = {path: Route("GET", path) for path in ("/users", "/users/{id}", "/users/{id}/orders/", "/things")}
    order = Route("GET", "/users/{id}/orders/{order}")
    assert teachers([order], routes.values()) == [routes["/users"], routes["/users/{id}/orders/"]]
    assert teachers([routes["/things"]], routes.values()) == []
    assert teachers([order], [Route("POST", "/users")]) == []


def test_a_result_says_why_and_how_to_mend_it():
    result = RouteResult(Route("GET", "/users/{id}"))
    assert (result.sentence(), result.measured) == ("", False)
    result.leave_out("not-found", "answered 404")
    assert result.sentence().startswith(
        "not-found: answered 404: the app found no such object (404), or another route; "
    )
    assert "--noblock-param=id=..." in result.sentence()
    assert variables(result.route.path) == ("id",)

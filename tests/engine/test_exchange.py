"""A request while it happens, what remains of it, and whose a task is."""

import asyncio
import types

import pytest

from pytest_noblock.engine.exchange import CURRENT, LiveExchange, owned, record_of


async def endpoint():
    """An endpoint."""


def test_what_remains_of_an_exchange():
    scope = {"route": types.SimpleNamespace(path="/users/{id}"), "endpoint": endpoint}
    exchange = LiveExchange("GET", "/users/7", scope)
    exchange.started, exchange.completed, exchange.returned = (exchange.sent + each for each in (1, 2, 3))
    exchange.status, exchange.steps, exchange.own_background = 200, 4, True
    value = exchange.value(entered=True, raised="ValueError()")
    assert (value.number, value.method, value.path, value.sent) == (exchange.number, "GET", "/users/7", exchange.sent)
    assert [each - value.sent for each in (value.started, value.completed, value.returned)] == [1, 2, 3]
    assert (value.status, value.steps, value.own_background) == (200, 4, True)
    assert (value.route, value.endpoint) == ("/users/{id}", f"{__name__}.endpoint")
    assert (value.entered, value.raised, value.cancelled) == (True, "ValueError()", False)


def test_what_never_came_is_none():
    value = LiveExchange("GET", "/").value()
    assert (value.started, value.completed, value.returned, value.status) == (None, None, None, None)
    assert (value.route, value.endpoint, value.entered, value.steps) == (None, None, None, 0)


@pytest.mark.parametrize(("error", "cancelled"), [(asyncio.CancelledError(), True), (ValueError(), False)])
def test_a_cancelled_call_is_told_from_one_that_raised(error, cancelled):
    exchange = LiveExchange("GET", "/")
    exchange.error = error
    assert exchange.value().cancelled is cancelled


@pytest.mark.parametrize(
    ("completed", "returned", "duration"), [(20, 90, 20), (None, 90, 90), (None, None, 0)], ids=str
)
def test_a_request_lasts_until_its_response_is_complete(completed, returned, duration):
    """Its background tasks are not part of it."""
    exchange = LiveExchange("GET", "/")
    exchange.completed = exchange.sent + completed if completed else None
    exchange.returned = exchange.sent + returned if returned else None
    assert exchange.duration == duration


def test_numbers_are_never_used_twice():
    assert len({LiveExchange("GET", "/").number for _ in range(10)}) == 10


def test_a_lifespan_has_no_path():
    assert LiveExchange("LIFESPAN", "").request == "LIFESPAN"


class Callable:
    async def __call__(self, request):
        """An endpoint that is an object."""


def test_an_endpoint_that_is_an_object_is_named_by_its_class():
    assert LiveExchange("GET", "/", {"endpoint": Callable()}).endpoint == f"{__name__}.Callable"


def test_a_task_belongs_to_the_request_that_started_it():
    mine, others = LiveExchange("GET", "/mine"), LiveExchange("GET", "/others")

    async def starts_another():
        return asyncio.ensure_future(asyncio.sleep(0))

    async def main():
        with owned(mine):
            task = asyncio.create_task(starts_another())
        with owned(others):
            other = asyncio.create_task(asyncio.sleep(0))
        nobodys = asyncio.create_task(asyncio.sleep(0))
        child = await task
        assert [record_of(each) for each in (task, child, other, nobodys)] == [mine, mine, others, None]
        assert CURRENT.get() is None
        await asyncio.gather(child, other, nobodys)

    asyncio.run(main())

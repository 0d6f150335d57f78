"""One run: what is sent at once, what comes back, and what a run that does not end says."""

import asyncio
import time

import pytest

from pytest_noblock.engine.asgi.transport import AppTransport
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.observe import Request, Run, RunContext, Stuck, observe
from pytest_noblock.judge.sleeps import slept

MS = 1_000_000


@pytest.fixture
def app(respond):
    async def app(scope, receive, send):
        match scope["path"]:
            case "/sleeps":
                time.sleep(0.03)
            case "/waits":
                await asyncio.sleep(30)
            case "/silent":
                return
        await respond(send, scope["path"].encode())

    return app


@pytest.fixture
def observed(app, user):
    """The observation of a run, and the text of the first response."""

    def observed(*paths, meter="full", **how):
        async def main():
            async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
                run = Run(tuple(Request("GET", path) for path in paths), **how)
                return await observe(RunContext(client, user, meter), run)

        observation, response = asyncio.run(main())
        return observation, response.text if response is not None else None

    return observed


@pytest.mark.parametrize("meter", ["full", "portable"])
@pytest.mark.parametrize("probes", [None, ()], ids=["without-probes", "with-probes"])
def test_different_requests_are_under_way_at_once(observed, meter, probes):
    observation, text = observed("/one", "/sleeps", "/two", meter=meter, probes=probes)
    assert sorted(each.path for each in observation.exchanges) == ["/one", "/sleeps", "/two"]
    assert text == "/one"
    assert all(each.status == 200 and each.steps and each.returned for each in observation.exchanges)
    (sleeps,) = [each.number for each in observation.exchanges if each.path == "/sleeps"]
    full = meter == "full"
    # what is not its own sleep is taken off, as waits for the GIL; off the processor is also who waits for one
    held = {each.exchange for each in observation.segments if (slept(each) if full else each.off_cpu) > 25 * MS}
    assert held == {sleeps} if full else sleeps in held
    assert (observation.meter, observation.loop) == (meter, "asyncio")
    assert bool(observation.alone) is (probes is not None)


def test_an_exact_run_has_line_counters_in_the_place_of_samples(observed):
    observation, _text = observed("/sleeps", exact=True)
    lines = [line for each in observation.segments for line in each.lines]
    assert not any(each.samples for each in observation.segments)
    assert not lines or any(line.asleep > 25 * MS for line in lines)  # none where coverage has the tracer


def test_an_app_that_gives_no_response_gives_none(observed):
    observation, text = observed("/silent")
    assert text is None
    assert [each.status for each in observation.exchanges] == [None]


def test_a_run_that_does_not_end_says_where_it_sits(observed):
    with pytest.raises(Stuck) as stuck:
        observed("/waits", give_up_after=50 * MS)
    assert stuck.value.exchange.path == "/waits"
    assert stuck.value.frame.function == "app"
    assert stuck.value.frame.call == "asyncio.sleep"


def test_what_is_still_under_way_is_cancelled(app, user):
    async def main():
        async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
            with pytest.raises(Stuck):
                await observe(RunContext(client, user, "portable"), Run((Request("GET", "/waits"),), give_up_after=MS))
            await asyncio.sleep(0.01)
            return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()

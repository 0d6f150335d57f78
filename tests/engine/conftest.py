"""A loop of our own, and apps to run on it."""

import asyncio
from pathlib import Path

import pytest

from pytest_noblock.engine import instrument
from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.meters import metering
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.usercode import UserCode


@pytest.fixture
def user():
    return UserCode(str(Path(__file__).parent))


@pytest.fixture
def installed():
    """Everything is patched that a run patches."""
    instrument.install()
    yield
    instrument.uninstall()


@pytest.fixture
def meter_class():
    """A test module may have a class of its own, which notes what it is told."""
    return StepMeter


@pytest.fixture
def meter(user, meter_class):
    """A meter of this thread, by the portable rules."""
    meter = meter_class(PortableClock(), user)
    yield meter
    meter.end()
    meter.close()


async def _respond(send, body=b"", more_body=False):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": more_body})


@pytest.fixture
def respond():
    return _respond


@pytest.fixture
def run():
    """Run a coroutine on the plain stdlib loop."""
    return asyncio.run


@pytest.fixture
def metered(user):
    """Segments of the steps of one exchange, made of plain functions called on the loop one after another."""

    def metered(*steps, exact=False, kind="full", sample_after=10_000_000):
        from pytest_noblock.engine.exchange import CURRENT, LiveExchange

        async def main():
            loop = asyncio.get_running_loop()
            record = LiveExchange("GET", "/")
            with metering(kind, user, sample_after=sample_after, exact=exact) as meter:
                for step in steps:
                    done = loop.create_future()
                    CURRENT.set(record)
                    loop.call_soon(lambda step=step, done=done: done.set_result(step()))
                    CURRENT.set(None)
                    await done
            return [segment for segment in meter.segments if segment.exchange == record.number]

        return asyncio.run(main())

    return metered

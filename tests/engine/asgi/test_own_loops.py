"""The loops that the fixture runs an app on."""

import asyncio

import pytest

from pytest_noblock.engine.asgi.own_loops import hosted, new_loop
from pytest_noblock.engine.steps.other_loops import loop_name
from pytest_noblock.engine.threads import pools, workers


@pytest.mark.parametrize("kind", ["asyncio", "uvloop", "trio"])
def test_each_says_what_the_app_runs_on_and_shows_its_executor(kind):
    if kind == "uvloop":
        pytest.importorskip("uvloop")

    async def main():
        loop = asyncio.get_running_loop()
        (executor,) = [pool for pool in pools.of_running_loop() if isinstance(pool, pools.ExecutorPool)]
        assert executor.total == 0
        call = loop.run_in_executor(None, len, "four")
        assert (executor.total > 0, await call, executor.taken()) == (True, 4, 0)
        assert len(workers.of_executor(loop)) == 1
        return loop_name()

    loop = new_loop(kind)
    try:
        assert loop.run_until_complete(main()) == kind
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_only_trio_has_the_app_called_in_another_way(user):
    async def app(_scope, _receive, _send):
        """Is not called."""

    async def main(kind):
        async with hosted(kind, app, user) as called:
            return called

    assert asyncio.run(main("uvloop")) is app
    pytest.importorskip("trio")
    assert asyncio.run(main("trio")) is not app

"""Every trap of a background task and every repaired twin gets the same answer each time, on a busy machine as well.

NOBLOCK_SOAK_RUNS (default 100) requests of each case through each client, beside four CPU hogs (NOBLOCK_SOAK_HOGS).
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable

import httpx
import httpx2
import pytest
from fastapi.testclient import TestClient

from pytest_noblock.checks.plan import Plan
from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine.observe import Request
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.watch import Kit
from pytest_noblock.judge.background import faults, shared_out
from pytest_noblock.model.check import Check
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin.settings import Settings
from pytest_noblock.plugin.watching import ItemRecorder
from pytest_noblock.report.failure import failure
from tests.plugin import trap_app
from tests.plugin.trap_app import BEHIND, TRAPS, TWINS, Case
from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("NOBLOCK_SOAK_RUNS", "100"))
HOGS = int(os.environ.get("NOBLOCK_SOAK_HOGS", "4"))
CASES = (*TRAPS, *TWINS, BEHIND)

Checks = Callable[[Case], list[Check]]


def by_test_client(case: Case) -> None:
    TestClient(getattr(trap_app, case.app), raise_server_exceptions=False).post(case.path)


def by_async_client(case: Case, library=httpx) -> None:
    async def main() -> None:
        transport = library.ASGITransport(getattr(trap_app, case.app), raise_app_exceptions=False)
        async with library.AsyncClient(transport=transport, base_url="http://testserver") as client:
            await client.post(case.path)

    asyncio.run(main())


def by_httpx2(case: Case) -> None:
    by_async_client(case, httpx2)


@pytest.fixture
def user(pytestconfig) -> UserCode:
    return UserCode(str(pytestconfig.rootpath))


@pytest.fixture
def watched(user, meter):
    """The checks of a watched test that sends one request."""
    kit = Kit(meter, user)

    def checks(send: Callable[[Case], None], case: Case) -> list[Check]:
        watch = ItemRecorder(kit, Limits(), shares_kit=True, asks_for_tasks=True)
        watch.start()
        try:
            send(case)
        finally:
            watch.stop()
            watch.leave()
        return watch.checks("soak", Settings())

    yield checks
    kit.close()


def text(case: Case, checks: list[Check], user: UserCode) -> str:
    """What a test with the case's marker would say."""
    names = [name if isinstance(name, str) else f"{name.__module__}.{name.__qualname__}" for name in case.names]
    found = faults([check.exchange for check in checks if check.exchange], names, user.relative)
    judged = shared_out(checks, found, user.relative)
    return "\n".join(failure(check) for check in judged if check.outcome == "failed")


def soak(name: str, figure, user: UserCode, checks: Checks) -> None:
    differing: list[dict[str, object]] = []
    results: Counter[bool] = Counter()
    began = time.monotonic()
    with hogs(HOGS):
        for case in CASES:
            for run in range(RUNS):
                said = text(case, checks(case), user)
                results[case.fits(said)] += 1
                if not case.fits(said):
                    differing.append({"case": case.id, "run": run, "said": said})
    cases = Counter(each["case"] for each in differing)
    told = f"{results[True]} of {results.total()} as expected ({len(CASES)} cases), {time.monotonic() - began:.0f} s"
    figure(f"background tasks, {name}, {HOGS} hogs", f"{told} {dict(cases) or ''}", differing=differing)
    assert not differing, "\n\n".join(f"{each['case']}, run {each['run']}:\n{each['said']}" for each in differing[:20])


@pytest.mark.parametrize("send", [by_test_client, by_async_client, by_httpx2], ids=["TestClient", "httpx", "httpx2"])
def test_a_watched_test_gets_the_same_answer_every_time(figure, user, watched, send, request):
    soak(request.node.callspec.id, figure, user, lambda case: watched(send, case))


def test_the_fixture_gets_the_same_answer_every_time(figure, user, meter, pytestconfig):
    apps = RunningApps(str(pytestconfig.rootpath), meter)

    def checks(case: Case) -> list[Check]:
        return [apps.checker(getattr(trap_app, case.app)).check("soak", Request("POST", case.path), Plan())]

    soak("the fixture", figure, user, checks)
    assert apps.stop() == []

"""Every trap of a background task is red with its own reason, its repaired twin green, whatever client asks."""

from pathlib import Path

import fastapi.testclient  # noqa: F401  imported here, inner runs need not import it again and again
import httpx2  # noqa: F401  the same
import pytest

from tests.plugin import trap_app
from tests.plugin.trap_app import BEHIND, TRAPS, TWINS

TABLE = """
    import pytest
    import trap_app

    CASES = [
        pytest.param(case, id=case.id, marks=pytest.mark.noblock_background.with_args(*case.names))
        for case in (*trap_app.TRAPS, *trap_app.TWINS, trap_app.BEHIND)
    ]
"""
SYNC = """
    import pytest
    import trap_app
    from fastapi.testclient import TestClient
    from table import CASES

    @pytest.mark.parametrize("case", CASES)
    def test_it(case):
        TestClient(getattr(trap_app, case.app), raise_server_exceptions=False).post(case.path)
"""
ASYNC = """
    import {httpx}
    import pytest
    import trap_app
    from table import CASES

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.{plugin}
    @pytest.mark.parametrize("case", CASES)
    async def test_it(case):
        app = getattr(trap_app, case.app)
        transport = {httpx}.ASGITransport(app, raise_app_exceptions=False)
        async with {httpx}.AsyncClient(transport=transport, base_url="http://testserver") as client:
            await client.post(case.path)
"""
FIXTURE = """
    import pytest
    import trap_app
    from table import CASES

    @pytest.fixture
    def noblock_app(case):
        return getattr(trap_app, case.app)

    @pytest.mark.parametrize("case", CASES)
    def test_it(case, noblock):
        send = noblock.request if case.path == "/blocks-after" else noblock.check
        send("POST", case.path)
"""
CLIENTS = {
    "TestClient": SYNC,
    "httpx under pytest-asyncio": ASYNC.format(httpx="httpx", plugin="asyncio"),
    "httpx under anyio": ASYNC.format(httpx="httpx", plugin="anyio"),
    "httpx2 under anyio": ASYNC.format(httpx="httpx2", plugin="anyio"),
    "the fixture": FIXTURE,
}


@pytest.fixture
def traps(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"), table=TABLE)
    return pytester


def wrong(case: trap_app.Case, report: pytest.TestReport) -> list[str]:
    """What the report says, where that is not what it must say."""
    if report.failed == bool(case.says) and case.fits(report.longreprtext):
        return []
    return [f"{case.id}: expected {case.says}, not {report.longreprtext or report.outcome}"]


@pytest.mark.parametrize("client", CLIENTS)
def test_traps_are_red_each_with_its_reason_and_twins_are_green(traps, client):
    traps.makepyfile(CLIENTS[client])
    result = traps.inline_run("-p", "no:randomly")
    reports = [report for report in result.getreports("pytest_runtest_logreport") if report.when == "call"]
    cases = [*TRAPS, *TWINS, BEHIND]
    assert len(reports) == len(cases)
    faults = [each for case, report in zip(cases, reports, strict=True) for each in wrong(case, report)]
    assert not faults, "\n\n".join(faults)

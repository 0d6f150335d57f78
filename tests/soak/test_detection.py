"""Every blocking endpoint is found on every run at its own line, and its repaired twins are never red.

NOBLOCK_SOAK_RUNS (default 5) checks of each blocking endpoint, quiet and beside four
CPU hogs (NOBLOCK_SOAK_HOGS); NOBLOCK_SOAK_INNOCENT_RUNS (default 20) of each repaired one, beside the hogs.
"""

import inspect
import os
from collections import Counter
from typing import NamedTuple

import pytest

from pytest_noblock.checks.checker import Checker
from pytest_noblock.checks.plan import Plan
from pytest_noblock.engine.observe import Request
from pytest_noblock.model.limits import Limits
from tests.soak import attribution_app, blocking_app
from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

RUNS = int(os.environ.get("NOBLOCK_SOAK_RUNS", "5"))
INNOCENT_RUNS = int(os.environ.get("NOBLOCK_SOAK_INNOCENT_RUNS", "20"))
PLAN = Plan(limits=Limits(10_000_000), probes=("/",))
ALONE = Plan(limits=Limits(10_000_000))
HOGS = int(os.environ.get("NOBLOCK_SOAK_HOGS", "4"))


class Blocking(NamedTuple):
    path: str
    kind: str
    where: object


BLOCKING = [
    Blocking("/sleep", "sync-io", blocking_app.sleep),
    Blocking("/pbkdf2", "cpu", blocking_app.pbkdf2),
    Blocking("/loop", "cpu", blocking_app.loop),
    Blocking("/loop-until", "cpu", blocking_app.loop_until),
    Blocking("/requests-get", "sync-network", blocking_app.requests_get),
    Blocking("/requests-session", "sync-network", blocking_app.requests_session),
    Blocking("/urllib", "sync-network", blocking_app.urllib_urlopen),
    Blocking("/http-client", "sync-network", blocking_app.http_client),
    Blocking("/httpx-get", "sync-network", blocking_app.httpx_get),
    Blocking("/psycopg-kept", "sync-network", blocking_app.psycopg_kept),
    Blocking("/psycopg-connect", "sync-network", blocking_app.psycopg_connect),
    Blocking("/psycopg2-kept", "sync-network", blocking_app.psycopg2_kept),
    Blocking("/psycopg2-connect", "sync-network", blocking_app.psycopg2_connect),
    Blocking("/redis-get", "sync-network", blocking_app.redis_get),
    Blocking("/redis-connect", "sync-network", blocking_app.redis_connect),
    Blocking("/socket-kept", "sync-network", blocking_app.socket_kept),
    Blocking("/socket-connect", "sync-network", blocking_app.socket_connect),
]
REPAIRED = [route.path for route in blocking_app.app.routes if route.path.startswith("/ok/")]

PLACES = {
    "/swallowed": attribution_app.swallowed,
    "/three-down": attribution_app.third,
    "/dependency": attribution_app.settings_of,
    "/dependency-caller": attribution_app.settings_of,
    "/pure-middleware": attribution_app.PureMiddleware.__call__,
    "/dispatch": attribution_app.Dispatching.dispatch,
    "/create-task": attribution_app.child,
    "/task-group": attribution_app.child,
    "/call-later": attribution_app.call_later,
    "/stream": attribution_app.stream,
    "/background": attribution_app.write_log,
}
KINDS = {"sleep": "sync-io", "cpu": "cpu", "network": "sync-network"}


def marked(function, mark: str = "# blocks") -> set[int]:
    source, first = inspect.getsourcelines(function)
    return {first + offset for offset, line in enumerate(source) if line.endswith(mark + "\n")}


def fresh(apps, app) -> Checker:
    """As each test of a suite has it: the app runs, nothing is warmed up."""
    seasoned = apps.checker(app)
    return Checker(seasoned._app, seasoned._user, seasoned._context.meter, warm=set())


def verdict(check, file: str, lines: set[int], kind: str, phase: str = "handler") -> str:
    if check.outcome != "failed":
        return "missed" if check.outcome == "passed" else check.outcome
    found = {(each.file, each.line) for each in check.findings}
    if not found <= {(file, line) for line in lines}:
        return "wrong line"
    if {each.kind for each in check.findings} != {kind}:
        return "wrong kind"
    return "found" if {each.phase for each in check.findings} == {phase} else "wrong phase"


def told(check) -> dict[str, object]:
    findings = [
        (each.kind, each.phase, each.file, each.line, each.ms, each.count, each.evidence) for each in check.findings
    ]
    return {"outcome": check.outcome, "findings": findings, "notes": check.notes, "reason": check.reason}


def told_if_not(expected: str, result: str, check) -> list[dict[str, object]]:
    return [] if result == expected else [{"result": result, **told(check)}]


@pytest.mark.parametrize("load", ["quiet", "hogs"])
@pytest.mark.parametrize("case", BLOCKING, ids=lambda case: case.path)
def test_a_blocking_endpoint_is_found_every_time_at_its_line(apps, figure, case, load):
    results: Counter[str] = Counter()
    wrong: list[dict[str, object]] = []
    with hogs(HOGS if load == "hogs" else 0):
        for _ in range(RUNS):
            check = fresh(apps, blocking_app.app).check("soak", Request("GET", case.path), PLAN)
            result = verdict(check, "tests/soak/blocking_app.py", marked(case.where), case.kind)
            results[result] += 1
            wrong += told_if_not("found", result, check)
    figure(f"{case.path}, {load}", _counted(results), wrong=wrong)
    assert results == {"found": RUNS}, wrong


@pytest.mark.parametrize("path", REPAIRED)
def test_a_repaired_endpoint_is_never_red(apps, figure, path):
    results: Counter[str] = Counter()
    wrong: list[dict[str, object]] = []
    with hogs(HOGS):
        for _ in range(INNOCENT_RUNS):
            check = fresh(apps, blocking_app.app).check("soak", Request("GET", path), PLAN)
            results[check.outcome] += 1
            wrong += told_if_not("passed", check.outcome, check)
    figure(f"{path}, hogs", _counted(results), wrong=wrong)
    assert results == {"passed": INNOCENT_RUNS}, wrong


@pytest.mark.parametrize("load", ["quiet", "hogs"])
@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("path", PLACES)
def test_blocking_code_is_found_wherever_it_runs(apps, figure, path, how, load):
    results: Counter[str] = Counter()
    wrong: list[dict[str, object]] = []
    lines = marked(PLACES[path], f"# blocks {how}")
    phase = "background" if path == "/background" else "handler"
    with hogs(HOGS if load == "hogs" else 0):
        for _ in range(RUNS):
            check = fresh(apps, attribution_app.app).check("soak", Request("GET", f"{path}?how={how}"), ALONE)
            result = verdict(check, "tests/soak/attribution_app.py", lines, KINDS[how], phase)
            results[result] += 1
            wrong += told_if_not("found", result, check)
    figure(f"{path} {how}, {load}", _counted(results), wrong=wrong)
    assert results == {"found": RUNS}, wrong


def _counted(results: Counter[str]) -> str:
    return ", ".join(f"{count} {result}" for result, count in sorted(results.items())) + f" of {results.total()}"

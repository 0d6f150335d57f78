"""What a run imports of ours, to the module: each one more is paid for by every run, or by every suite that is watched.

The lists hold one thing of each module, so that they follow it wherever it moves.
"""

import json
from types import ModuleType

import pytest

import pytest_noblock.engine.now as clock
from pytest_noblock.afterwards import task_runs
from pytest_noblock.background import faults
from pytest_noblock.callnames import source_line
from pytest_noblock.check import Checker
from pytest_noblock.client import Noblock
from pytest_noblock.conclusion import findings
from pytest_noblock.durations import words
from pytest_noblock.engine.boundary import enter
from pytest_noblock.engine.calls import Observer
from pytest_noblock.engine.clients import stand_ins
from pytest_noblock.engine.clocks import LinuxClock
from pytest_noblock.engine.descriptors import AwaitedDescriptors
from pytest_noblock.engine.entrances import Entrances
from pytest_noblock.engine.exchange import Record
from pytest_noblock.engine.instrument import put_on
from pytest_noblock.engine.lines import LineCounters
from pytest_noblock.engine.loops import prepare
from pytest_noblock.engine.meter import StepMeter
from pytest_noblock.engine.observe import observe
from pytest_noblock.engine.patches import Patches
from pytest_noblock.engine.probes import Probes
from pytest_noblock.engine.runner import AppRunner
from pytest_noblock.engine.selfcheck import meter_of_this_machine
from pytest_noblock.engine.sockets import SocketTable
from pytest_noblock.engine.stacks import raw
from pytest_noblock.engine.starlette import packages_of
from pytest_noblock.engine.tasks import let_begin
from pytest_noblock.engine.timer import Timer
from pytest_noblock.engine.traffic import Traffic
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.watch import Watch
from pytest_noblock.engine.watchdog import Watchdog
from pytest_noblock.findings import Finding
from pytest_noblock.frames import Frame
from pytest_noblock.limits import Limits
from pytest_noblock.markers import Marked
from pytest_noblock.naming.callees import callee
from pytest_noblock.naming.paths import path_of
from pytest_noblock.naming.seen import Seen
from pytest_noblock.naming.sites import CallSite
from pytest_noblock.observation import Segment
from pytest_noblock.outcomes import ItemOutcome
from pytest_noblock.paths import of
from pytest_noblock.places import Place
from pytest_noblock.plugin import pytest_configure
from pytest_noblock.remedies import replacement
from pytest_noblock.report.failure import failure
from pytest_noblock.report.record import record
from pytest_noblock.report.summary import summary
from pytest_noblock.report.uneventful import UneventfulTexts
from pytest_noblock.reporting import Reporter
from pytest_noblock.session import Session
from pytest_noblock.settings import Settings
from pytest_noblock.stall import Stall
from pytest_noblock.verdict import stalls
from pytest_noblock.watched import Judge
from pytest_noblock.watching import ItemWatch

INERT = [words, Limits, Marked, ItemOutcome, of, pytest_configure, Reporter, Session, Settings]
ENGINE = [
    enter,
    Observer,
    stand_ins,
    LinuxClock,
    AwaitedDescriptors,
    Entrances,
    Record,
    put_on,
    prepare,
    StepMeter,
    clock,
    Patches,
    meter_of_this_machine,
    SocketTable,
    raw,
    packages_of,
    let_begin,
    Timer,
    Traffic,
    UserCode,
    Watch,
    Watchdog,
]
UNEVENTFUL = [*INERT, *ENGINE, Frame, Segment, ItemWatch, record, summary, UneventfulTexts]
JUDGEMENT = [Judge, stalls, Stall, Place, findings, Finding, replacement, failure]
NAMING = [source_line, callee, path_of, Seen, CallSite]
"""What a request of which there is something to say needs, and no other."""
FIXTURE = [Noblock, Checker, AppRunner, observe, Probes, LineCounters]
"""What the fixture needs, and no watched test."""
BACKGROUND = [faults, task_runs]
"""What needs a background task."""

TELLS = """
    import json, pathlib, sys

    def pytest_unconfigure():
        ours = [name for name in sys.modules if name.partition(".")[0] == "pytest_noblock"]
        everything = {"ours": ours, "all": list(sys.modules)}
        pathlib.Path("loaded.json").write_text(json.dumps(everything))
"""
SHOP = """
    import time
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def quiet(request):
        return PlainTextResponse("")

    async def blocks(request):
        time.sleep(0.08)
        return PlainTextResponse("")

    app = Starlette(routes=[Route("/quiet", quiet), Route("/blocks", blocks)])
"""
WATCHED = "from shop import TestClient, app\n\ndef test_it():\n    TestClient(app).get('/{path}')\n"


def modules(held: list) -> set[str]:
    """Those that hold these, with their packages."""
    names = [each.__name__ if isinstance(each, ModuleType) else each.__module__ for each in held]
    parts = [name.split(".") for name in names]
    return {".".join(each[:depth]) for each in parts for depth in range(1, len(each) + 1)}


@pytest.fixture
def loaded(pytester, monkeypatch):
    """Runs a test in a process of its own, with no other plugin: the names of all modules, and of ours."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(TELLS)
    pytester.makepyfile(shop=SHOP)

    def loaded(test: str, *options: str, **outcomes: int) -> tuple[set[str], set[str]]:
        pytester.makepyfile(test_shop=test)
        result = pytester.runpytest_subprocess("-p", "pytest_noblock.plugin", *options)
        result.assert_outcomes(**(outcomes or {"passed": 1}))
        names = json.loads(pytester.path.joinpath("loaded.json").read_text(encoding="utf-8"))
        return set(names["ours"]), set(names["all"])

    return loaded


def test_a_run_that_does_not_ask_loads_the_hooks_and_what_they_read(loaded):
    ours, everything = loaded("def test_it():\n    pass\n")
    assert ours == modules(INERT)
    assert not everything & {"asyncio", "anyio", "httpx", "ssl", "starlette"}


def test_a_watched_test_that_blocks_nobody_loads_no_judgement(loaded):
    """A busy machine may make a step so long that the watchdog looks at it: then there is something to say of it."""
    expected = modules(UNEVENTFUL)
    for _ in range(3):
        ours, _everything = loaded(WATCHED.format(path="quiet"), "--noblock")
        if ours == expected:
            break
    assert ours == expected


def test_a_watched_test_that_blocks_loads_the_judgement(loaded):
    """The twin: what the other does not load is there to be seen."""
    ours, _everything = loaded(WATCHED.format(path="blocks"), "--noblock", failed=1)
    assert ours >= modules([*JUDGEMENT, *NAMING])
    assert not ours & {each.__module__ for each in (*FIXTURE, *BACKGROUND)}


def test_the_lists_do_not_overlap():
    """Else one could grow by what the other keeps out."""
    kept_out = {each.__module__ for each in (*JUDGEMENT, *NAMING, *FIXTURE, *BACKGROUND)}
    assert not kept_out & modules(UNEVENTFUL)

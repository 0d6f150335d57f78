"""What a run imports of ours, to the module: each one more is paid for by every run, or by every watched suite."""

import json
import sys

import pytest

pytestmark = pytest.mark.every_python

INERT = """
    hookspecs model.limits model.units plugin plugin.faults plugin.markers plugin.option_table plugin.options
    plugin.attached plugin.collected plugin.endings plugin.item_run plugin.reporter plugin.routes_of_run plugin.session
    plugin.settings plugin.unseen
"""
UNEVENTFUL = f"""{INERT}
    engine.asgi.boundary engine.asgi.client_side engine.asgi.entry_points engine.asgi.look engine.asgi.messages
    engine.beside_watched_steps engine.callbacks engine.clocks engine.current_frames
    engine.detached engine.earlier_tests engine.endpoints engine.errors
    engine.exchange engine.frameworks.background_tasks engine.frameworks.decorated engine.frameworks.others
    engine.frameworks.reached engine.frameworks.shown_routes engine.frameworks.starlette engine.guard engine.instrument
    engine.late_watch engine.live_tasks
    engine.metered_threads engine.meters
    engine.network.awaited_fds engine.network.call_shapes engine.network.client_calls engine.network.driver_calls
    engine.network.known_calls engine.network.may_block engine.network.round_trips engine.network.tcp_info
    engine.now engine.open_loops engine.other_threads engine.patches engine.raw_stacks engine.selfcheck engine.stacks
    engine.steps.child_processes engine.steps.children engine.steps.closing_loops
    engine.steps.collector engine.steps.counters engine.steps.deductions engine.steps.driven engine.steps.fallen_due
    engine.steps.first_uses engine.steps.handles engine.steps.import_hook engine.steps.meter engine.steps.other_loops
    engine.steps.python_threads engine.steps.queued_others engine.steps.raw_samples engine.steps.rings
    engine.steps.standstills engine.steps.step_calls engine.steps.syscalls
    engine.steps.thread_marks engine.steps.thread_starts
    engine.steps.timer engine.steps.watchdog engine.threads.held_turns engine.threads.raw_gaps
    engine.threads.sleep_counts engine.threads.under_way engine.threads.watched_gaps
    engine.tracers engine.usercode engine.watch model.frames model.observation
    model.app_routes model.measured model.pace model.segment model.shown model.stand_in plugin.entered plugin.head
    plugin.run_summary plugin.watching
    report.coverage report.json_v1 report.summary report.uneventful sweep.documented sweep.listed sweep.openapi
    sweep.route sweep.routes sweep.seen sweep.walk
"""
JUDGEMENT = """
    checks.assemble checks.watched judge.advice judge.attribution judge.cpu_lines judge.first_use judge.gil_waits
    judge.grouping judge.near judge.not_findings judge.stalls judge.traced judge.turns
    model.check model.finding model.rules model.stall plugin.outcome plugin.telling report.evidence report.failure
    report.finding_rows report.harms report.why
"""
"""What a request of which there is something to say needs, and no other; and the names of calls."""
NAMING = """
    calls.bindings calls.callsites calls.frame_names calls.inference calls.names calls.public_names calls.resolve
    calls.sources calls.written
"""
FIXTURE = """
    checks.checker checks.confirming checks.judged checks.sendable checks.sending checks.unanswered client
    engine.asgi.app_loop engine.asgi.app_thread engine.asgi.handed_over
    engine.frameworks.answerer engine.observe engine.probing.probes engine.steps.line_costs
    judge.confirmation plugin.app_of_test plugin.fixture_values
"""
"""What the fixture needs, and no watched test."""
BACKGROUND = "judge.background"
"""What needs a background task."""
REPORT = """
    plugin.ci plugin.project plugin.report_files report.files report.formats report.grouped report.growing
    report.routes report.whole report.wire
"""
"""What needs a report file."""

TELLS = """
    import json, pathlib, sys

    def pytest_unconfigure():
        ours = [name for name in sys.modules if name.partition(".")[0] == "pytest_noblock"]
        rewritten = [
            name for name, each in sys.modules.items() if "Rewriting" in type(getattr(each, "__loader__", 0)).__name__
        ]
        everything = {"ours": ours, "all": list(sys.modules), "rewritten": rewritten}
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


def modules(names: str) -> set[str]:
    """These modules, with their packages."""
    parts = [["pytest_noblock", *name.split(".")] for name in names.split()]
    return {".".join(each[:depth]) for each in parts for depth in range(1, len(each) + 1)}


def alone(names: str) -> set[str]:
    """These modules, without their packages."""
    return {f"pytest_noblock.{name}" for name in names.split()}


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
    pytests_own = {"asyncio", "ssl"} if sys.version_info >= (3, 14) else set()  # by way of `pdb`
    assert not everything & ({"asyncio", "anyio", "httpx", "httpx2", "ssl", "starlette"} - pytests_own)


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
    assert ours >= alone(f"{JUDGEMENT} {NAMING}")
    assert not ours & alone(f"{FIXTURE} {BACKGROUND} {REPORT}")


def test_pytest_rewrites_the_users_modules_and_not_ours(loaded, pytester):
    """What is rewritten is compiled in every run of whoever writes no byte code."""
    loaded(WATCHED.format(path="quiet"), "--noblock", "-W", "error::pytest.PytestAssertRewriteWarning")
    names = set(json.loads(pytester.path.joinpath("loaded.json").read_text(encoding="utf-8"))["rewritten"])
    assert {name for name in names if name.partition(".")[0] in ("pytest_noblock", "test_shop")} <= {
        "pytest_noblock",
        "test_shop",
    }
    assert "test_shop" in names


def test_the_lists_do_not_overlap():
    """Else one could grow by what the other keeps out."""
    assert not alone(f"{JUDGEMENT} {NAMING} {FIXTURE} {BACKGROUND} {REPORT}") & modules(UNEVENTFUL)

"""pytest's side: hooks and fixtures, each a call to another module.

Every pytest run imports this module wherever the plugin is installed. So it imports nothing that needs asyncio,
httpx or the app: each function imports that on first use.

PYTEST_DONT_REWRITE: see the package's `_import_as_usual`.
"""

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import attached, endings, faults, markers, options, reporter
from pytest_noblock.plugin.routes_of_run import OF_WORKER
from pytest_noblock.plugin.session import Session

if TYPE_CHECKING:
    from pytest_noblock.checks.running_apps import RunningApps
    from pytest_noblock.checks.running_servers import RunningServers
    from pytest_noblock.client import Noblock
    from pytest_noblock.plugin.outcome import Ending
    from pytest_noblock.plugin.sweep_plugin import SweepPlugin
    from pytest_noblock.server import NoblockServer

_SESSION = pytest.StashKey[Session]()
_PID = pytest.StashKey[int]()
"""The process that was configured. A test may fork, and its child may go on with the tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_noblock import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    markers.register(config)
    options.validate_options(config)
    session = config.stash[_SESSION] = Session(config)
    if options.sweeps(config):
        session.sweep = _sweep(config, session)
    config.stash[_PID] = os.getpid()
    carrier = session.carrier()
    if carrier is not None:
        config.pluginmanager.register(carrier, attached.CARRIER)
    if not hasattr(config, "workerinput"):  # under xdist the controller alone writes and prints
        config.pluginmanager.register(session.reporter(), reporter.REPORTER)


def _sweep(config: pytest.Config, session: Session) -> "SweepPlugin":
    from pytest_noblock.plugin.selected import select
    from pytest_noblock.plugin.sweep_plugin import SweepPlugin

    sweep = SweepPlugin(config, session, select(config))
    config.pluginmanager.register(sweep, "noblock-sweep")
    return sweep


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash[_SESSION].head.lines() if options.asked_for(config) else []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    attached.forget(item)
    session = item.config.stash[_SESSION]
    ours = markers.marked(item)
    mistake = options.mistake_in_markers(item, ours)
    if mistake is not None:  # the test's own error: others run, and one that nobody selected says nothing
        session.pass_by()
        pytest.fail(mistake, pytrace=False)
    session.begin(item, ours)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    session = item.config.stash[_SESSION]
    skipped: BaseException | None = None
    result = None
    try:
        result = yield
    except BaseException as error:
        if not endings.is_skip(error):
            session.end(item, "failed")
            if isinstance(error, TypeError):
                _explain(item, error)
            raise
        skipped = error  # what it did before may have blocked: that is told outside of the except block
    session.end(item, _ending(skipped or endings.kept_by_unittest(item)))
    if skipped is not None:
        raise skipped
    return result


def _ending(raised: BaseException | None) -> "Ending":
    if raised is None:
        return "passed"
    return "skipped" if endings.is_skip(raised) else "failed"


def _explain(item: pytest.Item, error: TypeError) -> None:
    from pytest_noblock.plugin import awaited

    with faults.GUARD:
        awaited.explain(item, error)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)  # xdist's, in a worker
    if output is not None:
        with faults.GUARD:
            output[OF_WORKER] = session.config.stash[_SESSION].entered_apps()
        output[faults.OF_WORKER] = faults.taken()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    if os.getpid() != item.config.stash[_PID]:
        _leave_the_reports_to_the_parent(item.config)
    session = item.config.stash[_SESSION]
    session.end(item, "failed")  # where the setup failed there was no call
    try:
        result = yield
    except BaseException:
        session.fixtures_ended(item, "failed")
        session.leave(item, nextitem)
        raise
    try:
        session.fixtures_ended(item, "passed")
        return result
    finally:
        session.leave(item, nextitem)


def _leave_the_reports_to_the_parent(config: pytest.Config) -> None:
    if config.pluginmanager.has_plugin(reporter.REPORTER):
        config.pluginmanager.unregister(name=reporter.REPORTER)


@pytest.fixture
def noblock_app(request: pytest.FixtureRequest) -> object:
    """The ASGI app under test; override it, or name the app by marker, --noblock-app or ini."""
    from pytest_noblock.plugin.app_of_test import app_of

    problem = ""
    try:
        return app_of(request)
    except pytest.UsageError as error:
        problem = str(error)
    pytest.fail(f"UsageError: {problem}", pytrace=False)  # outside the except block: without a history


@pytest.fixture(scope=options.scope_of)
def _noblock_apps(pytestconfig: pytest.Config) -> Iterator["RunningApps"]:
    session = pytestconfig.stash[_SESSION]
    apps = faults.or_fail(session.fixtures.running_apps)
    yield apps
    faults.or_fail(lambda: session.fixtures.stop(apps))


@pytest.fixture
def noblock(request: pytest.FixtureRequest, noblock_app: object, _noblock_apps: "RunningApps") -> "Noblock":
    """Requests to the app that fail the test when they block its event loop."""
    __tracebackhide__ = True
    session = request.config.stash[_SESSION]
    return faults.or_fail(lambda: session.fixtures.client(request.node, noblock_app, _noblock_apps))


@pytest.fixture(scope=options.scope_of)
def _noblock_servers(pytestconfig: pytest.Config) -> Iterator["RunningServers"]:
    session = pytestconfig.stash[_SESSION]
    servers = faults.or_fail(session.fixtures.running_servers)
    yield servers
    faults.or_fail(lambda: session.fixtures.stop_servers(servers))


@pytest.fixture
def noblock_server(
    request: pytest.FixtureRequest, noblock_app: object, _noblock_servers: "RunningServers"
) -> "NoblockServer":
    """The app under uvicorn on 127.0.0.1; the test is watched as under `@pytest.mark.noblock`."""
    __tracebackhide__ = True
    session = request.config.stash[_SESSION]
    return faults.or_fail(lambda: session.fixtures.server(noblock_app, _noblock_servers))

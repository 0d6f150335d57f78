"""What the fixtures give to a test, and what becomes of it at the end of their scope."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import options
from pytest_noblock.plugin.faults import GUARD

if TYPE_CHECKING:
    from pytest_noblock.checks.running_apps import RunningApps
    from pytest_noblock.checks.running_servers import RunningServers
    from pytest_noblock.client import Noblock
    from pytest_noblock.engine.exchange import ASGIApp
    from pytest_noblock.plugin.item_run import ItemRun
    from pytest_noblock.plugin.session import Session
    from pytest_noblock.server import NoblockServer


class FixtureValues:
    """Of one session: the apps and servers that its tests ask for. They fail the test that runs."""

    def __init__(self, config: pytest.Config, session: "Session") -> None:
        self._config = config
        self._session = session

    def running_apps(self) -> "RunningApps":
        from pytest_noblock.checks.running_apps import RunningApps

        return RunningApps(str(self._config.rootpath), self._session.head.meter[0], options.own_loop(self._config))

    def running_servers(self) -> "RunningServers":
        from pytest_noblock.checks.running_servers import RunningServers

        return RunningServers(str(self._config.rootpath))

    def stop(self, apps: "RunningApps") -> None:
        """Stops the apps at the end of the fixture's scope. Fails the test if a lifespan failed at the stop."""
        self._stop(apps.stop)
        if self._session.current is not None and not self._is_over():
            self._judge_lifespan(apps, self._session.run(self._session.current))

    def stop_servers(self, servers: "RunningServers") -> None:
        """As `stop`; what the apps did at their stop is judged where the test is watched."""
        self._stop(servers.stop)

    def _stop(self, stop: Callable[[], list[str]]) -> None:
        __tracebackhide__ = True
        failures = stop()
        if self._is_over():
            for failure in failures:
                self.tell(failure)
        elif failures:
            pytest.fail(_printable("\n".join(failures)), pytrace=False)

    def _is_over(self) -> bool:
        """Whether the run was interrupted, as by Ctrl-C, with fixtures still open: no test can fail any more."""
        status = getattr(self._session.current and self._session.current.session, "exitstatus", pytest.ExitCode.OK)
        return bool(status != pytest.ExitCode.OK)

    def tell(self, sentence: str) -> None:
        """Prints the sentence at once: no test can bear it any more."""
        terminal: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(f"noblock: {_printable(sentence)}", red=True)

    def _judge_lifespan(self, apps: "RunningApps", run: "ItemRun") -> None:
        """Puts on record how the apps started and stopped, if it says something; fails where the settings want that."""
        __tracebackhide__ = True
        from pytest_noblock.checks.watched import WatchRules
        from pytest_noblock.engine.selfcheck import pace_now

        settings = run.outcome.settings
        rules = WatchRules(settings.limits, settings.mocked_calls_fail, settings.lifespan_fails, pace_now)
        with GUARD:
            for check in apps.lifespan_checks(run.outcome.id, rules):
                run.outcome.fail_if_red(run.outcome.record(check))

    def client(self, item: pytest.Item, app: object, apps: "RunningApps") -> "Noblock":
        """The fixture's value for one test."""
        __tracebackhide__ = True
        from pytest_noblock.client import Noblock
        from pytest_noblock.engine.asgi.lifespan import LifespanFailed

        asgi = _asgi(app, str(self._config.rootpath))
        problem = ""
        try:
            checker = apps.checker(asgi)
        except LifespanFailed as error:
            problem = _printable(str(error))
        if problem:  # outside the except block: what the user did wrong has no history
            pytest.fail(problem, pytrace=False)
        self._session.entered.note(asgi, app if isinstance(app, str) else None)
        run = self._session.run(item)
        if run.recorder is None:  # `request.getfixturevalue("noblock")`
            self._session.watch(run)
        self._judge_lifespan(apps, run)
        if run.ours.named("noblock_background"):
            checker.ask_for_tasks()
        return Noblock(checker, run.outcome)

    def server(self, app: object, servers: "RunningServers") -> "NoblockServer":
        """The value of `noblock_server`."""
        __tracebackhide__ = True
        from pytest_noblock.engine.asgi.lifespan import LifespanFailed
        from pytest_noblock.engine.asgi.server_thread import NoServer
        from pytest_noblock.server import NoblockServer

        asgi = _asgi(app, str(self._config.rootpath))
        problem = ""
        try:
            return NoblockServer(servers.server(asgi))
        except (LifespanFailed, NoServer) as error:
            problem = _printable(str(error))
        pytest.fail(problem, pytrace=False)


def _printable(text: str) -> str:
    """An app's own words may hold what a terminal obeys."""
    from pytest_noblock.model.shown import printable

    return "\n".join(map(printable, text.splitlines()))


def _asgi(app: object, folder: str) -> "ASGIApp":
    __tracebackhide__ = True
    from pytest_noblock.checks.app_import import NotAnApp, resolved

    problem = ""
    try:
        return resolved(app, folder, f"{app!r}" if isinstance(app, str) else "what noblock_app returned")
    except NotAnApp as error:
        problem = _printable(str(error))
    pytest.fail(problem, pytrace=False)

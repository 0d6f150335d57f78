"""What one pytest session shares: the rules of its meter, the watching of tests, and the way to the reports."""

import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import faults, markers, options, unseen
from pytest_noblock.plugin.attached import Carrier, attach_faults
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.plugin.reporter import Reporter
from pytest_noblock.plugin.routes_of_run import RoutesOfRun

if TYPE_CHECKING:
    from pytest_noblock.checks.running_apps import RunningApps
    from pytest_noblock.checks.running_servers import RunningServers
    from pytest_noblock.client import Noblock
    from pytest_noblock.engine.exchange import ASGIApp
    from pytest_noblock.model.observation import Meter
    from pytest_noblock.plugin.entered import EnteredApps, Told
    from pytest_noblock.plugin.outcome import Ending, ItemOutcome
    from pytest_noblock.plugin.sweep_plugin import SweepPlugin
    from pytest_noblock.plugin.sweep_report import SweepReport
    from pytest_noblock.plugin.watching import ItemRecorder, Watching
    from pytest_noblock.report.wire import Environment
    from pytest_noblock.server import NoblockServer

_NOT_SEEN_ON = {
    "uvloop": "noblock: the fixture runs apps on uvloop (not seen on it: what the methods of a protocol do; the steps "
    "of one turn are not added up)",
    "trio": "noblock: the fixture runs apps on trio, as a guest of asyncio's loop (not seen on it: `pool-starved`, "
    "`contention`)",
}
"""By `noblock_loop`: what the header says of it."""
_TRACED = (
    "noblock: a tracer or a profiler is on (coverage, a debugger, cProfile), which slows Python code down: of CPU only "
    "calls in C are judged; COVERAGE_CORE=sysmon slows nothing down"
)

_FAKES_FILES = "pyfakefs.fake_filesystem_unittest"
"""The module of pyfakefs that `fake_files` knows."""


class ItemRun:
    """One run of one test: the fixture's requests and the watched ones meet in its outcome."""

    recorder: "ItemRecorder | None" = None
    """None where the test is not watched."""
    ended = False
    """Whether the test's call has ended, and its requests have been judged."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.ours = markers.marked(item)

    @cached_property
    def outcome(self) -> "ItemOutcome":
        from pytest_noblock.plugin.outcome import ItemOutcome

        return ItemOutcome(self.item, self.ours)


class Session:
    """Made when pytest is configured, at no cost: it computes and imports on first use."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.sweep: SweepPlugin | None = None
        """None where no app is swept."""
        self._current: pytest.Item | None = None
        """The test that runs, or ran last: it bears what an app does that is stopped now."""
        self._last: ItemRun | None = None
        """Of the test that runs; a process runs one at a time."""
        self._expects_fakes = False
        """Whether pyfakefs was met; see `fake_files`."""

    @cached_property
    def meter(self) -> "tuple[Meter, str]":
        """The rules that hold on this machine, by a self-check, and what is missing for the full rules, in words."""
        wanted: str = self._config.getini("noblock_meter")
        if wanted == "portable":
            return "portable", "noblock_meter = portable"
        kind, missing = self._checked()
        if wanted == "full" and kind != "full":
            raise pytest.UsageError(f"noblock_meter = full, but this machine does not show {missing}")
        return kind, missing

    def _checked(self) -> "tuple[Meter, str]":
        from pytest_noblock.engine.selfcheck import meter_of_this_machine

        with GUARD:
            return meter_of_this_machine()
        return "portable", "the self-check itself failed"

    def header(self) -> list[str]:
        """The lines in the header of the run. They name no event loop but one that was asked for: none has run yet."""
        from pytest_noblock.engine.tracers import slowdown

        kind, missing = self.meter
        more = [_TRACED] if slowdown() > 1 else []
        more += filter(None, [_NOT_SEEN_ON.get(options.own_loop(self._config))])
        if kind == "full":
            return ["noblock: full meter (the app's own sleep, CPU and network, not the machine's load)", *more]
        return [f"noblock: portable rules (not seen here: {missing}; `gil` is not judged)", *more]

    def environment(self, loops: Iterable[str]) -> "Environment":
        """The head of every report. `loops`: the event loops that ran; if empty, the head names the fixture's loop."""
        version, root, folder = self._project
        return {
            "version": version,
            "root": root,
            "folder": folder,
            "python": sys.version.split()[0],
            "platform": sys.platform,
            "meter": self.meter[0],
            "loop": ",".join(sorted(set(loops))) or options.own_loop(self._config),
        }

    @cached_property
    def _project(self) -> tuple[str, str, str]:
        from pytest_noblock.plugin.project import root_and_folder, version  # only a report says it

        return version(), *root_and_folder(self._config.rootpath)

    def carrier(self) -> Carrier | None:
        """The Carrier; None where no report was asked for: only a report needs whole checks."""
        return Carrier() if options.reports(self._config) or options.tells_github() else None

    def reporter(self) -> Reporter:
        folder = self._config.invocation_params.dir
        return Reporter(
            [folder / file for file in options.reports(self._config)],
            self.environment,
            limit=options.of_run(self._config).limits.max_block,
            must_watch=self._watches_all,
            debug=options.debugs() or self._config.get_verbosity("noblock") >= 1,
            warns=options.of_run(self._config).action == "warn",
            sweep=self._sweep_report(),
            tells_ci=options.tells_github(),
            baseline=options.baseline_of(self._config),
            routes=RoutesOfRun(self._config, self.entered_apps),
        )

    def _sweep_report(self) -> "SweepReport | None":
        if self.sweep is None:
            return None
        from pytest_noblock.plugin.sweep_report import SweepReport

        return SweepReport(self._config)

    def running_apps(self) -> "RunningApps":
        from pytest_noblock.checks.running_apps import RunningApps

        return RunningApps(str(self._config.rootpath), self.meter[0], options.own_loop(self._config))

    def running_servers(self) -> "RunningServers":
        from pytest_noblock.checks.running_servers import RunningServers

        return RunningServers(str(self._config.rootpath))

    def stop(self, apps: "RunningApps") -> None:
        """Stops the apps at the end of the fixture's scope. Fails the test if a lifespan failed at the stop."""
        self._stop(apps.stop)
        if self._current is not None and not self._is_over():
            self._judge_lifespan(apps, self._run(self._current))

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
        status = getattr(self._current and self._current.session, "exitstatus", pytest.ExitCode.OK)
        return bool(status != pytest.ExitCode.OK)

    def tell(self, sentence: str) -> None:
        """Prints the sentence at once: no test can bear it any more."""
        terminal: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(f"noblock: {_printable(sentence)}", red=True)

    def _judge_lifespan(self, apps: "RunningApps", run: ItemRun) -> None:
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
        self._entered.note(asgi, app if isinstance(app, str) else None)
        run = self._run(item)
        if run.recorder is None:  # `request.getfixturevalue("noblock")`
            self._watch(run)
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

    def _run(self, item: pytest.Item) -> ItemRun:
        run = self._last
        if run is None or run.item is not item:
            run = self._last = ItemRun(item)
        return run

    @cached_property
    def _watches_all(self) -> bool:
        return options.watches_all(self._config)

    @cached_property
    def _watching(self) -> "Watching":
        from pytest_noblock.plugin.watching import Watching

        return Watching(self._config, self.meter[0], self._entered, every_test=self._watches_all)

    @cached_property
    def _entered(self) -> "EnteredApps":
        from pytest_noblock.plugin.entered import EnteredApps

        return EnteredApps()

    def entered_apps(self) -> "list[Told]":
        """The routes of the apps that requests of this process's tests entered; at the end of the run."""
        return self._entered.told() if "_entered" in vars(self) else []

    def begin(self, item: pytest.Item) -> None:
        """Begins to watch the test before its fixtures, if it is to be watched."""
        self._current = item
        if item.nodeid.startswith(options.SWEPT):
            return
        if self._watches_all or markers.watches(item) or unseen.has_fixture(item):
            self._watch(self._run(item))

    def _watch(self, run: ItemRun) -> None:
        try:
            if not self._expects_fakes and _FAKES_FILES in sys.modules:
                self._expect_fakes()
            self._watching.begin(run)
        except Exception as error:
            if not faults.noted(error):
                raise

    def pass_by(self) -> None:
        """A test does not begin, and fixtures may end before the next one: what is patched for it goes back."""
        if "_watching" in vars(self):
            with GUARD:
                self._watching.pass_by()

    def _expect_fakes(self) -> None:
        from pytest_noblock.plugin import fake_files

        self._expects_fakes = True
        self._config.add_cleanup(fake_files.expect(sys.modules[_FAKES_FILES]))

    def end(self, item: pytest.Item, ending: "Ending") -> None:
        """Judges a test at the end of its call, once. A fault of ours does not change the test's outcome."""
        run = self._last
        if run is None or run.item is not item or run.ended:
            return
        run.ended = True
        try:
            if faults.pending():
                ending = "failed"  # where we have failed, we fail no test
            if run.recorder is not None:
                self._watching.end(item, run, run.recorder, ending)
            elif ending == "passed":
                run.outcome.conclude_fixture(self.meter[0], ending)
        except Exception as error:
            if not faults.noted(error):
                raise
        finally:
            if faults.pending():
                self._attach_faults(item)

    def fixtures_ended(self, item: pytest.Item, ending: "Ending") -> None:
        """Judges what a watched test's fixtures requested and stopped in their teardown. `ending`: the teardown's."""
        run = self._last
        if run is not None and run.item is item and run.recorder is not None:
            try:
                self._watching.fixtures_ended(item, run, run.recorder, ending)
            except Exception as error:
                if not faults.noted(error):
                    raise

    def leave(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """Forgets the run of the test after its fixtures: the test may be run again."""
        run = self._last
        if run is None or run.item is not item:
            return
        self._last = None
        try:
            if run.recorder is not None:
                self._watching.leave(item, run.recorder, following)
        except Exception as error:
            if not faults.noted(error):
                raise
        finally:
            if faults.pending():
                self._attach_faults(item)

    def _attach_faults(self, item: pytest.Item) -> None:
        attach_faults(item, red=options.settings_of(self._config, markers.marked(item)).action != "warn")


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

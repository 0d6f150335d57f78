"""The end of the way of the records: from the reports of the tests to the files and the terminal.

A worker attaches each check to its test; see `attached`. Most runs have no report file: `report_files` is loaded where
one is asked for, `run_summary` where there is something to say.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_noblock.plugin import faults
from pytest_noblock.plugin.collected import Collected
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.plugin.options import ROUTES
from pytest_noblock.plugin.unseen import Unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_noblock.model.check import Check
    from pytest_noblock.plugin.baseline import BaselineOfRun
    from pytest_noblock.plugin.report_files import ReportFiles
    from pytest_noblock.plugin.routes_of_run import RoutesOfRun
    from pytest_noblock.plugin.sweep_report import SweepReport
    from pytest_noblock.report.wire import Environment, Run

_TO_THE_END = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
"""How a run ends that is not interrupted. One that is interrupted before anything was measured writes no report."""

REPORTER = "noblock-reporter"
"""The name under which pytest knows the Reporter of a process that prints."""


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests of the files were asked for: in xdist's controller nobody tells what was deselected."""
    part = any("::" in argument for argument in config.args)
    selected = config.option.keyword or config.option.markexpr if config.getoption("numprocesses", None) else None
    return not part and not selected


def not_green(session: pytest.Session, code: "int | pytest.ExitCode" = pytest.ExitCode.TESTS_FAILED) -> None:
    """Gives a run that would be green this exit code."""
    if session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = code


def _printable(line: str) -> str:
    from pytest_noblock.model.shown import printable  # it may be that nothing can be opened any more

    return printable(line)


class Reporter:
    """Collects the records of all tests, writes the reports and the summary; registered in the process that prints."""

    def __init__(  # noqa: PLR0913  # what the run is told
        self,
        files: list[Path],
        environment: "Callable[[Iterable[str]], Environment]",
        *,
        limit: int,
        must_watch: bool,
        debug: bool = False,
        warns: bool = False,
        sweep: "SweepReport | None" = None,
        tells_ci: bool = False,
        baseline: "BaselineOfRun | None" = None,
        routes: "RoutesOfRun | None" = None,
    ) -> None:
        """`environment`: makes the head of a report of the loops that ran. `limit`: max_block of the run in ns.

        `must_watch`: a run that watched nothing is not green. `debug`: the summary lists the notes. `warns`:
        whether the run's action is `warn`. `sweep`: None where nothing is swept. `baseline`: the known findings.
        `routes`: the routes of the apps that requests entered. `tells_ci`: see `plugin.ci`.
        """
        self._sweep = sweep
        self._baseline = baseline
        self._routes = routes
        self._warns = warns
        self._environment = environment
        self._collected = Collected(limit)
        self._reports = self._report_files(files, tells_ci=tells_ci) if files or tells_ci else None
        self._must_watch = must_watch
        self._debug = debug
        self._ran = False
        """Whether a test has come to its end."""
        self._ended = True
        """Whether the run came to its end."""
        self._failed: set[str] = set()
        """The tests that failed, as they ran last."""
        self._unwritten: list[str] = []
        self._unchanged: list[str] = []
        self._vacuous = False
        self._unseen = Unseen(every_test=must_watch)
        self._vain: list[str] = []
        self._faults = faults.Told()
        self._session: pytest.Session | None = None

    def _report_files(self, files: list[Path], *, tells_ci: bool) -> "ReportFiles":
        from pytest_noblock.plugin.report_files import ReportFiles

        return ReportFiles(files, self._collected, self._environment, tells_ci=tells_ci)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps what a test attached: the report of its teardown, the last phase, has all of it."""
        try:
            self._unseen.ended(report)
            if report.outcome == "failed":
                self._failed.add(report.nodeid)
            elif report.when == "setup":
                self._failed.discard(report.nodeid)
            if report.when == "teardown":
                self._keep(report)
        except Exception as error:
            if not faults.noted(error):
                raise

    def add(self, test: str, check: "Check", routes: str) -> None:
        """Keeps the check of a sweep's item that did not run. `routes`: see `options.ROUTES`."""
        from pytest_noblock.report.json_v1 import record, to_json

        self._ran = True
        self._collected.texts[test] = (to_json(record(check)),)
        if self._sweep is not None:
            self._sweep.keep([(ROUTES, routes)])

    def pytest_deselected(self, items: "Sequence[pytest.Item]") -> None:
        self._unseen.left_out(item.nodeid for item in items)

    def _keep(self, report: pytest.TestReport) -> None:
        self._ran = True
        again = report.nodeid in self._collected.texts
        if self._collected.keep(report):
            self._keep_others(report)
        if self._reports is not None:
            self._collected.keep_carried(report)
            self._reports.grow(report.nodeid, again=again)

    def _keep_others(self, report: pytest.TestReport) -> None:
        self._collected.keep_unused(report)
        self._faults.add(report.nodeid, report.user_properties)
        self._unseen.keep(report.nodeid, report.user_properties)
        if self._sweep is not None:
            self._sweep.keep(report.user_properties)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Writes the reports. With `--noblock` and nothing watched, sets the exit code for "no tests collected"."""
        self._session = session
        with GUARD:
            self._finish(session, exitstatus)
        self._keep_faults("the end of the run")

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        option = session.config.option
        ran = not (option.collectonly or option.setuponly or option.setupplan)
        self._vacuous = self._must_watch and ran and not (self._collected.seen or self._faults)
        if ran and self._unseen.asks:
            self._vain = self._unseen.vain(self._collected.seen, whole=_is_whole(session.config))
        if self._vain and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if exitstatus == pytest.ExitCode.OK and self._vacuous:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        self._ended = exitstatus in _TO_THE_END and not (session.shouldstop or session.shouldfail)
        if ran:
            self._judge_routes(session)
            self._judge_sweep(session)
            self._judge_baseline(session, exitstatus)
        if ran and self._ran and (self._collected or exitstatus in _TO_THE_END):
            self._unwritten = list(self._reports.write(lambda: self._run)) if self._reports else []
        elif exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.NO_TESTS_COLLECTED):
            self._unchanged = list(self._reports.unchanged()) if self._reports else []
        if self._unwritten:
            not_green(session)

    def _judge_sweep(self, session: pytest.Session) -> None:
        if self._sweep is None:
            return
        measured = self._routes.measured if self._routes is not None else set()
        not_green(session, self._sweep.judge(self._swept, measured))

    def _judge_routes(self, session: pytest.Session) -> None:
        if self._routes is None or not self._collected:
            return
        self._routes.judge(self._collected.by_test, swept=self._sweep is not None)
        if self._routes.failed is not None:
            not_green(session)

    def _judge_baseline(self, session: pytest.Session, exitstatus: int) -> None:
        if self._baseline is None:
            return
        if exitstatus not in _TO_THE_END:
            self._baseline.leave()
            return
        stopped = bool(session.shouldstop or session.shouldfail)
        records = [record for records in self._collected.by_test.values() for record in records]
        report = {"environment": self._environment(()), "checks": records}
        self._baseline.judge(report, to_the_end=not stopped, warns=self._warns)
        if self._baseline.problem is not None:
            not_green(session)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """xdist's: a worker has ended. Keeps its faults that belong to no test."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        if self._routes is not None:
            self._routes.add(output)
        self._add_faults("the end of a worker", output.get(faults.OF_WORKER, ()))

    def _add_faults(self, where: str, sentences: Iterable[str]) -> None:
        key = faults.ACCEPTED if self._warns else faults.RED
        self._faults.add(where, [(key, sentence) for sentence in sentences])

    def _keep_faults(self, where: str) -> None:
        """Keeps faults of ours that belong to no test; where there are any, the run is not green."""
        self._add_faults(where, faults.taken())
        if self._session is not None and self._faults.red:
            not_green(self._session)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        with GUARD:
            self._summarize(terminalreporter)
        with GUARD:
            self._annotate(terminalreporter)
        self._keep_faults("the summary")
        if self._faults:
            terminalreporter.section("noblock failed")
            for line in self._faults.lines():
                terminalreporter.line(line if line.isprintable() else _printable(line), red=self._faults.red)

    def _summarize(self, terminal: pytest.TerminalReporter) -> None:
        if self._unwritten or self._unchanged:
            terminal.section("noblock")
            for line in (*self._unwritten, *self._unchanged):
                terminal.line(line, red=line in self._unwritten)
        unseen = list(self._unseen.lines(self._collected.seen, self._vain))
        problem = self._baseline is not None and self._baseline.problem is not None
        if not self._collected and not self._vacuous and not unseen and not problem:
            return
        from pytest_noblock.plugin.run_summary import RunSummary

        summary = RunSummary(
            self._collected,
            vacuous=self._vacuous,
            unseen=unseen,
            in_vain=bool(self._vain),
            routes=self._routes,
            sweep=self._sweep,
            swept=self._swept if self._sweep is not None and self._collected else (),
            baseline=self._baseline,
            notes=self._debug,
        )
        summary.print(terminal)

    def _annotate(self, terminal: pytest.TerminalReporter) -> None:
        for line in self._reports.annotations(lambda: self._run) if self._reports else ():
            terminal.ensure_newline()
            terminal.line(line)

    @property
    def _swept(self) -> "list[Check]":
        """The checks of the sweep's items."""
        return self._collected.swept(self._environment(())["meter"])

    @cached_property
    def _run(self) -> "Run":
        """What reports are rendered from; for the end of the run."""
        from pytest_noblock.report.wire import Run

        environment = self._environment(self._collected.loops)
        if not self._ended:
            environment["ended"] = False
        checks = tuple(self._collected.checks(environment["meter"]))
        apps = self._routes.apps if self._routes is not None else ()
        return Run(environment, checks, apps, failed=frozenset(self._failed))

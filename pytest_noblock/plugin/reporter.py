"""The end of the way of the records: from the reports of the tests to the files and the terminal.

A worker attaches each check to its test; see `attached`.
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
    from pytest_noblock.plugin.routes_of_run import RoutesOfRun
    from pytest_noblock.plugin.sweep_report import SweepReport
    from pytest_noblock.report.growing import GrowingReport
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


def _printable(line: str) -> str:
    from pytest_noblock.model.shown import printable  # it may be that nothing can be opened any more

    return printable(line)


def _not_written(file: Path) -> str:
    return f"the report {file} stays as it was" if file.exists() else f"no report {file} is written"


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
        self._tells_ci = tells_ci
        self._sweep = sweep
        self._baseline = baseline
        self._routes = routes
        self._warns = warns
        self._files = files
        self._environment = environment
        self._collected = Collected(limit)
        self._must_watch = must_watch
        self._debug = debug
        self._ran = False
        """Whether a test has come to its end."""
        self._ended = True
        """Whether the run came to its end."""
        self._failed: set[str] = set()
        """The tests that failed, as they ran last."""
        self._unwritten: list[str] = []
        self._kept: list[str] = []
        self._vacuous = False
        self._unseen = Unseen(every_test=must_watch)
        self._vain: list[str] = []
        self._faults = faults.Told()
        self._key = faults.ACCEPTED if warns else faults.RED
        self._session: pytest.Session | None = None

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
        self._collected.texts[test] = [to_json(record(check))]
        if self._sweep is not None:
            self._sweep.keep([(ROUTES, routes)])

    def pytest_deselected(self, items: "Sequence[pytest.Item]") -> None:
        self._unseen.left_out(item.nodeid for item in items)

    def _keep(self, report: pytest.TestReport) -> None:
        self._ran = True
        again = report.nodeid in self._collected.texts
        if self._collected.keep(report):
            self._keep_others(report)
        if self._files or self._tells_ci:
            self._collected.keep_carried(report)
            self._grow(report.nodeid, again=again)

    def _keep_others(self, report: pytest.TestReport) -> None:
        self._collected.keep_unused(report)
        self._faults.add(report.nodeid, report.user_properties)
        self._unseen.keep(report.nodeid, report.user_properties)
        if self._sweep is not None:
            self._sweep.keep(report.user_properties)

    @cached_property
    def _growing(self) -> "list[GrowingReport]":
        from pytest_noblock.report.growing import GrowingReport

        return [GrowingReport(file) for file in self._files]

    def _grow(self, test: str, *, again: bool) -> None:
        """Adds the test to the reports at once: the run may be killed. `again`: the test was in them before."""
        if not self._files or test not in self._collected.texts:
            return
        records, environment = self._collected.of(test, and_before=again), self._environment(self._collected.loops)
        for each in self._growing:
            if again:
                each.restart()
            each.add(records, environment)

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
            self._unwritten = [*self._write(), *self._tell_ci()]
        elif exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.NO_TESTS_COLLECTED):
            self._kept = [f"nothing was measured: {_not_written(file)}" for file in self._files]
        if self._unwritten and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _judge_sweep(self, session: pytest.Session) -> None:
        if self._sweep is None:
            return
        measured = self._routes.measured if self._routes is not None else set()
        code = self._sweep.judge(self._swept, measured)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = code

    def _judge_routes(self, session: pytest.Session) -> None:
        if self._routes is None or not self._collected:
            return
        self._routes.judge(self._collected.by_test, swept=self._sweep is not None)
        if self._routes.failed is not None and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

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
        if self._baseline.problem is not None and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """xdist's: a worker has ended. Keeps its faults that belong to no test."""
        output: dict[str, Any] = getattr(node, "workeroutput", {})
        if self._routes is not None:
            self._routes.add(output)
        for sentence in output.get(faults.OF_WORKER, ()):
            self._faults.add("the end of a worker", [(self._key, sentence)])

    def _keep_faults(self, where: str) -> None:
        """Keeps faults of ours that belong to no test; where there are any, the run is not green."""
        self._faults.add(where, [(self._key, sentence) for sentence in faults.taken()])
        if self._session is not None and self._faults.red and self._session.exitstatus == pytest.ExitCode.OK:
            self._session.exitstatus = pytest.ExitCode.TESTS_FAILED

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

    def _summarize(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unwritten or self._kept:
            terminalreporter.section("noblock")
            for line in (*self._unwritten, *self._kept):
                terminalreporter.line(line, red=line in self._unwritten)
        unseen = list(self._unseen.lines(self._collected.seen, self._vain))
        problem = self._baseline is not None and self._baseline.problem is not None
        if not self._collected and not self._vacuous and not unseen and not problem:
            return
        from pytest_noblock.model.shown import printable

        terminalreporter.section("noblock")
        if self._vacuous:
            terminalreporter.line("no request was watched: --noblock asserted nothing", red=True)
        if self._collected:
            self._summarize_tests(terminalreporter)
            self._summarize_sweep(terminalreporter)
        self._summarize_baseline(terminalreporter)
        for line in unseen if self._collected or not self._vacuous else ():
            terminalreporter.line(printable(line), red=bool(self._vain))

    def _summarize_tests(self, terminalreporter: pytest.TerminalReporter) -> None:
        tests = self._collected.of_tests()
        if not tests and self._sweep is not None:
            return
        from pytest_noblock.report.summary import summary

        for line in summary(tests, self._collected.unused, notes=self._debug):
            terminalreporter.line(line)
        if self._routes is not None:
            for line in self._routes.lines(others=self._debug):
                terminalreporter.line(_printable(line))
            if self._routes.failed is not None:
                terminalreporter.line(_printable(self._routes.failed), red=True)

    def _summarize_sweep(self, terminalreporter: pytest.TerminalReporter) -> None:
        swept = self._swept if self._sweep is not None else []
        if self._sweep is None or not swept:
            return
        from pytest_noblock.model import shown

        for line in self._sweep.lines(swept):
            terminalreporter.line(shown.printable(line))
        if self._sweep.failed is not None:
            terminalreporter.line(self._sweep.failed, red=True)

    def _summarize_baseline(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._baseline is None or not (self._collected or self._baseline.problem):
            return
        for line in self._baseline.lines():
            terminalreporter.line(_printable(line))
        if self._baseline.problem is not None:
            terminalreporter.line(_printable(self._baseline.problem), red=True)

    @property
    def _swept(self) -> "list[Check]":
        """The checks of the sweep's items."""
        return self._collected.swept(self._environment(())["meter"])

    def _write(self) -> "Iterable[str]":
        """Writes each report file; yields a sentence for each file that could not be written."""
        if not self._files:
            return
        from pytest_noblock.model import shown
        from pytest_noblock.report import formats

        for file, growing in zip(self._files, self._growing, strict=True):
            growing.close()
            try:
                formats.write(file, self._run)
            except OSError as error:
                yield shown.printable(f"the report {file} cannot be written: {error.strerror or error}{growing.has()}")
            except Exception as error:  # noqa: BLE001  # one report must not cost the others
                yield shown.printable(f"the report {file} cannot be written: {shown.error(error)}{growing.has()}")

    def _tell_ci(self) -> "Iterable[str]":
        """Adds to the summary of the job; yields a sentence where that fails."""
        if not (self._tells_ci and self._collected):
            return
        from pytest_noblock.plugin.ci import add_summary

        sentence = add_summary(self._run)
        if sentence is not None:
            yield _printable(sentence)

    def _annotate(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not (self._tells_ci and self._collected):
            return
        from pytest_noblock.plugin.ci import annotations

        for line in annotations(self._run):
            terminalreporter.ensure_newline()
            terminalreporter.line(line)

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
